//! The signature base: injective, and made from the values that the handler sees.

use std::collections::BTreeSet;

use hmac_auth::{AuthErrorKind as Kind, Claim, sign_request};
use http::{HeaderName, HeaderValue};

use crate::support::{
    edit::{edited, set, with_uri, without},
    request::{
        INPUT, base_of, get, options, refusal, secret, secrets, sign_options, signed, signed_as,
        signed_with, validate, with_header, with_signature,
    },
};

/// The names of the fields were outside of the MAC.
#[test]
pub(crate) fn pitfall_15_names_of_covered_fields_are_signed() {
    let amount = HeaderName::from_static("x-amount");
    let limit = HeaderName::from_static("x-limit");
    let request = with_header(with_header(get(), "x-amount", "100"), "x-limit", "100");
    let request = signed_with(request, &sign_options().cover(amount.clone()).cover(limit));
    validate(&request).unwrap();

    // The same values in the same order under other names.
    let renamed = edited(&request, "signature-input", |input| {
        input.replace("x-limit", "x-other")
    });
    let renamed = with_header(without(renamed, "x-limit"), "x-other", "100");
    assert_eq!(refusal(&renamed), Kind::WrongMac);
    let swapped = edited(&request, "signature-input", |input| {
        input
            .replace("x-amount", "x-")
            .replace("x-limit", "x-amount")
            .replace("\"x-\"", "\"x-limit\"")
    });
    assert_eq!(refusal(&swapped), Kind::WrongMac);
    assert_eq!(
        refusal(&with_header(
            without(request.clone(), "x-limit"),
            "x-other",
            "100"
        )),
        Kind::AbsentComponent
    );
    // A field under the name of a derived component, and the other way round.
    for (from, to) in [
        ("@method", "method"),
        ("@path", "path"),
        ("@query", "query"),
    ] {
        let renamed = edited(&request, "signature-input", |input| input.replace(from, to));
        let fields = [("method", "GET"), ("path", "/orders"), ("query", "?page=2")];
        let renamed = fields.into_iter().fold(renamed, |request, (name, value)| {
            with_header(request, name, value)
        });
        assert!(matches!(refusal(&renamed), Kind::NotCovered), "{from}");
    }
}

/// Fields ran into each other, so that two requests had one signature.
#[test]
pub(crate) fn pitfall_16_no_two_requests_have_one_signature_base() {
    let input = r#"("@method" "@authority" "@path" "@query" "a" "b");created=1700000000"#;
    let build = |target: &str, a: &[&str], b: &[&str]| {
        let mut request = with_uri(get(), &format!("https://host.example{target}"));
        for (name, lines) in [("a", a), ("b", b)] {
            for line in lines {
                request = with_header(request, name, line);
            }
        }
        request
    };
    let requests = [
        build("/x?y", &["1"], &["2"]),
        build("/x?y", &["12"], &[""]),
        build("/x?y", &[""], &["12"]),
        build("/x?y", &["1", "2"], &[""]),
        build("/x?y", &["1,2"], &[""]),
        build("/x?y", &["1", "", "2"], &[""]),
        build("/x?y", &["1", "2", ""], &[""]),
        build("/x?y", &["1\"b\": 2"], &[""]),
        build("/x?y", &["1 \"b\": 2"], &["2"]),
        build("/x?y", &["1\t\"b\": 2"], &["2"]),
        build("/x?y", &["1\\n\"b\": 2"], &["2"]),
        build("/x?y", &["1%0A\"b\": 2"], &["2"]),
        build("/x", &["1"], &["2"]),
        build("/x%3Fy", &["1"], &["2"]),
        build("/x?y?", &["1"], &["2"]),
        build("/?x?y", &["1"], &["2"]),
        build("/x%0A%22@query%22:%20?y", &["1"], &["2"]),
    ];
    let signed: Vec<_> = requests
        .iter()
        .map(|request| signed_as(request.clone(), input))
        .collect();
    let bases: BTreeSet<_> = requests
        .iter()
        .map(|request| base_of(request, input))
        .collect();
    assert_eq!(bases.len(), requests.len());
    for (index, request) in signed.iter().enumerate() {
        validate(request).unwrap();
        for (other_index, other) in signed.iter().enumerate() {
            let mixed = set(
                other.clone(),
                "signature",
                request.headers()["signature"].to_str().unwrap(),
            );
            assert_eq!(
                validate(&mixed).is_ok(),
                index == other_index,
                "{index} {other_index}"
            );
        }
        // One line for each component: no value has added one.
        assert_eq!(base_of(&requests[index], input).lines().count(), 7);
    }
    // A quoted parameter cannot end early.
    let bases: BTreeSet<_> = [
        r#";keyid="a";tag="b""#,
        r#";keyid="a\";tag=\"b""#,
        r#";keyid="a\\";tag="b""#,
        r#";keyid="a;tag=b""#,
    ]
    .map(|params| base_of(&get(), &format!("{INPUT}{params}")))
    .into();
    assert_eq!(bases.len(), 4);

    // Line breaks cannot be in a value, and what is not ASCII is refused on either side.
    assert!(
        HeaderValue::from_bytes(b"1\n\"b\": 2").is_err()
            && HeaderValue::from_bytes(b"1\r\"b\": 2").is_err()
    );
    for value in ["\u{85}", "gr\u{f6}\u{df}er", "\u{2028}"]
        .map(str::as_bytes)
        .into_iter()
        .chain([&b"\xff"[..], b"\x80"])
    {
        let mut request = get();
        request
            .headers_mut()
            .insert("a", HeaderValue::from_bytes(value).unwrap());
        let covering = sign_options().cover(HeaderName::from_static("a"));
        assert!(
            sign_request(&mut request.clone(), &secrets(), &covering).is_err(),
            "{value:?}"
        );
        let request = with_signature(with_header(request, "b", ""), "sig1", input, &[0; 32]);
        assert_eq!(refusal(&request), Kind::NotAscii, "{value:?}");
    }
    for target in ["/gr\u{f6}\u{df}er?y", "/x?gr\u{f6}\u{df}er"] {
        let request = with_signature(build(target, &["1"], &["2"]), "sig1", input, &[0; 32]);
        assert_eq!(refusal(&request), Kind::NotAscii, "{target}");
    }
}

