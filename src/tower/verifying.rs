//! The verification of a head, which may have to wait for a directory of consumers.

use std::{
    mem,
    task::{Context, Poll, ready},
};

use http::request::Parts;
use http_body::Body;

use super::{BoxError, hashed_body::HashedBody, policy::Policy};
use crate::{
    eventual::POLLED_AFTER_END,
    validate::{Answers, Question},
};

pub(super) enum Verifying<B> {
    /// The head is proven or refused.
    Done(HashedBody<B>),
    Asking(Asking<B>),
}

/// A request that waits for the answer of a directory.
///
/// The head is read again after each answer: what was read of it borrows the request, and a future
/// of a layer cannot hold both.
pub(super) struct Asking<B> {
    /// `None` once the answer was given.
    body: Option<B>,
    answers: Answers,
    question: Question,
}

impl<B> Asking<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(body: B, answers: Answers, question: Question) -> Self {
        Self {
            body: Some(body),
            answers,
            question,
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        policy: &Policy,
        request: &Parts,
    ) -> Poll<HashedBody<B>> {
        loop {
            ready!(self.question.poll(cx, &mut self.answers));
            let body = self.body.take().expect(POLLED_AFTER_END);
            match policy.verify(request, body, mem::take(&mut self.answers)) {
                Verifying::Done(body) => return Poll::Ready(body),
                Verifying::Asking(next) => *self = next,
            }
        }
    }
}
