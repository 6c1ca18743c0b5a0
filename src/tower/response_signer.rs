//! Signs the answer of a host, once its body is read: the part that the layer and the middleware of
//! actix share.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    response::Parts,
};
use http_body::Body;

#[cfg(feature = "tracing")]
use super::events;
use super::{DEFAULT_MAX_BODY_LEN, LeaveUnsigned, pieces::Pieces};
use crate::{
    response::{SignResponseOptions, is_without_content, sign_response_parts},
    validate::Validated,
};

/// Signs the answers to validated requests, which have [`Validated`] in their extensions.
#[derive(Clone, Debug)]
pub(crate) struct ResponseSigner {
    pub(crate) options: SignResponseOptions,
    /// In bytes.
    pub(crate) max_body_len: u64,
}

impl Default for ResponseSigner {
    fn default() -> Self {
        Self {
            options: SignResponseOptions::new(),
            max_body_len: DEFAULT_MAX_BODY_LEN,
        }
    }
}

/// What becomes of a response.
pub(crate) enum Begun<R> {
    /// It is signed, or cannot be. Nothing was read of its body.
    Passing(Response<R>),
    Reading(Reading<R>),
}

/// A response whose body is read before it is signed.
pub(crate) struct Reading<R> {
    parts: Parts,
    /// Boxed, because it may go on as the body of the response after it was polled.
    body: Pin<Box<R>>,
    pieces: Pieces,
    /// In bytes.
    len: u64,
}

/// How the reading of a body ends.
pub(crate) enum End<E> {
    Whole,
    TooLarge,
    /// It is not as long as its head says.
    WrongLength,
    Trailers(HeaderMap),
    Broken(E),
}

/// A body of which something was read.
pub(crate) enum ReadBody<R: Body> {
    Whole(Bytes),
    Partly { read: Bytes, last: Last<R> },
}

/// What follows the bytes that were read of a body.
pub(crate) enum Last<R: Body> {
    Rest {
        body: Pin<Box<R>>,
    },
    Trailers {
        trailers: HeaderMap,
        body: Pin<Box<R>>,
    },
    Error {
        error: R::Error,
    },
    /// The body has ended, and is not as long as its head says.
    WrongEnd,
}

impl<R> Reading<R> {
    /// Whether the head announces another length than was read.
    pub(super) fn differs_from_head(&self) -> bool {
        let announced = self.parts.headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
        announced.is_some_and(|len| len != self.len)
    }
}

impl ResponseSigner {
    /// Signs what needs no look at the body, and lets pass what cannot be signed.
    pub(crate) fn begin<R: Body<Data = Bytes>>(&self, response: Response<R>) -> Begun<R> {
        let Some(validated) = response.extensions().get::<Validated>() else {
            return Begun::Passing(response);
        };
        if let Some(why) = unsignable(&response) {
            not_signed(why);
            return Begun::Passing(response);
        }
        let is_read = !response.body().is_end_stream()
            && !is_without_content(validated.proof().answered(), response.status());
        if is_read && response.body().size_hint().lower() > self.max_body_len {
            not_signed(TOO_LARGE);
            return Begun::Passing(response);
        }
        let (mut parts, body) = response.into_parts();
        if is_read {
            return Begun::Reading(Reading {
                parts,
                body: Box::pin(body),
                pieces: Pieces::default(),
                len: 0,
            });
        }
        self.sign(&mut parts, &[]);
        Begun::Passing(Response::from_parts(parts, body))
    }

    /// Reads until the body can be signed, or cannot be.
    pub(crate) fn poll_end<R: Body<Data = Bytes>>(
        &self,
        reading: &mut Reading<R>,
        cx: &mut Context<'_>,
    ) -> Poll<End<R::Error>> {
        loop {
            let frame = match ready!(reading.body.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(End::Whole),
                Some(Err(error)) => return Poll::Ready(End::Broken(error)),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) => {
                    reading.len += u64::try_from(data.len()).unwrap_or(u64::MAX);
                    reading.pieces.push(data);
                    if reading.len > self.max_body_len {
                        return Poll::Ready(End::TooLarge);
                    }
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) if !trailers.is_empty() => {
                        return Poll::Ready(End::Trailers(trailers));
                    }
                    _ => {}
                },
            }
        }
    }

    /// Signs a body that was read whole, and else gives back what was read of it.
    pub(crate) fn end<R: Body<Data = Bytes>>(
        &self,
        reading: Reading<R>,
        end: End<R::Error>,
    ) -> Response<ReadBody<R>> {
        let Reading {
            mut parts,
            body,
            pieces,
            ..
        } = reading;
        let read = pieces.into_bytes();
        let (why, last) = match end {
            End::Whole => {
                self.sign(&mut parts, &read);
                return Response::from_parts(parts, ReadBody::Whole(read));
            }
            End::TooLarge => (TOO_LARGE, Last::Rest { body }),
            End::WrongLength => (
                "the body is not as long as its `Content-Length` says",
                Last::WrongEnd,
            ),
            End::Trailers(trailers) => (
                "the body has trailers, which no signature covers",
                Last::Trailers { trailers, body },
            ),
            End::Broken(error) => ("the body broke off", Last::Error { error }),
        };
        not_signed(why);
        Response::from_parts(parts, ReadBody::Partly { read, last })
    }

    fn sign(&self, parts: &mut Parts, body: &[u8]) {
        let Some(validated) = parts.extensions.get::<Validated>().cloned() else {
            return;
        };
        if let Err(error) = sign_response_parts(parts, body, &validated, &self.options) {
            not_signed(&format!("{error:#}"));
        }
    }
}

const TOO_LARGE: &str =
    "the body is larger than `max_body_len`, or on actix than `max_signed_body_len`";

/// Why nothing may be read ahead of the body of a response, if so.
fn unsignable<R>(response: &Response<R>) -> Option<&'static str> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Some("101 leads to another protocol");
    }
    if response.extensions().get::<LeaveUnsigned>().is_some() {
        return Some("the handler leaves it unsigned");
    }
    let content_type = response.headers().get(CONTENT_TYPE)?.as_bytes();
    let begins_with = |start: &str| {
        let found = content_type.get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    if begins_with("text/event-stream") {
        return Some("events are sent as they come");
    }
    begins_with("application/grpc").then_some("gRPC has trailers, which no signature covers")
}

/// Notes for the operator that a response goes out without a signature.
pub(crate) fn not_signed(why: &str) {
    #[cfg(feature = "tracing")]
    events::response_not_signed(why);
    #[cfg(not(feature = "tracing"))]
    let _ = why;
}
