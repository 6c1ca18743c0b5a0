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
    /// [`ValidateAuthLayer`](super::ValidateAuthLayer) and [`SignRequestLayer`](super::SignRequestLayer) need a body that can be made
    /// from bytes again, and the first a response body that can. Those of axum can; for hyper's `Incoming`, tonic's `Body` and boxed
    /// bodies, this one stands between, put there by tower-http: `MapRequestBodyLayer::new(BufferedBody::new)` outside of the layer, whose
    /// service then takes `Request<BufferedBody<_>>`, and `MapResponseBodyLayer::new(BufferedBody::new)` inside of it.
    pub struct BufferedBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Unread { #[pin] body: B },
        Buffered { #[pin] body: Full<Bytes> },
    }
}

impl<B> BufferedBody<B> {
    /// A body that was not read yet.
    pub fn new(body: B) -> Self {
        Self {
            kind: Kind::Unread { body },
        }
    }
}

impl<B> From<Bytes> for BufferedBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            kind: Kind::Buffered {
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
        match self.project().kind.project() {
            KindProjection::Unread { body } => body.poll_frame(cx),
            KindProjection::Buffered { body } => {
                body.poll_frame(cx).map_err(|never| match never {})
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Unread { body } => body.is_end_stream(),
            Kind::Buffered { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Unread { body } => body.size_hint(),
            Kind::Buffered { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for BufferedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferedBody")
            .field("is_buffered", &matches!(self.kind, Kind::Buffered { .. }))
            .finish()
    }
}
