//! Each limit to the byte: what just fits is accepted, and one more is refused.

use std::fmt::Write;

use hmac_auth::{
    AuthErrorKind, SignError, sign_request,
    signature::{
        BaseError, Component, MAX_BASE_LEN, MAX_COMPONENTS, MAX_FIELD_LEN, RequestHead,
        SignatureBase, SignatureInputs, SyntaxError,
    },
};
use http::{HeaderMap, HeaderValue, Request};

use super::{refusal, with_query_params};
use crate::support::{
    refusals::refused,
    request::{
        TestRequest, get, options, secrets, sign_options, signed_as, with_header, with_signature,
    },
};

/// The members of a field with these lines; how many there are if all are well-formed.
fn count_inputs(lines: &[&str]) -> Result<usize, SyntaxError> {
    let line = |line: &&str| {
        let value = HeaderValue::from_str(line).unwrap();
        (http::HeaderName::from_static("signature-input"), value)
    };
    let headers: HeaderMap = lines.iter().map(line).collect();
    let inputs: Result<Vec<_>, _> = SignatureInputs::new(&headers).collect();
    inputs.map(|inputs| inputs.len())
}

fn base_of(request: &TestRequest, components: &str) -> Result<String, BaseError> {
    let value = HeaderValue::try_from(format!("sig1=({components})")).unwrap();
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("signature-input"), value)]);
    let input = SignatureInputs::new(&headers).next().unwrap().unwrap();
    let base = SignatureBase::of_request(&RequestHead::from(request), &input)?;
    Ok(base.as_str().to_owned())
}

