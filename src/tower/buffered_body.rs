//! A body for those services whose own body cannot be made from bytes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

pin_project! {
    /// A body of any type that a layer can read and put back.
    ///
    /// [`ValidateAuthLayer`](super::ValidateAuthLayer) and
    /// [`SignRequestLayer`](super::SignRequestLayer) read a request body and make it from bytes
    /// again. `ValidateAuthLayer` also makes a response body from bytes. The bodies of axum allow
    /// that. Wrap hyper's `Incoming`, tonic's `Body` and boxed bodies in this type, with layers of
    /// tower-http:
    ///
    /// - for requests, `MapRequestBodyLayer::new(BufferedBody::new)` outside of the layer. The
    ///   service then takes `Request<BufferedBody<_>>`;
    /// - for responses, `MapResponseBodyLayer::new(BufferedBody::new)` inside of the layer.
    pub struct BufferedBody<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<B> {
        Unread { #[pin] body: B },
        Buffered { #[pin] body: Full<Bytes> },
    }
}

impl<B> BufferedBody<B> {
    /// Wraps a body that was not read yet.
    pub fn new(body: B) -> Self {
        Self {
            state: State::Unread { body },
        }
    }
}

impl<B> From<Bytes> for BufferedBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            state: State::Buffered {
                body: Full::new(bytes),
            },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for BufferedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().state.project() {
            StateProjection::Unread { body } => body.poll_frame(cx),
            StateProjection::Buffered { body } => {
                body.poll_frame(cx).map_err(|never| match never {})
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Unread { body } => body.is_end_stream(),
            State::Buffered { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Unread { body } => body.size_hint(),
            State::Buffered { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for BufferedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedBody")
            .field("is_buffered", &matches!(self.state, State::Buffered { .. }))
            .finish()
    }
}
