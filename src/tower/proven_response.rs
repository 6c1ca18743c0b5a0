//! A response whose body is read until the signature has proven the whole.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Response, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{BoxError, BufferedBody, pieces::Pieces};
use crate::{
    eventual::POLLED_AFTER_END,
    response::{ResponseError, ResponseErrorKind, VerifiedResponse},
};

pin_project! {
    /// The response, with the proof in its extensions, once its whole body is read.
    pub(super) struct ProvenResponse<R> {
        // `None` after the end.
        head: Option<(Parts, VerifiedResponse)>,
        #[pin]
        body: R,
        pieces: Pieces,
        // In bytes.
        len: u64,
        max_len: u64,
    }
}

impl<R> ProvenResponse<R> {
    pub(super) fn new(response: Response<R>, verified: VerifiedResponse, max_len: u64) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            head: Some((parts, verified)),
            body,
            pieces: Pieces::default(),
            len: 0,
            max_len,
        }
    }
}

impl<R> Future for ProvenResponse<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<BufferedBody<R>>, ResponseError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (parts, verified) = this.head.as_mut().expect(POLLED_AFTER_END);
        let refuse = |kind| ResponseError::new(kind, parts.status);
        while let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)) {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let refusal = refuse(ResponseErrorKind::BodyUnreadable);
                    return Poll::Ready(Err(refusal.caused_by(error)));
                }
            };
            match frame.into_data() {
                Ok(data) => {
                    *this.len += u64::try_from(data.len()).unwrap_or(u64::MAX);
                    if *this.len > *this.max_len {
                        let refusal = refuse(ResponseErrorKind::BodyTooLarge);
                        let detail = format!("at most {} bytes are accepted", this.max_len);
                        return Poll::Ready(Err(refusal.detail(detail)));
                    }
                    verified.update(&data);
                    this.pieces.push(data);
                }
                Err(frame) => {
                    if frame.into_trailers().is_ok_and(|fields| !fields.is_empty()) {
                        return Poll::Ready(Err(refuse(ResponseErrorKind::TrailersNotCovered)));
                    }
                }
            }
        }
        let (mut parts, verified) = this.head.take().expect(POLLED_AFTER_END);
        let body = BufferedBody::from(mem::take(this.pieces).into_bytes());
        Poll::Ready(verified.finish().map(|validated| {
            parts.extensions.insert(validated);
            Response::from_parts(parts, body)
        }))
    }
}
