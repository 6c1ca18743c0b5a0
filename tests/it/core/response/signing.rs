//! Responses that cannot be signed: the error says why, and the response stays as it was.

use std::error::Error;

use hmac_auth::{
    SignOptions, SignResponseError, SignResponseOptions, sign_response, sign_response_parts,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
};
use http::{HeaderValue, Response, header};

use crate::support::{
    exchange::{TestResponse, check, created, proven, sent_with, sign_response_options},
    request::{NOW, get, sign_options, signed_as, time, validate, with_header},
};

fn error_of(response: TestResponse, options: &SignResponseOptions) -> SignResponseError {
    let (_, validated) = proven(get());
    let (before, mut response) = (response.clone(), response);
    let error = sign_response(&mut response, &validated, options).unwrap_err();
    assert_eq!(response.headers(), before.headers(), "{error}");
    assert!(format!("{error:#}").len() >= error.to_string().len());
    error
}

fn with(name: &'static str, value: &'static str) -> TestResponse {
    let mut response = created();
    let value = HeaderValue::from_static(value);
    response.headers_mut().insert(name, value);
    response
}

#[test]
fn a_request_without_a_nonce_gets_no_signed_response() {
    let input = "(\"@method\" \"@authority\" \"@path\" \"@query\");created=1700000000";
    let validated = validate(&signed_as(get(), input)).unwrap();
    let mut response = created();
    let error = sign_response(&mut response, &validated, &sign_response_options()).unwrap_err();
    assert!(matches!(error, SignResponseError::NoNonce), "{error}");
    assert!(!response.headers().contains_key(SIGNATURE));
    assert!(!response.headers().contains_key(CONTENT_DIGEST));
}

#[test]
fn a_wrong_digest_of_the_handler_is_an_error() {
    let wrong = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let error = error_of(with("content-digest", wrong), &sign_response_options());
    assert!(matches!(error, SignResponseError::WrongDigest), "{error}");
    for unusable in ["md5=:AAAA:", "sha-256=:AAAA:", "sha-256"] {
        let error = error_of(with("content-digest", unusable), &sign_response_options());
        assert!(
            matches!(error, SignResponseError::UnusableDigest),
            "{error}"
        );
    }
}

#[test]
fn a_value_that_is_not_ascii_is_an_error() {
    let mut response = created();
    let value = HeaderValue::from_bytes("/größe".as_bytes()).unwrap();
    response.headers_mut().insert(header::LOCATION, value);
    let error = error_of(response, &sign_response_options());
    assert!(matches!(error, SignResponseError::Component(_)), "{error}");
    assert!(error.source().unwrap().to_string().contains("location"));
}

#[test]
fn a_response_is_signed_once() {
    let (_, validated) = proven(get());
    let mut response = created();
    sign_response(&mut response, &validated, &sign_response_options()).unwrap();
    let error = error_of(response, &sign_response_options());
    let SignResponseError::LabelTaken { label } = &error else {
        panic!("{error}")
    };
    assert_eq!(label, "sig1");
    for (name, value) in [
        ("signature", "sig1=:AAAA:"),
        ("signature-input", "sig1=1"),
        ("signature-input", "sig1=()"),
    ] {
        let error = error_of(with(name, value), &sign_response_options());
        assert!(
            matches!(error, SignResponseError::LabelTaken { .. }),
            "{error}"
        );
    }
}

#[test]
fn signature_fields_that_cannot_be_read_are_an_error() {
    for name in ["signature", "signature-input"] {
        let error = error_of(with(name, "\"no member\""), &sign_response_options());
        let is_malformed = matches!(error, SignResponseError::MalformedSignature(_));
        assert!(is_malformed, "{error}");
    }
}

#[test]
fn options_that_cannot_be_written_are_an_error() {
    let error = error_of(created(), &sign_response_options().label("Sig\n1"));
    let SignResponseError::InvalidLabel { label } = &error else {
        panic!("{error}")
    };
    assert_eq!(label, "Sig\\n1");
    for name in [SIGNATURE, SIGNATURE_INPUT] {
        let error = error_of(created(), &sign_response_options().cover(name));
        assert!(
            matches!(error, SignResponseError::NotCoverable { .. }),
            "{error}"
        );
    }
    let late = SignResponseOptions::new().at(time(1_000_000_000_000_000));
    let error = error_of(created(), &late);
    assert!(
        matches!(error, SignResponseError::TimeOutOfRange),
        "{error}"
    );
}

/// Both sides count alike: 32 components can be signed, and no more.
#[test]
fn more_components_than_a_consumer_reads_are_an_error() {
    // The status, three fields of an answer with a body, and `others` of the request.
    let sign = |others: usize| {
        let mut request = get();
        let mut options = sign_options();
        for index in 0..others - 4 {
            let name = format!("x-{index}");
            options = options.cover(&name);
            request = with_header(request, Box::leak(name.into_boxed_str()), "v");
        }
        let (sent, request) = sent_with(request, &options);
        let mut response = Response::builder()
            .header("content-type", "a/b")
            .header("location", "/")
            .body(b"body".to_vec())
            .unwrap();
        let validated = validate(&request).unwrap();
        sign_response(&mut response, &validated, &sign_response_options())
            .map(|()| check(&response, &sent).unwrap())
    };
    assert!(sign(28).is_ok());
    let error = sign(29).unwrap_err();
    let is_count = matches!(error, SignResponseError::TooManyComponents { count: 33 });
    assert!(is_count, "{error}");
}

#[test]
fn parts_are_signed_like_a_whole_response() {
    let (sent, validated) = proven(get());
    let (mut parts, body) = created().into_parts();
    sign_response_parts(&mut parts, &body, &validated, &sign_response_options()).unwrap();
    hmac_auth::validate_response_parts(
        &parts,
        &body,
        &sent,
        &hmac_auth::ValidateResponseOptions::new().at(time(NOW)),
    )
    .unwrap();
    let response = Response::from_parts(parts, body);
    check(&response, &sent).unwrap();
}

#[test]
fn the_result_of_signing_a_request_may_be_dropped() {
    let mut request = get();
    hmac_auth::sign_request(
        &mut request,
        &crate::support::request::secrets(),
        &SignOptions::new().at(time(NOW)),
    )
    .unwrap();
    validate(&request).unwrap();
}
