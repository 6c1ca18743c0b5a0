//! Signs the answer of a handler, in the types of actix.

use actix_web::{
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{ResponseHead, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
};
use http::{Response, StatusCode, response::Parts};

use crate::{
    message::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    response::{SignResponseOptions, sign_response_parts},
    tower::response_not_signed,
    validate::Validated,
};

/// Signs an answer whose body is in memory. Another one passes as it is.
pub(super) fn sign<B: MessageBody>(
    response: ServiceResponse<B>,
    request: &Validated,
    options: &SignResponseOptions,
) -> ServiceResponse<EitherBody<B>> {
    response.map_body(|head, body| {
        if matches!(body.size(), BodySize::None | BodySize::Sized(0)) {
            sign_head(head, &[], request, options);
            return EitherBody::left(body);
        }
        match body.try_into_bytes() {
            Ok(bytes) => {
                sign_head(head, &bytes, request, options);
                EitherBody::right(BoxBody::new(bytes))
            }
            Err(body) => {
                response_not_signed("the body is a stream");
                EitherBody::left(body)
            }
        }
    })
}

fn sign_head(
    head: &mut ResponseHead,
    body: &[u8],
    request: &Validated,
    options: &SignResponseOptions,
) {
    let signed = copy(head).map_err(|error| error.to_string());
    let signed = signed.and_then(|mut parts| {
        sign_response_parts(&mut parts, body, request, options)
            .map_err(|error| format!("{error:#}"))?;
        Ok(parts)
    });
    match signed {
        Ok(parts) => put_back(head, &parts),
        Err(why) => response_not_signed(&why),
    }
}

/// The head in the types of `http` 1.
fn copy(head: &ResponseHead) -> http::Result<Parts> {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(head.status.as_u16())?;
    for (name, value) in &head.headers {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes())?;
        let value = http::HeaderValue::from_bytes(value.as_bytes())?;
        parts.headers.try_append(name, value)?;
    }
    Ok(parts)
}

/// Takes over what signing has added.
fn put_back(head: &mut ResponseHead, parts: &Parts) {
    for added in [CONTENT_DIGEST, SIGNATURE_INPUT, SIGNATURE] {
        let name = HeaderName::from_bytes(added.as_str().as_bytes());
        let Ok(name) = name else { continue };
        head.headers.remove(&name);
        for value in parts.headers.get_all(&added) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                head.headers.append(name.clone(), value);
            }
        }
    }
}
