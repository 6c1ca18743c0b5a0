//! The body of a response that a host has signed, or could not sign.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::response_signer::{Last, ReadBody};

pin_project! {
    /// The body of a response behind [`SignResponseLayer`](super::SignResponseLayer): the same bytes
    /// as that of the service.
    pub struct AnswerBody<R: Body> {
        #[pin]
        state: State<R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<R: Body> {
        Passing { #[pin] body: R },
        Whole { #[pin] body: Full<Bytes> },
        // `read` is empty once it was given out.
        PartlyRead { read: Bytes, last: Option<Last<R>> },
    }
}

impl<R: Body> AnswerBody<R> {
    /// Of a response of which nothing was read.
    pub(super) fn passing(body: R) -> Self {
        Self {
            state: State::Passing { body },
        }
    }

    pub(crate) fn read(body: ReadBody<R>) -> Self {
        let state = match body {
            ReadBody::Whole(bytes) => State::Whole {
                body: Full::new(bytes),
            },
            ReadBody::Partly { read, last } => State::PartlyRead {
                read,
                last: Some(last),
            },
        };
        Self { state }
    }
}

impl<R: Body<Data = Bytes>> Body for AnswerBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().state.project() {
            StateProjection::Passing { body } => body.poll_frame(cx),
            StateProjection::Whole { body } => body.poll_frame(cx).map_err(|never| match never {}),
            StateProjection::PartlyRead { read, last } => {
                if !read.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(mem::take(read)))));
                }
                match last.take() {
                    None | Some(Last::WrongEnd) => Poll::Ready(None),
                    Some(Last::Error { error }) => Poll::Ready(Some(Err(error))),
                    Some(Last::Trailers { trailers, body }) => {
                        *last = Some(Last::Rest { body });
                        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
                    }
                    Some(Last::Rest { mut body }) => {
                        let frame = body.as_mut().poll_frame(cx);
                        *last = Some(Last::Rest { body });
                        frame
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Passing { body } => body.is_end_stream(),
            State::Whole { body } => body.is_end_stream(),
            State::PartlyRead { read, last } => {
                let is_over = match last {
                    None => true,
                    Some(Last::Rest { body }) => body.is_end_stream(),
                    Some(Last::Trailers { .. } | Last::Error { .. } | Last::WrongEnd) => false,
                };
                read.is_empty() && is_over
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Passing { body } => body.size_hint(),
            State::Whole { body } => body.size_hint(),
            State::PartlyRead { read, last } => {
                let read = u64::try_from(read.len()).unwrap_or(u64::MAX);
                let rest = match last {
                    Some(Last::Rest { body }) => body.size_hint(),
                    // Nobody knows how much more there would have been. A server that knew of a
                    // length would not compare it with the head.
                    Some(Last::Error { .. } | Last::WrongEnd) => SizeHint::new(),
                    Some(Last::Trailers { .. }) | None => SizeHint::with_exact(0),
                };
                let mut sum = SizeHint::new();
                sum.set_lower(rest.lower().saturating_add(read));
                if let Some(upper) = rest.upper() {
                    sum.set_upper(upper.saturating_add(read));
                }
                sum
            }
        }
    }
}

impl<R: Body> fmt::Debug for AnswerBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody")
            .field("is_whole", &matches!(self.state, State::Whole { .. }))
            .finish()
    }
}
