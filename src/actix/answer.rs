//! What goes back to the peer: a refusal, or the answer of the handler, which no shared cache may
//! store.

use std::{
    convert::Infallible,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceResponse},
    http::{
        ConnectionType, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use http::Response;

use crate::{tower::with_private, validate::AuthErrorKind};

/// A refusal, in the types of actix. It keeps what is left of the request until it is sent.
pub(super) fn refusal(response: Response<Bytes>, unread: Payload) -> HttpResponse {
    let (head, body) = response.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::with_body(status, BoxBody::new(RefusalBody(body, unread)));
    for (name, value) in &head.headers {
        if *name == http::header::CONNECTION {
            // Actix writes this field itself.
            if value.as_bytes().eq_ignore_ascii_case(b"close") {
                close_connection(&mut response);
            }
            continue;
        }
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    if let Some(kind) = head.extensions.get::<AuthErrorKind>() {
        response.extensions_mut().insert(*kind);
    }
    response
}

/// The text of a refusal, and the payload that nobody has read to its end.
///
/// To drop a payload tells actix to read all of it, however long it is. To keep it until the answer is
/// sent tells actix to close the connection.
struct RefusalBody(
    Bytes,
    #[expect(dead_code, reason = "is dropped with the body")] Payload,
);

impl MessageBody for RefusalBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let text = mem::take(&mut self.0);
        Poll::Ready((!text.is_empty()).then_some(Ok(text)))
    }
}

/// Keeps the answer of the handler, whatever it is, from shared caches.
pub(super) fn keep_private<B>(
    result: Result<ServiceResponse<B>, Error>,
) -> Result<ServiceResponse<B>, Error> {
    match result {
        Ok(mut response) => {
            add_private(response.headers_mut());
            Ok(response)
        }
        Err(error) => Err(PrivateError(error).into()),
    }
}

pub(super) fn close_connection<B>(response: &mut HttpResponse<B>) {
    response
        .head_mut()
        .set_connection_type(ConnectionType::Close);
}

/// Adds `private`, unless the answer itself says what shared caches may do.
fn add_private(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        return;
    }
    let lines = headers.get_all(header::CACHE_CONTROL);
    let value = with_private(lines.map(HeaderValue::as_bytes));
    if let Some(Ok(value)) = value.map(|value| HeaderValue::from_bytes(value.as_bytes())) {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

/// An error of a middleware inside of this one: its answer is private, too.
struct PrivateError(Error);

impl ResponseError for PrivateError {
    fn status_code(&self) -> StatusCode {
        self.0.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.0.error_response();
        add_private(response.headers_mut());
        response
    }
}

impl fmt::Display for PrivateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PrivateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