/// Two parsers read one message in two ways.
#[test]
pub(crate) fn pitfall_28_what_is_signed_is_what_the_handler_sees() {
    // Twice the same `Host` is once too often: some readers take the first and some the last.
    let host = |hosts: &[&str]| {
        let request = hosts
            .iter()
            .fold(with_uri(get(), "/orders?page=2"), |request, host| {
                with_header(request, "host", host)
            });
        with_signature(
            request,
            "sig1",
            INPUT,
            &secret().mac(base_of(&get(), INPUT).as_bytes()).into_bytes(),
        )
    };
    validate(&host(&["host.example"])).unwrap();
    assert_eq!(
        refusal(&host(&["host.example", "host.example"])),
        Kind::ConflictingAuthority
    );
    assert_eq!(
        refusal(&host(&["host.example", "other.example"])),
        Kind::ConflictingAuthority
    );
    assert_eq!(
        refusal(&host(&["other.example", "host.example"])),
        Kind::ConflictingAuthority
    );
    assert_eq!(
        refusal(&host(&["host.example, other.example"])),
        Kind::InvalidAuthority
    );

    // A member of a dictionary twice: RFC 8941 lets the last one win, others take the first.
    let good = signed(get());
    let twice = |name: &'static str, other: &str| {
        let value = good.headers()[name].to_str().unwrap();
        [format!("{value}, {other}"), format!("{other}, {value}")]
            .map(|value| refusal(&set(good.clone(), name, &value)))
    };
    assert_eq!(
        twice("signature-input", "sig1=()"),
        [Kind::MalformedSignatureInput; 2]
    );
    assert_eq!(twice("signature", "sig1=::"), [Kind::MalformedSignature; 2]);
    // A query parameter twice.
    let input =
        r#"("@method" "@authority" "@path" "@query" "@query-param";name="a");created=1700000000"#;
    let once = with_uri(get(), "https://host.example/?a=1&b=2");
    validate(&signed_as(once, input)).unwrap();
    for query in ["a=1&a=2", "a=1&%61=2", "b=1", "a%20=1", "A=1"] {
        let request = with_uri(get(), &format!("https://host.example/?{query}"));
        assert_eq!(
            refusal(&with_signature(request, "sig1", input, &[0; 32])),
            Kind::AbsentComponent,
            "{query}"
        );
    }

    // The base has the values of the request as they stand in it, all lines of them.
    let request = with_uri(get(), "https://host.example/a%2Fb/../c;d//?q=%61+b&&");
    let request = with_header(with_header(request, "x-site", "a,b"), "x-site", "\"c, d\"");
    let request = signed_with(
        request,
        &sign_options().cover(HeaderName::from_static("x-site")),
    );
    let options = options();
    let base = Claim::parse(&request, &options)
        .unwrap()
        .signature_base()
        .unwrap();
    let lines: Vec<&str> = base.as_str().lines().collect();
    assert_eq!(
        lines[..5],
        [
            "\"@method\": GET",
            "\"@authority\": host.example",
            &format!("\"@path\": {}", request.uri().path()),
            &format!("\"@query\": ?{}", request.uri().query().unwrap()),
            "\"x-site\": a,b, \"c, d\"",
        ]
    );
    assert_eq!(
        lines[2..4],
        ["\"@path\": /a%2Fb/../c;d//", "\"@query\": ?q=%61+b&&"]
    );
    let covered: Vec<String> = validate(&request)
        .unwrap()
        .components()
        .map(|component| component.to_string())
        .collect();
    assert_eq!(
        covered,
        lines[..5]
            .iter()
            .map(|line| line.split_once(": ").unwrap().0)
            .collect::<Vec<_>>()
    );
}

/// By RFC 9421 section 2.2.8: decoded as the values of a form are, and encoded anew.
#[test]
fn a_query_parameter_has_one_spelling() {
    let input =
        r#"("@method" "@authority" "@path" "@query" "@query-param";name="a");created=1700000000"#;
    for (value, expected) in [
        ("%C3%A9", "%C3%A9"),
        ("%c3%a9", "%C3%A9"),
        ("%7e~", "%7E%7E"),
        ("%5f%5F", "__"),
        ("%2a-._", "*-._"),
        ("b+c%20d%2B", "b%20c%20d%2B"),
        // No byte in hexadecimal, so it stands for itself.
        ("%zz", "%25zz"),
        ("%4g", "%254g"),
        ("%g4", "%25g4"),
        ("%4", "%254"),
        ("%", "%25"),
    ] {
        let uri = format!("https://host.example/?a={value}&b=2");
        let request = signed_as(with_uri(get(), &uri), input);
        let options = options();
        let claim = Claim::parse(&request, &options).unwrap();
        let base = claim.signature_base().unwrap();
        let line = format!("\"@query-param\";name=\"a\": {expected}");
        assert!(
            base.as_str().lines().any(|other| other == line),
            "{}",
            base.as_str()
        );
    }
}
