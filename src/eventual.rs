//! A value that is there at once, or awaited.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Why a future of this crate panics if it is polled again.
pub(crate) const POLLED_AFTER_END: &str = "a future must not be polled again after it was ready";

/// What implementations of a trait answer: at once without an allocation, or later.
pub(crate) struct Eventual<T>(State<T>);

enum State<T> {
    /// `None` once it was given.
    Ready(Option<T>),
    Pending(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Eventual<T> {
    pub(crate) fn ready(value: T) -> Self {
        Self(State::Ready(Some(value)))
    }

    pub(crate) fn pending(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(State::Pending(Box::pin(future)))
    }

    /// The value if it is there already; otherwise the future.
    pub(crate) fn try_now(self) -> Result<T, Self> {
        match self.0 {
            State::Ready(value) => Ok(value.expect(POLLED_AFTER_END)),
            State::Pending(_) => Err(self),
        }
    }
}

/// Nothing in it is pinned: what is awaited stands in a box of its own.
impl<T> Unpin for Eventual<T> {}

impl<T> Future for Eventual<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Ready(value) => Poll::Ready(value.take().expect(POLLED_AFTER_END)),
            State::Pending(future) => {
                let value = ready!(future.as_mut().poll(cx));
                self.0 = State::Ready(None);
                Poll::Ready(value)
            }
        }
    }
}

/// Says only whether the value is there.
impl<T> fmt::Debug for Eventual<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "ready",
            State::Pending(_) => "pending",
        })
    }
}
