//! Signatures of somebody else, by other rules than ours: they never spoil ours.

use hmac_auth::{
    AuthErrorKind as Kind, SignError, SignOptions, sign_request,
    signature::{MAX_COMPONENTS, SIGNATURE, SIGNATURE_INPUT, SignatureInputs},
    validate_auth,
};
use http::HeaderValue;

use crate::support::request::{
    TestRequest, base_of, get, options, refusal_with, secrets, sign_options, signed, signed_as,
    signed_with, with_header,
};

fn refusal(request: &TestRequest) -> Option<Kind> {
    let refused = validate_auth(request, &secrets(), &options()).err();
    refused.map(|error| error.kind())
}

/// A member of `Signature-Input` and one of `Signature`, as RFC 9651 allows them.
fn strangers() -> Vec<(String, String)> {
    let list = |count: usize| {
        let names: Vec<_> = (0..count).map(|index| format!("\"x-{index}\"")).collect();
        names.join(" ")
    };
    let parameters: Vec<_> = (0..17).map(|index| format!(";p{index}=1")).collect();
    let parameters = parameters.concat();
    let inputs = [
        format!("({})", list(MAX_COMPONENTS + 1)),
        format!("({})", list(500)),
        format!("(){parameters}"),
        format!("(\"x-a\"{parameters})"),
        "();at=@1659578233".to_owned(),
        "();by=%\"f%c3%bc\"".to_owned(),
        "(%\"f%c3%bc\" @1 1.5 token \"x\" ?0 :YQ==:;a;b=1)".to_owned(),
        "(\"x-a\" \"x-a\")".to_owned(),
        "(\"x-a\");b;b".to_owned(),
        "();created=@1700000000".to_owned(),
        "();created=\"now\"".to_owned(),
        "();keyid=token".to_owned(),
        "();nonce".to_owned(),
        "1".to_owned(),
        "?1".to_owned(),
        "token;a=1".to_owned(),
        ":YQ:".to_owned(),
    ];
    let signatures = [
        ":YQ==:",
        ":YQ:",
        ":YR==:",
        "::",
        ":YQ==:;a=@1",
        "(\"a\" b)",
        "?0",
        "1.5",
        "%\"f%c3%bc\"",
        "@-1",
    ];
    let both = |(index, input): (usize, String)| {
        let signature = signatures[index % signatures.len()];
        (format!("={input}"), format!("={signature}"))
    };
    let mut all: Vec<_> = inputs.into_iter().enumerate().map(both).collect();
    all.push((String::new(), String::new()));
    all.push((";a;b=2".to_owned(), ";a".to_owned()));
    all
}

/// Puts the stranger's members before ours, behind ours, and in lines of their own.
fn with_stranger(request: &TestRequest, input: &str, signature: &str) -> [TestRequest; 4] {
    let of = |name| request.headers()[&name].to_str().expect("ASCII").to_owned();
    let change = |change: &dyn Fn(&str, &str) -> String| {
        let mut request = request.clone();
        for (name, other) in [(SIGNATURE_INPUT, input), (SIGNATURE, signature)] {
            let value = change(&of(name.clone()), &format!("other{other}"));
            let value = HeaderValue::try_from(value).expect("a valid value");
            request.headers_mut().insert(name, value);
        }
        request
    };
    let mut first_line = request.clone();
    let mut last_line = request.clone();
    for (name, other) in [(SIGNATURE_INPUT, input), (SIGNATURE, signature)] {
        let line = HeaderValue::try_from(format!("other{other}")).expect("a valid value");
        let ours = first_line.headers_mut().insert(&name, line.clone());
        first_line.headers_mut().append(&name, ours.expect("ours"));
        last_line.headers_mut().append(&name, line);
    }
    [
        change(&|ours, other| format!("{other}, {ours}")),
        change(&|ours, other| format!("{ours},{other}")),
        first_line,
        last_line,
    ]
}

#[test]
fn ours_is_accepted_beside_each() {
    let ours = signed(get());
    for (input, signature) in strangers() {
        for request in with_stranger(&ours, &input, &signature) {
            assert_eq!(refusal(&request), None, "{input} {signature}");
        }
    }
}

/// Also when it is our own: no member is taken for a candidate that this crate cannot read.
#[test]
fn alone_they_are_refused() {
    for (input, signature) in strangers() {
        let mut request = with_header(get(), "signature-input", &format!("other{input}"));
        request = with_header(request, "signature", &format!("other{signature}"));
        let kind = refusal(&request).expect("refused");
        assert!(
            matches!(
                kind,
                Kind::MalformedSignatureInput
                    | Kind::NotCovered
                    | Kind::MissingCreated
                    | Kind::MalformedSignature
            ),
            "{input}: {kind}"
        );
    }
}

