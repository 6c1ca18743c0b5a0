//! Reading a body piece by piece, and hashing it on the way.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, SizeHint};
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;

use super::BoxError;
use crate::{
    message::{KnownField, RequestHead},
    validate::{AuthError, AuthErrorKind},
    validate::{Proof, Validated, VerifiedHead},
};

/// How much is hashed before others have their turn.
///
/// Hyper hands over frames of up to 480 KiB. Hashed whole, a few uploads on one thread made small
/// requests wait 16 times as long.
const MAX_HASHED_AT_ONCE: usize = 64 * 1024;

pin_project! {
    pub(super) struct HashedBody<B> {
        #[pin]
        body: B,
        // What was read but not hashed yet.
        rest: Bytes,
        // None after the end.
        head: Option<VerifiedHead>,
        read: u64,
        max_len: u64,
        content_length: Option<u64>,
        pace: Pace,
    }
}

/// What comes next of a body.
pub(super) enum Piece {
    /// Bytes that have been hashed.
    Data(Bytes),
    /// All of it was as signed.
    End(Validated),
}

impl<B> HashedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(
        body: B,
        head: VerifiedHead,
        content_length: Option<u64>,
        max_len: u64,
    ) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            head: Some(head),
            read: 0,
            max_len,
            content_length,
            pace: Pace::default(),
        }
    }

    /// The next piece; after its end or an error, a body must not be polled again.
    pub(super) fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Piece, AuthError>> {
        let mut this = self.project();
        let Some(head) = this.head else {
            return Poll::Ready(Err(AuthErrorKind::BodyUnreadable.into()));
        };
        loop {
            ready!(this.pace.poll_turn(cx));
            if !this.rest.is_empty() {
                let piece = this.rest.split_to(this.pace.take(this.rest.len()));
                head.update(&piece);
                return Poll::Ready(Ok(Piece::Data(piece)));
            }
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(frame)) => frame.map_err(|error| unreadable(error.into()))?,
                Poll::Ready(None) => break,
                Poll::Pending => {
                    this.pace.others_had_their_turn();
                    return Poll::Pending;
                }
            };
            match frame.into_data() {
                Ok(mut data) => {
                    let len = data.remaining();
                    this.pace.count_frame(len);
                    *this.read = this
                        .read
                        .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                    if len > 0 && !head.covers_body() {
                        return Poll::Ready(Err(AuthErrorKind::BodyNotCovered.into()));
                    }
                    if *this.read > *this.max_len {
                        return Poll::Ready(Err(too_large(*this.max_len)));
                    }
                    if this.content_length.is_some_and(|len| *this.read > len) {
                        return Poll::Ready(Err(AuthErrorKind::WrongContentLength.into()));
                    }
                    *this.rest = data.copy_to_bytes(len);
                }
                Err(frame) => {
                    if frame
                        .trailers_ref()
                        .is_some_and(|trailers| !trailers.is_empty())
                    {
                        return Poll::Ready(Err(AuthErrorKind::TrailersNotCovered.into()));
                    }
                }
            }
        }
        if this.content_length.is_some_and(|len| *this.read != len) {
            return Poll::Ready(Err(AuthErrorKind::WrongContentLength.into()));
        }
        Poll::Ready(match this.head.take() {
            Some(head) => head.finish().map(Piece::End),
            None => Err(AuthErrorKind::BodyUnreadable.into()),
        })
    }

    /// What is proven of the head, until the end.
    pub(super) fn unfinished(&self) -> Option<&Proof> {
        self.head.as_ref().map(VerifiedHead::proof)
    }

    /// The proof, if it is known beforehand that no byte will come.
    pub(super) fn finish_if_empty(&mut self) -> Result<Option<Validated>, AuthError> {
        let is_empty = self.body.is_end_stream() && self.content_length.unwrap_or(0) == 0;
        self.head
            .take_if(|_| is_empty)
            .map(VerifiedHead::finish)
            .transpose()
    }

    /// How much is still to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        add_len(self.body.size_hint(), self.rest.len())
    }
}

/// A hint of what comes together with `len` bytes that are already here.
pub(super) fn add_len(mut hint: SizeHint, len: usize) -> SizeHint {
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    let (lower, upper) = (
        hint.lower().saturating_add(len),
        hint.upper().map(|upper| upper.saturating_add(len)),
    );
    if let Some(upper) = upper {
        hint.set_upper(upper);
    }
    hint.set_lower(lower);
    hint
}

/// What the field says. A value that is not a number is for the server to refuse, which frames the
/// body by it.
pub(super) fn content_length(request: &RequestHead<'_>) -> Option<u64> {
    let line = request.fields().lines(KnownField::ContentLength).next()?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

pub(super) fn too_large(max_len: u64) -> AuthError {
    AuthError::new(AuthErrorKind::BodyTooLarge).detail(format!("more than {max_len} bytes"))
}

fn unreadable(error: BoxError) -> AuthError {
    let mut cause = Some(&*error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        // Of a layer outside of this one.
        if error.is::<LengthLimitError>() {
            return AuthErrorKind::BodyTooLarge.into();
        }
        cause = error.source();
    }
    AuthError::new(AuthErrorKind::BodyUnreadable).caused_by(error)
}

/// A frame takes time however short it is, so it counts for at least so many bytes.
const MIN_FRAME_LEN: usize = 256;

/// Lets others have their turn after each 64 KiB.
#[derive(Default)]
struct Pace {
    hashed: usize,
    turn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Pace {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hashed < MAX_HASHED_AT_ONCE {
            return Poll::Ready(());
        }
        // Waking the task at once would not let the runtime look at its sockets first; this does.
        let turn = self
            .turn
            .get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
        ready!(turn.as_mut().poll(cx));
        self.turn = None;
        self.others_had_their_turn();
        Poll::Ready(())
    }

    fn others_had_their_turn(&mut self) {
        self.hashed = 0;
    }

    fn count_frame(&mut self, len: usize) {
        self.hashed += MIN_FRAME_LEN.saturating_sub(len);
    }

    /// How many of `len` bytes may be hashed now.
    fn take(&mut self, len: usize) -> usize {
        let len = len.min(MAX_HASHED_AT_ONCE.saturating_sub(self.hashed).max(1));
        self.hashed += len;
        len
    }
}
