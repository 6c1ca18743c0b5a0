//! A body that is read piece by piece and hashed on the way.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, header::CONTENT_LENGTH, request::Parts};
use http_body::{Body, SizeHint};
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;

use super::{BoxError, drain::Drain, pace::Pace, policy::Policy, work::Work};
use crate::validate::{AuthError, AuthErrorKind, Proof, Validated, VerifiedHead};

pin_project! {
    pub(super) struct HashedBody<B> {
        #[pin]
        body: B,
        // Read, but not hashed yet.
        rest: Bytes,
        // None after the end, and in a refused request.
        head: Option<VerifiedHead>,
        refusal: Option<Box<Refusal>>,
        source: Source,
        len: BodyLen,
        pace: Pace,
        work: Work,
    }
}

/// What becomes of a request that is refused before the end of its body.
struct Refusal {
    error: AuthError,
    /// Comes first.
    drain: Option<Drain>,
}

/// The peer's end of a body.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Open,
    /// Cut off by a limit of another layer: it cannot be read any further.
    Cut,
    Ended,
}

/// The rest of the body of a refused request.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rest {
    Nothing,
    /// The peer may still be sending.
    Unread,
}

/// The next part of a body.
pub(super) enum Piece {
    /// Bytes that are hashed.
    Data(Bytes),
    /// The end: the whole body is the signed one.
    End(Validated),
}

impl<B> HashedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(body: B, head: VerifiedHead, len: BodyLen, work: Work) -> Self {
        Self {
            head: Some(head),
            ..Self::unread(body, len, work)
        }
    }

    /// A body whose next piece is this error.
    pub(super) fn refused(
        body: B,
        len: BodyLen,
        error: AuthError,
        policy: &Policy,
        request: &Parts,
        work: Work,
    ) -> Self {
        Self::unread(body, len, work).refuse(error, policy, request)
    }

    fn unread(body: B, len: BodyLen, work: Work) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            head: None,
            refusal: None,
            source: Source::Open,
            len,
            pace: Pace::default(),
            work,
        }
    }

    /// Refuses the request. Its body is read to its end first, if that is of use to the peer.
    pub(super) fn refuse(mut self, error: AuthError, policy: &Policy, request: &Parts) -> Self {
        let drain = self.drain(policy, request);
        self.refusal = Some(Box::new(Refusal { error, drain }));
        self
    }

    fn drain(&self, policy: &Policy, request: &Parts) -> Option<Drain> {
        if self.source != Source::Open || self.left() == Rest::Nothing {
            return None;
        }
        policy.drain(request, self.len.left(), &self.body.size_hint())
    }

    /// The next piece. The caller must not poll the body again after its end or an error.
    pub(super) fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        policy: &Policy,
        request: &Parts,
    ) -> Poll<Result<Piece, AuthError>> {
        if self.refusal.is_none() {
            match ready!(self.as_mut().poll_signed(cx)) {
                Ok(piece) => return Poll::Ready(Ok(piece)),
                Err(error) => {
                    let error = match self.unfinished() {
                        Some(proof) => error.proven(proof),
                        None => error,
                    };
                    let drain = self.drain(policy, request);
                    *self.as_mut().project().refusal = Some(Box::new(Refusal { error, drain }));
                }
            }
        }
        self.poll_refusal(cx).map(Err)
    }

    /// The next bytes, hashed, or the proof.
    fn poll_signed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Piece, AuthError>> {
        let mut this = self.project();
        let Some(head) = this.head else {
            return Poll::Ready(Err(AuthErrorKind::BodyUnreadable.into()));
        };
        loop {
            ready!(this.pace.poll_turn(cx));
            if !this.rest.is_empty() {
                let piece = this.rest.split_to(this.pace.take(this.rest.len()));
                this.work.time(|| head.update(&piece));
                return Poll::Ready(Ok(Piece::Data(piece)));
            }
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    let error = unreadable(error.into());
                    *this.source = match error.kind() {
                        AuthErrorKind::BodyTooLarge => Source::Cut,
                        _ => Source::Ended,
                    };
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(None) => break,
                Poll::Pending => {
                    this.pace.others_had_their_turn();
                    return Poll::Pending;
                }
            };
            match frame.into_data() {
                Ok(mut data) => {
                    let len = data.remaining();
                    let added = this.len.add(len);
                    if len > 0 {
                        head.check_coverage_of_body()?;
                    }
                    added?;
                    this.pace.count_frame(len);
                    *this.rest = data.copy_to_bytes(len);
                }
                Err(frame)
                    if frame
                        .trailers_ref()
                        .is_some_and(|fields| !fields.is_empty()) =>
                {
                    *this.source = Source::Ended;
                    return Poll::Ready(Err(AuthErrorKind::TrailersNotCovered.into()));
                }
                Err(_) => {}
            }
        }
        *this.source = Source::Ended;
        this.len.check_end()?;
        Poll::Ready(match this.head.take() {
            Some(head) => {
                let validated = head.finish()?;
                this.work.record();
                Ok(Piece::End(validated))
            }
            None => Err(AuthErrorKind::BodyUnreadable.into()),
        })
    }

    /// The error of the refusal, after what is left of the body.
    fn poll_refusal(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<AuthError> {
        let this = self.project();
        if let Some(Refusal { drain, .. }) = this.refusal.as_deref_mut() {
            if let Some(running) = drain {
                if ready!(running.poll(this.body, cx)) {
                    *this.source = Source::Ended;
                }
                *drain = None;
            }
        }
        this.work.record();
        let refusal = this.refusal.take();
        Poll::Ready(
            refusal.map_or(AuthErrorKind::BodyUnreadable.into(), |refusal| {
                refusal.error
            }),
        )
    }

    /// Whether the peer may still be sending.
    pub(super) fn left(&self) -> Rest {
        if self.source == Source::Ended || self.body.is_end_stream() {
            Rest::Nothing
        } else {
            Rest::Unread
        }
    }

    /// The proof, if the body is known to be empty before it is read.
    pub(super) fn finish_if_empty(&mut self) -> Result<Option<Validated>, AuthError> {
        let is_empty = self.body.is_end_stream() && self.len.announced.unwrap_or(0) == 0;
        let Some(head) = self.head.take_if(|_| is_empty) else {
            return Ok(None);
        };
        let validated = head.finish()?;
        self.work.record();
        Ok(Some(validated))
    }

    /// The number of bytes that are still to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        add_len(self.body.size_hint(), self.rest.len())
    }
}

