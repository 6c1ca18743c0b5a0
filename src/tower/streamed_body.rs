//! The body of a streamed upload, as the service reads it.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    BoxError,
    hashed_body::{HashedBody, Piece, add_len, unreadable},
    policy::Policy,
    upgrade,
    upload::Upload,
};
use crate::{
    replay::UseOnce,
    validate::{AuthError, AuthErrorKind, Validated},
};

pin_project! {
    /// A body that the service reads while the layer hashes it.
    ///
    /// It comes in pieces of at most 64 KiB. The layer hands on a piece only when it knows what
    /// follows.
    ///
    /// The body ends without an error only if it is the signed one. The layer never hands on a
    /// byte that no signature covers. After an error, each further read returns the same kind of
    /// error: stop at the first one.
    ///
    /// A request that needs no signature has its body as it comes.
    pub struct StreamedBody<B> {
        #[pin]
        body: Origin<B>,
    }
}

pin_project! {
    #[project = OriginProjection]
    enum Origin<B> {
        Signed { #[pin] body: SignedBody<B> },
        Unsigned { #[pin] body: B },
    }
}

pin_project! {
    /// The body of a request whose head is proven.
    pub(super) struct SignedBody<B> {
        #[pin]
        body: HashedBody<B>,
        // The piece that was read last. It is handed on when the next piece or the end has come.
        last: Bytes,
        state: State,
        upload: Upload,
    }
}

#[derive(Clone, Copy)]
enum State {
    Reading,
    Proven,
    Failed(AuthErrorKind),
}

impl<B> StreamedBody<B> {
    pub(super) fn signed(body: SignedBody<B>) -> Self {
        let body = Origin::Signed { body };
        Self { body }
    }

    pub(super) fn unsigned(body: B) -> Self {
        let body = Origin::Unsigned { body };
        Self { body }
    }
}

impl<B> SignedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Makes the body, and asks the replay guard before the body is read. Gives a refused body
    /// back.
    pub(super) fn new(
        mut body: HashedBody<B>,
        parts: &mut Parts,
        policy: &Arc<Policy>,
    ) -> Result<(Self, UseOnce), HashedBody<B>> {
        // A service that expects no body does not read it, so the proof must not wait for that.
        let validated = match body.finish_if_empty() {
            Ok(validated) => validated,
            Err(error) => return Err(body.refuse(error, policy, parts)),
        };
        let head = validated.as_ref().map(Validated::proof);
        let Some(head) = head.or(body.unfinished()) else {
            return Err(body);
        };
        let answer = policy.use_once(head);
        upgrade::remove_unsigned(parts, head);
        let upload = Upload::new(head.consumer(), parts.clone(), Arc::clone(policy));
        let state = match validated {
            Some(validated) => {
                upload.prove(validated);
                State::Proven
            }
            None => State::Reading,
        };
        Ok((
            Self {
                body,
                last: Bytes::new(),
                state,
                upload,
            },
            answer,
        ))
    }

    pub(super) fn upload(&self) -> &Upload {
        &self.upload
    }

    /// Refuses the request before its body is read.
    pub(super) fn refuse(self, error: AuthError) -> HashedBody<B> {
        let (policy, parts) = (self.upload.policy(), self.upload.parts());
        self.body.refuse(error, policy, parts)
    }
}

impl<B> SignedBody<B> {
    /// Leaves a trace when the service is called.
    pub(super) fn trace(&self) {
        self.upload.trace(self.body.unfinished());
    }
}

impl<B> Body for StreamedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = AuthError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AuthError>>> {
        match self.project().body.project() {
            OriginProjection::Signed { body } => body.poll_frame(cx),
            OriginProjection::Unsigned { body } => body.poll_frame(cx).map(|frame| {
                Some(match frame? {
                    Ok(frame) => {
                        Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                    }
                    Err(error) => Err(unreadable(error.into())),
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Origin::Signed { body } => body.is_end_stream(),
            Origin::Unsigned { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Origin::Signed { body } => body.size_hint(),
            Origin::Unsigned { body } => body.size_hint(),
        }
    }
}

impl<B> Body for SignedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = AuthError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AuthError>>> {
        let mut this = self.project();
        loop {
            match this.state {
                State::Reading => {}
                State::Proven => {
                    let last = mem::take(this.last);
                    return Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))));
                }
                State::Failed(kind) => return Poll::Ready(Some(Err((*kind).into()))),
            }
            let (policy, parts) = (this.upload.policy(), this.upload.parts());
            match ready!(this.body.as_mut().poll_piece(cx, policy, parts)) {
                Ok(Piece::Data(piece)) => {
                    let before = mem::replace(this.last, piece);
                    if !before.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(before))));
                    }
                }
                Ok(Piece::End(validated)) => {
                    policy.accept(validated.proof());
                    this.upload.prove(validated);
                    *this.state = State::Proven;
                }
                Err(error) => {
                    this.last.clear();
                    this.upload.fail(&error, this.body.left());
                    *this.state = State::Failed(error.kind());
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Proven) && self.last.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Proven => {
                SizeHint::with_exact(u64::try_from(self.last.len()).unwrap_or(u64::MAX))
            }
            _ => add_len(self.body.size_hint(), self.last.len()),
        }
    }
}

impl<B> fmt::Debug for StreamedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upload = match &self.body {
            Origin::Signed { body } => Some(&body.upload),
            Origin::Unsigned { .. } => None,
        };
        f.debug_struct("StreamedBody")
            .field("upload", &upload)
            .finish_non_exhaustive()
    }
}
