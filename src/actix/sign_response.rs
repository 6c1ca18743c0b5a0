//! Signs the answer of a handler, in the types of actix.

use std::{
    error::Error as StdError,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{ResponseHead, ServiceResponse},
    http::header::{CONTENT_LENGTH, HeaderName, HeaderValue},
};
use bytes::Bytes;
use http::{Response, StatusCode, response::Parts};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    message::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    tower::{AnswerBody, Begun, LeaveUnsigned, ReadBody, ResponseSigner, not_signed},
    validate::Validated,
};

/// Signs an answer, once its body is read. What cannot be signed passes as it is.
pub(super) async fn sign<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    request: &Validated,
    signer: &ResponseSigner,
) -> ServiceResponse<EitherBody<B>> {
    let (asked, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let mut parts = match copy(response.head()) {
        Ok(parts) => parts,
        Err(error) => {
            not_signed(&error.to_string());
            return ServiceResponse::new(asked, response.set_body(EitherBody::left(body)));
        }
    };
    parts.extensions.insert(request.clone());
    if let Some(mark) = response.extensions().get::<LeaveUnsigned>() {
        parts.extensions.insert(*mark);
    }
    let body = Answered::new(response.head(), body);
    let (parts, body) = match signer.begin(Response::from_parts(parts, body)) {
        Begun::Passing(passing) => {
            let (parts, body) = passing.into_parts();
            (parts, EitherBody::left(body.body))
        }
        Begun::Reading(mut reading) => {
            let end = poll_fn(|cx| signer.poll_end(&mut reading, cx)).await;
            let (parts, body) = signer.end(reading, end).into_parts();
            let body = match body {
                ReadBody::Whole(bytes) => BoxBody::new(bytes),
                partly @ ReadBody::Partly { .. } => BoxBody::new(PartlyRead {
                    body: AnswerBody::read(partly),
                }),
            };
            (parts, EitherBody::right(body))
        }
    };
    put_back(response.head_mut(), &parts);
    ServiceResponse::new(asked, response.set_body(body))
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

pin_project! {
    /// A body of actix in the types of `http` 1.
    struct Answered<B> {
        #[pin]
        body: B,
        // What is still to come of the length that the body or its head has announced.
        left: Option<u64>,
    }
}

impl<B: MessageBody> Answered<B> {
    fn new(head: &ResponseHead, body: B) -> Self {
        let left = match body.size() {
            BodySize::None => Some(0),
            BodySize::Sized(len) => Some(len),
            // If the answer is chunked, actix does not send the length of the head, which may be
            // that of a body before its compression.
            BodySize::Stream if head.chunked() => None,
            BodySize::Stream => {
                let len = head.headers.get(CONTENT_LENGTH);
                len.and_then(|len| len.to_str().ok()?.parse().ok())
            }
        };
        Self { body, left }
    }
}

impl<B: MessageBody> Body for Answered<B> {
    type Data = Bytes;
    type Error = Box<dyn StdError>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.project();
        Poll::Ready(match ready!(this.body.poll_next(cx)) {
            Some(Ok(data)) => {
                let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
                *this.left = this.left.map(|left| left.saturating_sub(len));
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => Some(Err(error.into())),
            // Actix breaks such an answer off, too. Signed, it would pass for a whole one.
            None if this.left.is_some_and(|left| left > 0) => {
                Some(Err("the body is shorter than it has announced".into()))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

pin_project! {
    /// A body of which something was read, in the types of actix again.
    struct PartlyRead<B: MessageBody> {
        #[pin]
        body: AnswerBody<Answered<B>>,
    }
}

impl<B: MessageBody> MessageBody for PartlyRead<B> {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        let len = self.body.size_hint().exact();
        len.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        // A body of actix has no trailers.
        Poll::Ready(frame.and_then(|frame| match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(error)),
        }))
    }
}