/// The component that is too large, if one is.
fn too_large(request: &TestRequest, components: &str) -> Option<String> {
    match base_of(request, components) {
        Ok(_) => None,
        Err(BaseError::TooLarge { component }) => Some(component),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_error_says_where_it_is() {
    for (line, position) in [("a=()?", 4), ("a=(\"x\"\"y\")", 6), ("a", 1), ("?", 0)] {
        let error = count_inputs(&[line]).unwrap_err();
        assert_eq!(error.position(), position, "{line}: {error}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("at byte {position}: "))
        );
    }
}

#[test]
fn a_field_has_8_kib_over_all_its_lines() {
    let with = |len: usize| {
        let start = "a=();x=\"";
        format!("{start}{}\"", "x".repeat(len - start.len() - 1))
    };
    assert_eq!(count_inputs(&[&with(MAX_FIELD_LEN)]), Ok(1));
    assert!(count_inputs(&[&with(MAX_FIELD_LEN + 1)]).is_err());
    assert_eq!(count_inputs(&[&with(MAX_FIELD_LEN - 4), "b=()"]), Ok(2));
    assert!(count_inputs(&[&with(MAX_FIELD_LEN - 3), "b=()"]).is_err());
}

/// What no host would read is not signed.
#[test]
fn a_signed_field_has_8_kib() {
    let sign = |tag: usize| {
        let mut request = get();
        let options = sign_options().tag("x".repeat(tag));
        let signed = sign_request(&mut request, &secrets(), &options);
        signed.map(|_| request.headers()["signature-input"].len())
    };
    let fits = MAX_FIELD_LEN - sign(1).unwrap() + 1;
    assert_eq!(sign(fits).unwrap(), MAX_FIELD_LEN);
    for more in [1, 2] {
        assert!(matches!(sign(fits + more), Err(SignError::TooLarge)));
    }
}

#[test]
fn an_identifier_has_8_kib() {
    let parse = |len: usize| {
        let start = "\"@query-param\";name=\"";
        let text = format!("{start}{}\"", "x".repeat(len - start.len() - 1));
        Component::parse(&text).is_ok()
    };
    assert!(parse(MAX_FIELD_LEN));
    assert!(!parse(MAX_FIELD_LEN + 1));
    assert!(!parse(MAX_FIELD_LEN + 2));
}

#[test]
fn there_are_16_labels_and_16_parameters() {
    let labels = |count: usize| {
        let labels: Vec<_> = (0..count).map(|index| format!("s{index}=()")).collect();
        count_inputs(&[&labels.join(", ")]).is_ok()
    };
    let parameters = |count: usize| {
        (0..count).fold("\"x-a\"".to_owned(), |mut text, index| {
            write!(text, ";p{index}").unwrap();
            text
        })
    };
    let of_component = |count| Component::parse(&parameters(count)).is_ok();
    let of_signature = |count| {
        let text = parameters(count);
        count_inputs(&[&format!("a=(\"x-a\"){}", &text["\"x-a\"".len()..])]).is_ok()
    };
    for is_accepted in [
        &labels as &dyn Fn(usize) -> bool,
        &of_component,
        &of_signature,
    ] {
        assert!(is_accepted(15));
        assert!(is_accepted(16));
        assert!(!is_accepted(17));
        assert!(!is_accepted(18));
    }
}

/// Whether the list begins as the profile says, or otherwise.
#[test]
fn a_signature_covers_32_components() {
    for start in [
        "",
        r#""@method" "@authority" "@path" "@query""#,
        r#""@method" "@authority" "@path" "@query" "content-digest""#,
        r#""@method" "@authority" "@path" "@query" "content-digest" "content-type" "content-encoding""#,
    ] {
        let accepts = |count: usize| {
            let others = count - start.split_whitespace().count();
            let list = (0..others).fold(start.to_owned(), |mut list, index| {
                write!(list, " \"x-{index}\"").unwrap();
                list
            });
            count_inputs(&[&format!("a=({})", list.trim_start())]).is_ok()
        };
        assert!(accepts(MAX_COMPONENTS - 1), "{start}");
        assert!(accepts(MAX_COMPONENTS), "{start}");
        assert!(!accepts(MAX_COMPONENTS + 1), "{start}");
    }
}

/// The value of a component: one line of a field, several lines, and with what else is covered
/// before it.
#[test]
fn a_value_has_8_kib() {
    let with_lines = |lens: &[usize]| {
        (lens.iter()).fold(get(), |request, len| {
            with_header(request, "x-a", &"x".repeat(*len))
        })
    };
    for before in ["", "\"@method\" \"@path\" "] {
        let covered = format!("{before}\"x-a\"");
        for (lens, is_too_large) in [
            (&[MAX_FIELD_LEN][..], false),
            (&[MAX_FIELD_LEN + 1], true),
            // With a comma and a space between them.
            (&[4_095, 4_095], false),
            (&[4_095, 4_096], true),
            (&[1, 1, MAX_FIELD_LEN - 6], false),
            (&[1, 1, MAX_FIELD_LEN - 5], true),
        ] {
            let found = too_large(&with_lines(lens), &covered);
            assert_eq!(found.is_some(), is_too_large, "{before}{lens:?}");
        }
    }
}

#[test]
fn a_single_parameter_of_the_query_has_8_kib_as_it_is_written() {
    let request = |value: &str| {
        Request::get(format!("https://host.example/?p={value}"))
            .body(Vec::new())
            .unwrap()
    };
    let covered = r#""@path" "@query-param";name="p""#;
    // Each `!` is three bytes.
    let fits = format!("{}aa", "!".repeat(2_730));
    let base = base_of(&request(&fits), covered).unwrap();
    assert!(base.contains(&format!("{}aa\n", "%21".repeat(2_730))));
    for end in ["a", "aa", "!"] {
        assert!(too_large(&request(&format!("{fits}{end}")), covered).is_some());
    }
    // The query itself, of which `&p0=0` is the last pair.
    let len = "&p0=0".len();
    let kind = |padding| refusal(&with_query_params(1, padding));
    assert_eq!(kind(MAX_FIELD_LEN - len), AuthErrorKind::WrongMac);
    assert_eq!(kind(MAX_FIELD_LEN - len + 1), AuthErrorKind::TooLarge);
    assert_eq!(kind(MAX_FIELD_LEN - len + 2), AuthErrorKind::TooLarge);
}

/// The error names the component with which the text gets too long.
#[test]
fn a_base_has_32_kib_and_the_line_that_is_too_much_is_named() {
    let covered = r#""x-a" "x-b" "x-c" "x-d" "x-e""#;
    let with_last = |len: usize| {
        let request = ["x-a", "x-b", "x-c", "x-d"]
            .into_iter()
            .fold(get(), |request, name| {
                with_header(request, name, &"x".repeat(8_000))
            });
        with_header(request, "x-e", &"x".repeat(len))
    };
    let smallest = base_of(&with_last(1), covered).unwrap();
    let fits = 1 + MAX_BASE_LEN - smallest.len();
    let base = base_of(&with_last(fits), covered).unwrap();
    assert_eq!(base.len(), MAX_BASE_LEN);
    let last_line = "\"@signature-params\"";
    for more in [1, 2] {
        let found = too_large(&with_last(fits + more), covered);
        assert_eq!(found.as_deref(), Some(last_line));
    }
    // Up to the limit without the last line.
    let lines = fits + base.len() - base.find(last_line).unwrap();
    assert_eq!(
        too_large(&with_last(lines), covered).as_deref(),
        Some(last_line)
    );
    for more in [1, 2] {
        let found = too_large(&with_last(lines + more), covered);
        assert_eq!(found.as_deref(), Some("\"x-e\""));
    }
}

/// An operator looks for other signatures only if there are some.
#[test]
fn only_several_signatures_share_a_limit() {
    let input = r#"("@method" "@authority" "@path" "@query" "x-a");created=1700000000"#;
    let request = with_header(get(), "x-a", "1");
    let large = |request: TestRequest| {
        let mut request = request;
        let value = HeaderValue::try_from("x".repeat(MAX_FIELD_LEN + 1)).unwrap();
        request.headers_mut().insert("x-a", value);
        refused(&request, &options()).to_string()
    };
    let alone = signed_as(request, input);
    let two = with_signature(alone.clone(), "b", input, &[0; 32]);
    let (alone, two) = (large(alone), large(two));
    assert!(!alone.contains("share the limit"), "{alone}");
    assert!(two.contains("share the limit"), "{two}");
}
