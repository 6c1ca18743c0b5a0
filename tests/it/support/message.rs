//! Requests as Node sees them, and changes of them.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    ValidateOptions,
    signature::{RequestHead, SIGNATURE, SIGNATURE_INPUT, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header::COOKIE};
use serde_json::{Value, json};

use crate::support::{
    random::Random,
    request::{NOW, TestRequest, secret, secrets, time, with_signature},
};

pub(crate) const INVALID: &str = r#"{"error":"Invalid authentication token"}"#;

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Signed with the secret if it can be, otherwise with some MAC.
pub(crate) fn signed_as_is(request: TestRequest, input: &str) -> TestRequest {
    let Ok(value) = HeaderValue::try_from(format!("sig1={input}")) else {
        return request;
    };
    let headers = HeaderMap::from_iter([(SIGNATURE_INPUT, value)]);
    let base = SignatureInputs::new(&headers)
        .next()
        .and_then(Result::ok)
        .and_then(|parsed| SignatureBase::of_request(&RequestHead::from(&request), &parsed).ok());
    let mac = base.map_or([7; 32], |base| {
        secret().mac(base.as_str().as_bytes()).into_bytes()
    });
    with_signature(request, "sig1", input, &mac)
}

/// What the crate says, as a host without a list of authorities.
pub(crate) fn verdict(request: &TestRequest) -> String {
    match validate_auth(request, &secrets(), &ValidateOptions::new().at(time(NOW))) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.kind().as_str().to_owned(),
    }
}

/// What an HTTP function gets for this request. Field lines are trimmed and joined, as Node does
/// it: those of `Cookie` by another rule.
pub(crate) fn request_json(request: &TestRequest) -> Value {
    let mut headers = serde_json::Map::new();
    for name in request.headers().keys() {
        let lines: Vec<_> = request
            .headers()
            .get_all(name)
            .iter()
            .map(|line| {
                line.as_bytes()
                    .trim_ascii()
                    .iter()
                    .copied()
                    .map(char::from)
                    .collect::<String>()
            })
            .collect();
        let separator = if *name == COOKIE { "; " } else { ", " };
        headers.insert(name.to_string(), json!(lines.join(separator)));
    }
    json!({ "method": request.method().as_str(), "url": request.uri().to_string(), "headers": headers, "body": STANDARD.encode(request.body()) })
}

/// What `fetch` would send.
pub(crate) fn request_of(sent: &Value) -> TestRequest {
    let init = &sent["init"];
    let mut request = Request::builder()
        .method(init["method"].as_str().unwrap())
        .uri(sent["url"].as_str().unwrap());
    for (name, value) in init["headers"].as_object().unwrap() {
        let value: Vec<u8> = value
            .as_str()
            .unwrap()
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect();
        request = request.header(name, value);
    }
    request
        .body(
            init["body"]
                .as_str()
                .unwrap_or_default()
                .as_bytes()
                .to_vec(),
        )
        .unwrap()
}

/// Changes one byte of something that is covered, or takes a covered field away, or doubles one.
/// `None` if it cannot be done.
pub(crate) fn with_a_change(random: &mut Random, request: &TestRequest) -> Option<TestRequest> {
    let mut changed = request.clone();
    let printable: Vec<u8> = (b' '..=b'~').collect();
    match random.below(10) {
        0 => {
            let mut method = request.method().as_str().as_bytes().to_vec();
            change_with(random, &mut method, b"ABCDEFGabcdefg")?;
            *changed.method_mut() = Method::from_bytes(&method).ok()?;
        }
        1 => {
            let uri = request.uri().to_string();
            let start = uri.find("://").unwrap() + 3;
            let path = start + uri[start..].find('/').unwrap();
            let mut bytes = uri.into_bytes();
            change_with(random, &mut bytes[path..], b"abcxyz0129%/.;=&+~-_")?;
            let uri: Uri = String::from_utf8(bytes).unwrap().parse().ok()?;
            // An empty query says as much as none.
            let query = |uri: &Uri| uri.query().unwrap_or_default().to_owned();
            if (uri.path(), query(&uri)) == (request.uri().path(), query(request.uri())) {
                return None;
            }
            *changed.uri_mut() = uri;
        }
        2 => {
            if request.body().is_empty() {
                changed.body_mut().push(7);
            } else {
                let all: Vec<u8> = (0..=255).collect();
                change_with(random, changed.body_mut(), &all)?;
            }
        }
        choice => {
            let names = [
                "signature-input",
                "signature",
                "content-digest",
                "content-type",
                "content-encoding",
            ];
            let name = HeaderName::from_static(names[random.below(names.len())]);
            let value = request.headers().get(&name)?;
            let mut bytes = value.as_bytes().to_vec();
            match choice {
                3 => {
                    changed.headers_mut().remove(&name);
                }
                4 => {
                    changed.headers_mut().append(&name, value.clone());
                }
                _ if bytes.is_empty() => return None,
                _ => {
                    change_with(random, &mut bytes, &printable)?;
                    // White space around a value is not part of it.
                    if bytes.trim_ascii() == value.as_bytes().trim_ascii() {
                        return None;
                    }
                    changed
                        .headers_mut()
                        .insert(&name, HeaderValue::from_bytes(&bytes).ok()?);
                }
            }
        }
    }
    Some(changed)
}

pub(crate) fn change_with(random: &mut Random, text: &mut [u8], from: &[u8]) -> Option<()> {
    let at = random.below(text.len());
    let new = from[random.below(from.len())];
    (std::mem::replace(&mut text[at], new) != new).then_some(())
}

pub(crate) fn signed_twice(request: &TestRequest) -> TestRequest {
    let mut request = request.clone();
    let value = request.headers()[SIGNATURE_INPUT].clone();
    request.headers_mut().append(SIGNATURE_INPUT, value);
    request
}

pub(crate) fn change_mac(request: &mut TestRequest, change: impl Fn(&str) -> String) {
    let value = request.headers()[SIGNATURE].to_str().unwrap().to_owned();
    let mac = value
        .strip_prefix("sig1=:")
        .unwrap()
        .strip_suffix(':')
        .unwrap();
    request.headers_mut().insert(
        SIGNATURE,
        format!("sig1=:{}:", change(mac)).parse().unwrap(),
    );
}

/// One change in the middle of an expression.
pub(crate) trait Also: Sized {
    fn also(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Also for TestRequest {}