impl<B> HashedBody<B> {
    /// The facts that the head proves; `None` after the end.
    pub(super) fn unfinished(&self) -> Option<&Proof> {
        self.head.as_ref().map(VerifiedHead::proof)
    }
}

/// The length of a body, in bytes.
pub(super) struct BodyLen {
    read: u64,
    max: u64,
    /// By `Content-Length`.
    announced: Option<u64>,
}

impl BodyLen {
    pub(super) fn new(announced: Option<u64>, max: u64) -> Self {
        Self {
            read: 0,
            max,
            announced,
        }
    }

    /// How many more bytes of a refused body may be read: none, if that is not all of them.
    fn left(&self) -> u64 {
        match self.announced.unwrap_or(self.max) {
            end if end <= self.max => end.saturating_sub(self.read),
            _ => 0,
        }
    }

    pub(super) fn announced(&self) -> Option<u64> {
        self.announced
    }

    pub(super) fn add(&mut self, len: usize) -> Result<(), AuthError> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.read = self.read.saturating_add(len);
        if self.read > self.max {
            return Err(too_large(self.max));
        }
        if self.announced.is_some_and(|len| self.read > len) {
            return Err(AuthErrorKind::WrongContentLength.into());
        }
        Ok(())
    }

    pub(super) fn check_end(&self) -> Result<(), AuthError> {
        if self.announced.is_some_and(|len| self.read != len) {
            return Err(AuthErrorKind::WrongContentLength.into());
        }
        Ok(())
    }
}

/// Adds `len` bytes, which are already here, to a hint.
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

/// The value of `Content-Length`, if it is a number.
///
/// The server frames the body by this field, so the server refuses other values.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    let line = headers.get(CONTENT_LENGTH)?.as_bytes();
    if line.is_empty() {
        return None;
    }
    line.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

pub(super) fn too_large(max_len: u64) -> AuthError {
    AuthError::new(AuthErrorKind::BodyTooLarge).detail(format!("more than {max_len} bytes"))
}

pub(super) fn unreadable(error: BoxError) -> AuthError {
    let mut cause = Some(&*error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        // The limit of a layer outside of this one.
        if error.is::<LengthLimitError>() {
            return AuthErrorKind::BodyTooLarge.into();
        }
        cause = error.source();
    }
    AuthError::new(AuthErrorKind::BodyUnreadable).caused_by(error)
}
