//! Requests without a body.

use hmac_auth::{SignError, sign_empty, sign_request, validate_auth};
use http::Request;

use crate::support::request::{get, options, secrets, sign_options};

/// The fields without what differs between any two signatures.
fn shape(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let mut shape: Vec<_> = headers
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            let value = value.split(";nonce=").next().unwrap_or_default();
            (name.to_string(), value.to_owned())
        })
        .collect();
    shape.sort();
    shape
}

#[test]
fn a_request_without_a_body_is_signed_as_one_with_an_empty_body() {
    let mut empty: Request<()> = get().map(drop);
    sign_empty(&mut empty, &secrets(), &sign_options()).unwrap();
    let mut with_body = get();
    sign_request(&mut with_body, &secrets(), &sign_options()).unwrap();
    assert_eq!(shape(empty.headers()), shape(with_body.headers()));
    assert!(!empty.headers().contains_key("content-digest"));
    validate_auth(&empty.map(|()| Vec::new()), &secrets(), &options()).unwrap();
}

#[test]
fn a_request_that_cannot_be_signed_is_unchanged() {
    let mut request = Request::get("/orders").body(()).unwrap();
    let error = sign_empty(&mut request, &secrets(), &sign_options()).unwrap_err();
    assert!(matches!(error, SignError::Component(_)), "{error:?}");
    assert!(request.headers().is_empty());
}
