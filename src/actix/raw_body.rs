//! The payload of a request as it comes: before anything decompresses it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    dev::{Payload, ServiceRequest},
    error::PayloadError,
    http::{ConnectionType, header},
};
use bytes::Bytes;
use futures_core::Stream;
use http::{
    Method, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use http_body::{Body, Frame};

use crate::{
    tower::{Rest, is_upgrade_signed, remove_unsigned_upgrade},
    validate::Validated,
};

/// The body of a request.
///
/// To actix, the bytes of an upgraded connection belong to the payload of the request, which then has
/// no end. To HTTP, they follow the body.
pub(super) struct RawBody {
    payload: Payload,
    /// How many bytes of the payload are still body, where the payload goes on behind it.
    left: Option<u64>,
    /// What came together with the end of the body.
    beyond: Bytes,
}

impl RawBody {
    pub(super) fn new(payload: Payload, parts: &Parts) -> Self {
        Self {
            payload,
            left: may_go_on(parts).then(|| announced_len(parts)),
            beyond: Bytes::new(),
        }
    }

    /// Whether more bytes may come that nobody has read.
    pub(super) fn rest(&self, rest: Rest) -> Rest {
        if self.goes_on() { Rest::Unread } else { rest }
    }

    /// What nobody has read.
    pub(super) fn into_payload(self) -> Payload {
        self.payload
    }

    /// Whether bytes may follow the body.
    fn goes_on(&self) -> bool {
        self.left.is_some() && !matches!(self.payload, Payload::None)
    }

    /// Gives the handler the body of a proven request, and what follows the body if the consumer has
    /// asked for that. Returns whether the connection has to end with this request.
    pub(super) fn put_back(
        self,
        request: &mut ServiceRequest,
        mut parts: Parts,
        validated: &Validated,
        body: Bytes,
    ) -> bool {
        let proof = validated.proof();
        let goes_on = self.goes_on();
        let is_signed = is_upgrade_signed(&parts, proof);
        request.set_payload(match self.payload {
            Payload::H1 { mut payload } if goes_on && is_signed => {
                payload.unread_data(self.beyond);
                payload.unread_data(body);
                Payload::H1 { payload }
            }
            payload if goes_on && is_signed && self.beyond.is_empty() && body.is_empty() => payload,
            _ if body.is_empty() => Payload::None,
            _ => Payload::from(body),
        });
        let had_upgrade = parts.headers.contains_key(UPGRADE);
        remove_unsigned_upgrade(&mut parts, proof);
        if had_upgrade && !parts.headers.contains_key(UPGRADE) {
            let asked = request.head().connection_type() == ConnectionType::Upgrade;
            remove_upgrade(request, &parts);
            return parts.version < Version::HTTP_2 && (asked || goes_on);
        }
        goes_on && !is_signed && parts.version < Version::HTTP_2
    }
}

/// Removes from the request what was removed from the copy of its head.
fn remove_upgrade(request: &mut ServiceRequest, parts: &Parts) {
    let headers = request.headers_mut();
    headers.remove(header::UPGRADE);
    headers.remove("http2-settings");
    headers.remove(header::CONNECTION);
    for line in parts.headers.get_all(CONNECTION) {
        if let Ok(line) = header::HeaderValue::from_bytes(line.as_bytes()) {
            headers.append(header::CONNECTION, line);
        }
    }
    // Actix cannot forget that the peer has asked for an upgrade, but this comes first.
    request
        .head_mut()
        .set_connection_type(ConnectionType::Close);
}

/// Whether actix may take what follows the body for a part of the payload.
fn may_go_on(parts: &Parts) -> bool {
    let is_tunnel = parts.method == Method::CONNECT;
    let is_upgrade = parts.version < Version::HTTP_2 && parts.headers.contains_key(UPGRADE);
    (is_tunnel || is_upgrade) && !is_chunked(parts)
}

/// Whether actix reads the payload in chunks, up to the last one.
fn is_chunked(parts: &Parts) -> bool {
    let coding = parts.headers.get(TRANSFER_ENCODING);
    parts.version == Version::HTTP_11
        && coding.is_some_and(|coding| {
            let coding = coding.as_bytes().trim_ascii();
            coding.eq_ignore_ascii_case(b"chunked")
        })
}

fn announced_len(parts: &Parts) -> u64 {
    let len = parts.headers.get(CONTENT_LENGTH);
    len.and_then(|len| len.to_str().ok()?.trim().parse().ok())
        .unwrap_or(0)
}

impl Body for RawBody {
    type Data = Bytes;
    type Error = PayloadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PayloadError>>> {
        if self.left == Some(0) {
            return Poll::Ready(None);
        }
        let mut bytes = match ready!(Pin::new(&mut self.payload).poll_next(cx)) {
            Some(Ok(bytes)) => bytes,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        if let Some(left) = self.left {
            let end = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.beyond = bytes.split_off(end);
            self.left = Some(left - u64::try_from(end).unwrap_or(left));
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0) || matches!(self.payload, Payload::None)
    }
}
