//! Errors of signing: each is reached, and the request stays as it was.

use std::{error::Error as StdError, time::Duration};

use hmac_auth::{
    MemorySecrets, SecretError, SecretStore, SignError, SignOptions, sign_parts, sign_request,
};
use http::{HeaderName, HeaderValue};

use crate::support::{
    refusals::{assert_readable, with_uri},
    request::{TestRequest, get, post, secrets, sign_options, signed, signed_with, with_header},
};

/// Signs `request` as `options` say, from `secrets`, and gives the error; the request must be as it
/// was.
#[track_caller]
fn signing_fails(
    mut request: TestRequest,
    secrets: &dyn SecretStore,
    options: &SignOptions,
) -> SignError {
    let before = request.clone();
    let error = sign_request(&mut request, secrets, options).expect_err("signing fails");
    assert_same(&request, &before);
    let (mut parts, body) = request.into_parts();
    let same_error = sign_parts(&mut parts, &body, secrets, options).expect_err("signing fails");
    assert_eq!(
        same_error.to_string(),
        error.to_string(),
        "the two ways to sign differ"
    );
    assert_same(&TestRequest::from_parts(parts, body), &before);
    assert_readable(&error);
    error
}

#[track_caller]
fn assert_same(request: &TestRequest, before: &TestRequest) {
    assert_eq!(
        request.headers(),
        before.headers(),
        "the headers were changed"
    );
    assert_eq!(
        (request.method(), request.uri(), request.version()),
        (before.method(), before.uri(), before.version())
    );
    assert_eq!(request.body(), before.body());
}

/// Each variant of `SignError` by name. Only `Random` cannot be caused: it needs an operating
/// system without random bytes.
#[test]
fn every_sign_error_is_reached_and_leaves_the_request_as_it_was() {
    let header = |request, name, value| with_header(request, name, value);
    let fails = |request, options: &SignOptions| signing_fails(request, &secrets(), options);
    let plain = sign_options();
    let field = HeaderName::from_static;

    let error = signing_fails(post(), &MemorySecrets::new(), &plain);
    assert!(
        matches!(error, SignError::Secret(SecretError::NotFound { .. })),
        "{error:?}"
    );

    let error = fails(with_uri(post(), "/orders"), &plain);
    assert!(
        matches!(error, SignError::Component(_)) && error.source().is_some(),
        "{error:?}"
    );

    for name in ["signature", "signature-input"] {
        let error = fails(post(), &plain.clone().cover(field(name)));
        assert!(
            matches!(&error, SignError::NotCoverable { name: named } if named == name),
            "{error:?}"
        );
    }

    let fields: Vec<HeaderName> = (0..27)
        .map(|index| HeaderName::try_from(format!("x-{index}")).unwrap())
        .collect();
    let with_all = fields.iter().fold(post(), |mut request, name| {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("1"));
        request
    });
    let cover_all = fields
        .iter()
        .fold(plain.clone(), |options, name| options.cover(name.clone()));
    let error = fails(with_all, &cover_all);
    assert!(
        matches!(error, SignError::TooManyComponents { count: 33 }),
        "{error:?}"
    );

    let digest = signed(get_with_digest()).headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned();
    let error = fails(header(post(), "content-digest", &digest), &plain);
    assert!(matches!(error, SignError::WrongDigest), "{error:?}");

    for digest in [
        "nonsense",
        "md5=:6TEzv9FRhYoxTUVfr2i/nA==:",
        "sha-256=:AAAA:",
        "sha-256=::, sha-256=::",
    ] {
        let error = fails(header(post(), "content-digest", digest), &plain);
        assert!(matches!(error, SignError::UnusableDigest), "{error:?}");
    }

    let error = fails(signed(post()), &plain);
    assert!(
        matches!(&error, SignError::LabelTaken { label } if label == "sig1"),
        "{error:?}"
    );
    // In one field only it is taken all the same.
    for (name, value) in [("signature-input", "sig1=()"), ("signature", "sig1=::")] {
        let error = fails(header(post(), name, value), &plain);
        assert!(
            matches!(&error, SignError::LabelTaken { label } if label == "sig1"),
            "{error:?}"
        );
    }

    for (name, value) in [
        ("signature-input", "other=("),
        ("signature", "other=\"nonsense"),
        ("signature", ""),
    ] {
        let error = fails(header(post(), name, value), &plain);
        assert!(
            matches!(error, SignError::MalformedSignature(_)) && error.source().is_some(),
            "{error:?}"
        );
    }

    let error = fails(post(), &plain.clone().key_id("k".repeat(8 * 1024)));
    assert!(matches!(error, SignError::TooLarge), "{error:?}");

    let error = fails(post(), &plain.clone().expires_in(Duration::MAX));
    assert!(matches!(error, SignError::TimeOutOfRange), "{error:?}");

    let error = fails(crowded(), &plain);
    assert!(matches!(error, SignError::TooManyFields), "{error:?}");
}

