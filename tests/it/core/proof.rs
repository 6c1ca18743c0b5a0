//! The proof: only a verification gives one, for every method and on every path.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind, AuthErrorKind as Kind, Claim, DEFAULT_SECRET_NAME, MemorySecrets, ReplayId,
    Secret, SecretSet, SignOptions, Validated, VerifiedHead, validate_auth,
};
use http::Method;

use crate::support::{
    edit::{edited, with_body, with_method, with_uri, without},
    implements::implements,
    request::{
        NOW, SECRET, TestRequest, get, options, post, refusal, secret, signed, signed_as,
        signed_with, time, validate, with_header,
    },
};

/// A parser took the secret and never used it.
#[test]
pub(crate) fn pitfall_11_a_proof_only_comes_out_of_a_verification() {
    for (question, answer) in [
        implements!(Validated: Default),
        implements!(VerifiedHead: Default),
        implements!(VerifiedHead: Clone),
        implements!(ReplayId: Default),
        implements!(Validated: for<'a> From<Claim<'a>>),
        implements!(Validated: From<ReplayId>),
        implements!(Validated: From<VerifiedHead>),
        implements!(Validated: From<String>),
    ] {
        assert!(!answer, "{question}");
    }
    // Both ways to a proof look at the secret that they are given.
    let request = signed(post());
    let options = options();
    let others = [
        "another secret of good length",
        &SECRET.to_uppercase(),
        &format!("{SECRET} "),
        &SECRET[1..],
    ];
    for other in others.map(|text| Secret::from_text(text).unwrap()) {
        let store = MemorySecrets::new();
        store.insert(DEFAULT_SECRET_NAME, other.clone());
        assert_eq!(
            validate_auth(&request, &store, &options)
                .unwrap_err()
                .kind(),
            Kind::WrongMac
        );
        let claim = Claim::parse(&request, &options).unwrap();
        let full =
            SecretSet::with_previous(other.clone(), [other.clone(), other.clone(), other]).unwrap();
        assert_eq!(claim.verify_head(&full).unwrap_err().kind(), Kind::WrongMac);
    }
    // And both look at the body.
    let mut head = Claim::parse(&request, &options)
        .unwrap()
        .verify_head(&SecretSet::new(secret()))
        .unwrap();
    assert_eq!(head.finish().unwrap_err().kind(), Kind::WrongDigest);
    head = Claim::parse(&request, &options)
        .unwrap()
        .verify_head(&SecretSet::new(secret()))
        .unwrap();
    head.update(request.body());
    head.finish().unwrap();
}

/// One kind of request took another path, which skipped the check; one fact was taken from two
/// sources.
#[test]
pub(crate) fn pitfall_17_every_request_takes_the_one_path() {
    // No other form of authentication is an entrance.
    let bare = |name, value: &str| with_header(get(), name, value);
    for request in [
        get(),
        post(),
        bare(
            "authorization",
            "Signature keyId=\"site-a\",signature=\"AAAA\"",
        ),
        bare("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),
        bare(
            "authorization",
            &format!("Basic {}", STANDARD.encode(SECRET)),
        ),
        bare("x-signature", "AAAA"),
        bare("content-encoding", "aws-chunked"),
        bare("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        bare("x-http-method-override", "OPTIONS"),
        bare("upgrade", "websocket"),
        with_uri(
            get(),
            "https://host.example/?signature=x&Signature-Input=x&X-Amz-Signature=x",
        ),
        with_uri(get(), "https://host.example/health"),
        with_uri(get(), "https://host.example/.well-known/x"),
        with_uri(get(), "https://localhost/orders"),
        with_uri(get(), "/orders"),
        with_method(get(), &Method::OPTIONS),
    ] {
        assert_eq!(refusal(&request), Kind::MissingSignature, "{request:?}");
    }

    // The way in phases gives the same answers as the one in one step.
    let good = signed(post());
    let cases = [
        good.clone(),
        with_body(good.clone(), b"other"),
        with_body(good.clone(), b""),
        without(good.clone(), "content-digest"),
        without(good.clone(), "signature"),
        with_uri(good.clone(), "https://host.example/other"),
        with_header(good.clone(), "host", "other.example"),
        edited(&good, "signature", |signature| {
            signature.replace("sig1", "sig2")
        }),
        signed_as(
            post(),
            r#"("@method" "@authority" "@path");created=1700000000"#,
        ),
        signed_as(get(), "();created=1700000000"),
        signed_with(post(), &SignOptions::new().at(time(NOW - 61))),
    ];
    let mut kinds = BTreeSet::new();
    for request in cases {
        let one_step = validate(&request).err().map(|error| error.kind());
        assert_eq!(in_phases(&request), one_step, "{request:?}");
        kinds.extend(one_step.map(AuthErrorKind::as_str));
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");

    // Each fact has one source; where there are two, they must agree.
    let conflict = with_header(signed(get()), "host", "other.example");
    assert_eq!(refusal(&conflict), Kind::ConflictingAuthority);
    let same = with_header(signed(get()), "host", "host.example");
    validate(&same).unwrap();
    let forwarded = with_header(
        with_header(signed(get()), "x-forwarded-host", "other.example"),
        "forwarded",
        "host=other.example",
    );
    assert_eq!(
        validate(&forwarded).unwrap().secret_name(),
        DEFAULT_SECRET_NAME
    );
    let other = with_uri(
        with_header(signed(get()), "x-forwarded-host", "host.example"),
        "https://other.example/orders?page=2",
    );
    assert_eq!(refusal(&other), Kind::UnlistedAuthority);
}

fn in_phases(request: &TestRequest) -> Option<Kind> {
    let options = options();
    let claim = match Claim::parse(request, &options) {
        Ok(claim) => claim,
        Err(error) => return Some(error.kind()),
    };
    let mut head = match claim.verify_head(&SecretSet::new(secret())) {
        Ok(head) => head,
        Err(error) => return Some(error.kind()),
    };
    request
        .body()
        .iter()
        .for_each(|byte| head.update(std::slice::from_ref(byte)));
    head.finish().err().map(|error| error.kind())
}

/// `HEAD` was let through.
#[test]
pub(crate) fn pitfall_18_every_method_is_checked_alike() {
    let names = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "QUERY",
        "PROPFIND", "head", "x",
    ];
    let methods = names.map(|name| Method::from_bytes(name.as_bytes()).unwrap());
    for method in &methods {
        for request in [with_method(get(), method), with_method(post(), method)] {
            assert_eq!(refusal(&request), Kind::MissingSignature, "{method}");
            let good = signed(request.clone());
            validate(&good).unwrap();
            let changed = with_body(good.clone(), b"other");
            assert!(
                matches!(refusal(&changed), Kind::WrongDigest | Kind::BodyNotCovered),
                "{method}"
            );
            assert_eq!(
                refusal(&with_uri(good.clone(), "https://host.example/other?page=2")),
                Kind::WrongMac,
                "{method}"
            );
            let uncovered = signed_as(
                request,
                r#"("@authority" "@path" "@query");created=1700000000"#,
            );
            assert_eq!(refusal(&uncovered), Kind::NotCovered, "{method}");
            for other in methods.iter().filter(|other| *other != method) {
                assert_eq!(
                    refusal(&with_method(good.clone(), other)),
                    Kind::WrongMac,
                    "{method} as {other}"
                );
            }
        }
    }
}
