//! The secret, the time and the requests that most tests share, signed in every way a test needs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthError, AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions,
    ValidateOptions, Validated, sign_request,
    signature::{RequestHead, SIGNATURE, SIGNATURE_INPUT, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderMap, HeaderValue, Request};

pub(crate) type TestRequest = Request<Vec<u8>>;

/// When all tests happen: 2023-11-14T22:13:20Z.
pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) const SECRET: &str = "a secret that only the tests know";

/// A `Signature-Input` member that every host accepts for [`get`].
pub(crate) const INPUT: &str = r#"("@method" "@authority" "@path" "@query");created=1700000000"#;

pub(crate) fn time(unix_seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(unix_seconds.unsigned_abs());
    if unix_seconds < 0 {
        UNIX_EPOCH - distance
    } else {
        UNIX_EPOCH + distance
    }
}

pub(crate) fn secret() -> Secret {
    Secret::from_text(SECRET).expect("long enough")
}

/// A store with [`secret`] under the default name.
pub(crate) fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret());
    secrets
}

pub(crate) fn sign_options() -> SignOptions {
    SignOptions::new().at(time(NOW))
}

pub(crate) fn options() -> ValidateOptions {
    ValidateOptions::new()
        .authorities(["host.example"])
        .at(time(NOW))
}

pub(crate) fn get() -> TestRequest {
    Request::get("https://host.example/orders?page=2")
        .body(Vec::new())
        .expect("a valid request")
}

pub(crate) fn post() -> TestRequest {
    Request::post("https://host.example/orders")
        .header("content-type", "application/json")
        .body(br#"{"month":11,"site":"a"}"#.to_vec())
        .expect("a valid request")
}

pub(crate) fn with_header(
    mut request: TestRequest,
    name: &'static str,
    value: &str,
) -> TestRequest {
    request
        .headers_mut()
        .append(name, HeaderValue::from_str(value).expect("a valid value"));
    request
}

pub(crate) fn signed(request: TestRequest) -> TestRequest {
    signed_with(request, &sign_options())
}

pub(crate) fn signed_with(mut request: TestRequest, options: &SignOptions) -> TestRequest {
    sign_request(&mut request, &secrets(), options).expect("signing works");
    request
}

/// Signs with [`secret`] whatever `input`, the value of a `Signature-Input` member, says.
pub(crate) fn signed_as(request: TestRequest, input: &str) -> TestRequest {
    signed_by(&secret(), request, input)
}

pub(crate) fn signed_by(secret: &Secret, request: TestRequest, input: &str) -> TestRequest {
    let mac = secret.mac(base_of(&request, input).as_bytes()).into_bytes();
    with_signature(request, "sig1", input, &mac)
}

/// Adds a signature as it is given.
pub(crate) fn with_signature(
    mut request: TestRequest,
    label: &str,
    input: &str,
    mac: &[u8],
) -> TestRequest {
    let value = |text: String| HeaderValue::try_from(text).expect("a valid value");
    let headers = request.headers_mut();
    headers.append(SIGNATURE_INPUT, value(format!("{label}={input}")));
    headers.append(
        SIGNATURE,
        value(format!("{label}=:{}:", STANDARD.encode(mac))),
    );
    request
}

/// The signature base of `request` under `input`.
pub(crate) fn base_of(request: &TestRequest, input: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(
        SIGNATURE_INPUT,
        HeaderValue::try_from(format!("sig1={input}")).expect("a valid value"),
    );
    let input = SignatureInputs::new(&headers)
        .next()
        .expect("one member")
        .expect("a well-formed member");
    SignatureBase::of_request(&RequestHead::from(request), &input)
        .expect("all components are there")
        .as_str()
        .to_owned()
}

pub(crate) fn validate(request: &TestRequest) -> Result<Validated, AuthError> {
    validate_auth(request, &secrets(), &options())
}

/// Why the request is refused by the host of [`options`].
pub(crate) fn refusal(request: &TestRequest) -> AuthErrorKind {
    refusal_with(request, &options())
}

pub(crate) fn refusal_with(request: &TestRequest, options: &ValidateOptions) -> AuthErrorKind {
    match validate_auth(request, &secrets(), options) {
        Ok(validated) => panic!("accepted: {validated:?}"),
        Err(error) => error.kind(),
    }
}