/// What is malformed by RFC 9651 itself makes it unclear where a member ends.
#[test]
fn other_errors_of_syntax_spoil_the_field() {
    let ours = signed(get());
    for (input, signature, kind) in [
        ("=(", "=:YQ==:", Kind::MalformedSignatureInput),
        (
            "=(\"x-a\"\"x-b\")",
            "=:YQ==:",
            Kind::MalformedSignatureInput,
        ),
        (
            "=();by=%\"f%C3%bc\"",
            "=:YQ==:",
            Kind::MalformedSignatureInput,
        ),
        ("=();by=%\"%c3\"", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=();by=%\"%c\"", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=();by=%f", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=();at=@1.5", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=();at=@", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=() x", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=();B", "=:YQ==:", Kind::MalformedSignatureInput),
        ("=()", "=:YQ", Kind::MalformedSignature),
        ("=()", "=:Y-Q=:", Kind::MalformedSignature),
        ("=()", "=", Kind::MalformedSignature),
        ("=()", "=:YQ==: x", Kind::MalformedSignature),
    ] {
        for request in with_stranger(&ours, input, signature) {
            assert_eq!(refusal(&request), Some(kind), "{input} {signature}");
        }
    }
    // Two members with one label: the one that counts is unclear.
    for name in ["signature-input", "signature"] {
        let value = ours.headers()[name].to_str().expect("ASCII").to_owned();
        let twice = with_header(
            ours.clone(),
            if name == "signature" {
                "signature"
            } else {
                "signature-input"
            },
            &value,
        );
        assert!(refusal(&twice).is_some(), "{name}");
    }
}

/// The operator reads about both: either may be the one that was meant for this host.
#[test]
fn the_reason_names_what_was_read_over() {
    let request = signed_with(get(), &sign_options().key_id("proxy").label("proxy"));
    let request = with_header(request, "signature-input", "sig1=(\"@method\");keyid=a");
    let request = with_header(request, "signature", "sig1=:YQ==:");
    let listed = options().key_ids([("site-a", "secret-a")]);
    assert_eq!(refusal_with(&request, &listed), Kind::UnknownKeyId);
    let error = validate_auth(&request, &secrets(), &listed).expect_err("refused");
    let text = error.to_string();
    assert!(
        text.contains("proxy") && text.contains("`sig1` is malformed"),
        "{text}"
    );
}

/// A Date and a Display String in a signature of our own are signed as RFC 9651 writes them.
#[test]
fn their_types_are_reproduced_canonically() {
    for (received, canonical) in [
        (";at=@1659578233", ";at=@1659578233"),
        (";at=@-0", ";at=@0"),
        (";at=@007", ";at=@7"),
        (";at=@-62135596800", ";at=@-62135596800"),
        (";by=%\"\"", ";by=%\"\""),
        (";by=%\"f%c3%bc %22%25 \\\"", ";by=%\"f%c3%bc %22%25 \\\""),
        (";by=%\"%41%7e%7f%0a\"", ";by=%\"A~%7f%0a\""),
        ("; by=%\"%20\"; at=@1", ";by=%\" \";at=@1"),
    ] {
        let input = |parameters: &str| {
            format!(
                "(\"@method\" \"@authority\" \"@path\" \"@query\");created=1700000000{parameters}"
            )
        };
        let base = base_of(&get(), &input(received));
        let last = base.as_str().lines().last().expect("a line");
        assert_eq!(
            last,
            format!("\"@signature-params\": {}", input(canonical)),
            "{received}"
        );
        assert_eq!(refusal(&signed_as(get(), &input(received))), None);
    }
}

/// To sign beside a stranger is possible too, and what the stranger wrote stays as it is.
#[test]
fn signing_keeps_them() {
    for (input, signature) in strangers() {
        let request = with_header(get(), "signature-input", &format!("other{input}"));
        let request = with_header(request, "signature", &format!("other{signature}"));
        let request = signed(request);
        assert_eq!(refusal(&request), None, "{input}");
        for (name, text) in [(SIGNATURE_INPUT, &input), (SIGNATURE, &signature)] {
            let mut lines = request.headers().get_all(name).iter();
            assert!(lines.any(|line| line == format!("other{text}").as_str()));
        }
    }
    // A label is taken by whatever stands there.
    let mut taken = get();
    for (name, value) in [("signature-input", "sig1=1"), ("signature", "sig1=?1")] {
        taken = with_header(taken, name, value);
    }
    let error = sign_request(&mut taken, &secrets(), &SignOptions::new().key_id("site-a"))
        .expect_err("taken");
    assert!(matches!(error, SignError::LabelTaken { .. }), "{error:?}");
}

/// A reader of the fields sees the others, and an error for each that cannot be read.
#[test]
fn the_iterator_goes_on_behind_them() {
    for (input, signature) in strangers() {
        let [request, ..] = with_stranger(&signed(get()), &input, &signature);
        let inputs: Vec<_> = SignatureInputs::new(request.headers()).collect();
        assert_eq!(inputs.len(), 2, "{input}");
        let ours = inputs[1].as_ref().expect("ours");
        assert_eq!(ours.label(), "sig1");
    }
}
