//! A signed request, the proof of the host, and the host's signed response.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    ResponseError, ResponseErrorKind, Secret, SentRequest, SignOptions, SignResponseOptions,
    ValidateResponseOptions, Validated, ValidatedResponse, sign_request, sign_response,
    signature::{
        RequestHead, ResponseHead, SIGNATURE, SIGNATURE_INPUT, SignatureBase, SignatureInputs,
    },
    validate_response,
};
use http::{HeaderMap, HeaderValue, Response};

use super::request::{NOW, TestRequest, secret, secrets, sign_options, time, validate};

pub(crate) type TestResponse = Response<Vec<u8>>;

pub(crate) fn sign_response_options() -> SignResponseOptions {
    SignResponseOptions::new().at(time(NOW))
}

pub(crate) fn response_options() -> ValidateResponseOptions {
    ValidateResponseOptions::new().at(time(NOW))
}

/// A response with all that a signature covers.
pub(crate) fn created() -> TestResponse {
    Response::builder()
        .status(201)
        .header("content-type", "application/json")
        .header("content-encoding", "identity")
        .header("location", "/orders/7")
        .header("server", "a host")
        .body(br#"{"id":7}"#.to_vec())
        .expect("a valid response")
}

/// Signs a request. Returns what the consumer keeps, and the request as the host gets it.
pub(crate) fn sent_with(
    mut request: TestRequest,
    options: &SignOptions,
) -> (SentRequest, TestRequest) {
    let sent = sign_request(&mut request, &secrets(), options).expect("signing works");
    (sent, request)
}

pub(crate) fn sent(request: TestRequest) -> (SentRequest, TestRequest) {
    sent_with(request, &sign_options())
}

/// What the consumer keeps of a request, and the host's proof of it.
pub(crate) fn proven(request: TestRequest) -> (SentRequest, Validated) {
    let (sent, request) = sent(request);
    (sent, validate(&request).expect("a valid request"))
}

pub(crate) fn answer(mut response: TestResponse, request: &Validated) -> TestResponse {
    sign_response(&mut response, request, &sign_response_options()).expect("signing works");
    response
}

pub(crate) fn check(
    response: &TestResponse,
    request: &SentRequest,
) -> Result<ValidatedResponse, ResponseError> {
    validate_response(response, request, &response_options())
}

/// Why the response is refused.
pub(crate) fn refusal(response: &TestResponse, request: &SentRequest) -> ResponseErrorKind {
    match check(response, request) {
        Ok(validated) => panic!("accepted: {validated:?}"),
        Err(error) => error.kind(),
    }
}

/// The signature base of a response under `input`, by the head of the request itself.
pub(crate) fn base_of(response: &TestResponse, request: &TestRequest, input: &str) -> String {
    let mut headers = HeaderMap::new();
    let line = HeaderValue::try_from(format!("sig1={input}")).expect("a valid value");
    headers.insert(SIGNATURE_INPUT, line);
    let mut inputs = SignatureInputs::new(&headers);
    let input = inputs.next().expect("one member").expect("well-formed");
    let head = ResponseHead::from(response).request(RequestHead::from(request));
    let base = SignatureBase::of_response(&head, &input).expect("all components are there");
    base.as_str().to_owned()
}

/// Signs a response with whatever `input`, the value of a `Signature-Input` member, says.
pub(crate) fn signed_as(
    response: TestResponse,
    request: &TestRequest,
    input: &str,
) -> TestResponse {
    signed_by(&secret(), response, request, input)
}

pub(crate) fn signed_by(
    secret: &Secret,
    mut response: TestResponse,
    request: &TestRequest,
    input: &str,
) -> TestResponse {
    let base = base_of(&response, request, input);
    let mac = secret.mac(base.as_bytes()).into_bytes();
    let value = |text: String| HeaderValue::try_from(text).expect("a valid value");
    let headers = response.headers_mut();
    headers.append(SIGNATURE_INPUT, value(format!("sig1={input}")));
    let signature = format!("sig1=:{}:", STANDARD.encode(mac));
    headers.append(SIGNATURE, value(signature));
    response
}

/// The value of the only `Signature-Input` member.
pub(crate) fn input_of(response: &TestResponse) -> String {
    let line = response.headers()[SIGNATURE_INPUT].to_str().expect("ASCII");
    let (_, value) = line.split_once('=').expect("a member");
    value.to_owned()
}

/// The MAC of the only signature.
pub(crate) fn mac_of(response: &TestResponse) -> Vec<u8> {
    let line = response.headers()[SIGNATURE].to_str().expect("ASCII");
    let (_, value) = line.split_once('=').expect("a member");
    STANDARD.decode(value.trim_matches(':')).expect("base64")
}