/// An empty body with a digest.
fn get_with_digest() -> TestRequest {
    signed_with(
        get(),
        &sign_options()
            .cover(HeaderName::from_static("content-digest"))
            .label("other"),
    )
}

/// A request with as many fields as `http` can hold, or almost.
fn crowded() -> TestRequest {
    let mut request = post();
    let headers = request.headers_mut();
    for index in 0_u32.. {
        let name = HeaderName::try_from(format!("x-{index}")).unwrap();
        // Room for one more, but not for three.
        if headers.try_reserve(2).is_err()
            || headers
                .try_insert(name, HeaderValue::from_static(""))
                .is_err()
        {
            break;
        }
    }
    request
}

#[test]
fn parameters_that_cannot_be_written_are_named_and_escaped() {
    let plain = sign_options();
    for value in [
        "line\nbreak",
        "\u{1b}[31mred",
        "ümlaut",
        "tab\t",
        "nul\0",
        "\u{7f}",
        "\u{202e}",
    ] {
        for (parameter, options) in [
            ("key_id", plain.clone().key_id(value)),
            ("tag", plain.clone().tag(value)),
            ("label", plain.clone().label(value)),
        ] {
            let error = signing_fails(post(), &secrets(), &options);
            let SignError::InvalidParameter {
                parameter: named,
                value: shown,
                ..
            } = &error
            else {
                panic!("{error:?}")
            };
            assert_eq!(*named, parameter);
            assert!(
                shown.is_ascii() && !shown.contains(char::is_control),
                "{shown:?}"
            );
            assert!(error.to_string().starts_with(parameter));
        }
    }
    for label in [
        "", "Sig1", "1sig", "_sig", "sig 1", "sig=1", "sig,1", "sig;1", "sig\"1",
    ] {
        let error = signing_fails(post(), &secrets(), &plain.clone().label(label));
        assert!(
            matches!(
                error,
                SignError::InvalidParameter {
                    parameter: "label",
                    ..
                }
            ),
            "{label:?}: {error:?}"
        );
    }
    let long = "ü".repeat(5_000);
    let error = signing_fails(post(), &secrets(), &plain.tag(long));
    assert!(error.to_string().contains('…'));
}

/// Each reason for which a component cannot be signed.
#[test]
fn components_that_cannot_be_signed_are_named() {
    let site = HeaderName::from_static("x-site");
    let cover = sign_options().cover(site.clone());
    let with_site = |value: &[u8]| {
        let mut request = post();
        request
            .headers_mut()
            .insert(&site, HeaderValue::from_bytes(value).unwrap());
        request
    };
    let hosts = with_header(
        with_header(with_uri(post(), "/"), "host", "host.example"),
        "host",
        "host.example",
    );
    for (request, options, reason) in [
        (
            post(),
            &cover,
            "\"x-site\" is covered but not in the message",
        ),
        (
            with_site(b"gr\xc3\xb6\xc3\x9fer"),
            &cover,
            "the value of \"x-site\" is not ASCII",
        ),
        (
            with_site(&[b'x'; 8 * 1024 + 1]),
            &cover,
            "\"x-site\", the signature base gets too large",
        ),
        (with_uri(post(), "/orders"), &sign_options(), "no authority"),
        (hosts, &sign_options(), "conflicting authorities"),
        (
            with_header(post(), "host", "other.example"),
            &sign_options(),
            "conflicting authorities",
        ),
        (
            with_uri(post(), "https://user@host.example/"),
            &sign_options(),
            "invalid authority",
        ),
        (
            with_uri(post(), "https://host.example/gr\u{f6}\u{df}er"),
            &sign_options(),
            "\"@path\" is not ASCII",
        ),
        (
            with_uri(post(), "https://host.example/?gr\u{f6}\u{df}er"),
            &sign_options(),
            "\"@query\" is not ASCII",
        ),
    ] {
        let error = signing_fails(request, &secrets(), options);
        let SignError::Component(source) = &error else {
            panic!("{error:?}")
        };
        assert!(source.to_string().contains(reason), "{source}");
    }
}
