//! Requests with one thing changed, and tables of requests that a host must refuse.

use hmac_auth::{AuthErrorKind as Kind, DigestAlgorithm, ValidateOptions};
use http::{HeaderValue, Method};

use crate::support::request::{
    INPUT, TestRequest, get, post, refusal_with, sign_options, signed_as, signed_with, validate,
};

/// The components that every signature of a request with a body must have, and the time.
pub(crate) const BODY_INPUT: &str =
    r#"("@method" "@authority" "@path" "content-digest" "content-type");created=1700000000"#;

pub(crate) fn with_uri(mut request: TestRequest, uri: &str) -> TestRequest {
    *request.uri_mut() = uri.parse().expect("a valid URI");
    request
}

pub(crate) fn with_method(mut request: TestRequest, method: &Method) -> TestRequest {
    *request.method_mut() = method.clone();
    request
}

pub(crate) fn with_body(mut request: TestRequest, body: &[u8]) -> TestRequest {
    *request.body_mut() = body.to_vec();
    request
}

pub(crate) fn set(mut request: TestRequest, name: &'static str, value: &str) -> TestRequest {
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).expect("a valid value"));
    request
}

pub(crate) fn without(mut request: TestRequest, name: &str) -> TestRequest {
    request.headers_mut().remove(name);
    request
}

pub(crate) fn edited(
    request: &TestRequest,
    name: &'static str,
    edit: impl Fn(&str) -> String,
) -> TestRequest {
    let value = request.headers()[name].to_str().expect("ASCII");
    let new = edit(value);
    assert_ne!(new, value, "the edit has no effect");
    set(request.clone(), name, &new)
}

/// The `Content-Digest` that the crate gives this body.
pub(crate) fn digest_of(body: &[u8], algorithm: DigestAlgorithm) -> String {
    let request = signed_with(with_body(post(), body), &sign_options().digest(algorithm));
    request.headers()["content-digest"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// One row of the table of row 29: what is wrong, a request with that alone, and how it is refused.
pub(crate) type Row = (&'static str, TestRequest, ValidateOptions, Kind);

pub(crate) fn assert_rows(rows: Vec<Row>) {
    // What every row would be without its one mistake.
    validate(&signed_as(get(), INPUT)).unwrap();
    for (what, request, options, kind) in rows {
        assert_eq!(refusal_with(&request, &options), kind, "{what}");
    }
}
