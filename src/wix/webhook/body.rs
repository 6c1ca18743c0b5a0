//! The body of a webhook: read whole, within a length and a time.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Buf;
use http_body::Body;
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

use super::{
    error::{WebhookError, WebhookErrorKind as Kind},
    signed_text::MAX_WEBHOOK_LEN,
};
use crate::tower::BoxError;

/// The default time that a peer has to send the body: one second.
///
/// Wix sends a webhook again if it gets no answer within 1.25 seconds.
pub const DEFAULT_WEBHOOK_TIMEOUT: Duration = Duration::from_secs(1);

pin_project! {
    /// Reads a body to its end.
    pub(super) struct WholeBody<B> {
        #[pin]
        body: B,
        bytes: Vec<u8>,
        // A frame counts as one byte at least, so that their number has a limit too.
        counted: usize,
        // `None` outside of a runtime, where there is no peer.
        deadline: Option<Pin<Box<Sleep>>>,
        is_at_end: bool,
    }
}

impl<B> WholeBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(body: B, timeout: Duration) -> Self {
        let deadline = Handle::try_current().map(|_| Box::pin(sleep(timeout)));
        Self {
            body,
            bytes: Vec::new(),
            counted: 0,
            deadline: deadline.ok(),
            is_at_end: false,
        }
    }

    /// Whether the peer may still be sending.
    pub(super) fn is_unread(&self) -> bool {
        !self.is_at_end && !self.body.is_end_stream()
    }

    pub(super) fn poll_bytes(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<u8>, WebhookError>> {
        let mut this = self.project();
        let announced = usize::try_from(this.body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced.saturating_add(this.bytes.len()) > MAX_WEBHOOK_LEN {
            return Poll::Ready(Err(Kind::TooLarge.into()));
        }
        if let Some(deadline) = this.deadline {
            if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Kind::TooSlow.into()));
            }
        }
        loop {
            let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(unreadable(error.into()))),
                None => {
                    *this.is_at_end = true;
                    return Poll::Ready(Ok(std::mem::take(this.bytes)));
                }
            };
            // Trailers are not signed, and nothing reads them.
            let len = frame.data_ref().map_or(0, Buf::remaining);
            *this.counted += len.max(1);
            if *this.counted > MAX_WEBHOOK_LEN {
                return Poll::Ready(Err(Kind::TooLarge.into()));
            }
            if let Ok(mut data) = frame.into_data() {
                while data.has_remaining() {
                    let chunk = data.chunk();
                    this.bytes.extend_from_slice(chunk);
                    let len = chunk.len();
                    data.advance(len);
                }
            }
        }
    }
}

fn unreadable(error: BoxError) -> WebhookError {
    let mut cause = Some(&*error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        // The limit of a layer outside of this service.
        if error.is::<LengthLimitError>() {
            return Kind::TooLarge.into();
        }
        cause = error.source();
    }
    WebhookError::new(Kind::BodyUnreadable).caused_by(error)
}
