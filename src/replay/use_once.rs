//! The answers of a replay guard: there at once, or awaited.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    eventual::{Eventual, POLLED_AFTER_END},
    validate::{AuthError, Validated},
};

/// The answer of a [`ReplayGuard`](super::ReplayGuard) about a signature.
pub struct UseOnce(Eventual<Result<(), AuthError>>);

impl UseOnce {
    /// An answer that is there at once, without an allocation.
    #[must_use]
    pub fn ready(answer: Result<(), AuthError>) -> Self {
        Self(Eventual::ready(answer))
    }

    /// An answer to wait for. Limit its time: the request waits until the answer is there.
    #[must_use]
    pub fn pending(answer: impl Future<Output = Result<(), AuthError>> + Send + 'static) -> Self {
        Self(Eventual::pending(answer))
    }
}

#[cfg(feature = "metrics")]
impl UseOnce {
    /// The answer if it is there already.
    pub(crate) fn try_now(self) -> Result<Result<(), AuthError>, Self> {
        self.0.try_now().map_err(Self)
    }
}

impl Future for UseOnce {
    type Output = Result<(), AuthError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for UseOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UseOnce").field(&self.0).finish()
    }
}

/// The future of [`ReplayGuard::accept_once`](super::ReplayGuard::accept_once): the proof, if its
/// signature was not used before.
pub struct AcceptOnce {
    /// `None` once it was given.
    validated: Option<Validated>,
    answer: UseOnce,
}

impl AcceptOnce {
    pub(super) fn new(validated: Validated, answer: UseOnce) -> Self {
        Self {
            validated: Some(validated),
            answer,
        }
    }
}

impl Future for AcceptOnce {
    type Output = Result<Validated, AuthError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        let validated = self.validated.take().expect(POLLED_AFTER_END);
        Poll::Ready(answer.map(|()| validated))
    }
}

impl fmt::Debug for AcceptOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptOnce").finish_non_exhaustive()
    }
}
