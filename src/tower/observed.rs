//! What an observing layer has found out about a request.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::validate::AuthErrorKind;

/// What an enforcing layer would have done with a request.
///
/// [`ObserveAuthLayer`](super::ObserveAuthLayer) puts it into the extensions of the request and of the
/// response. All clones share one state.
///
/// # Security
///
/// This is no proof: the service gets every request, and nobody has claimed the signature. Only
/// [`Validated`](crate::Validated) is one.
#[derive(Clone)]
pub struct Observed(Arc<Facts>);

#[derive(Default)]
struct Facts {
    consumer: OnceLock<Box<str>>,
    outcome: OnceLock<Result<(), AuthErrorKind>>,
}

impl Observed {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// The consumer whose MAC is right, as an enforcing layer would name it.
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        self.0.consumer.get().map(AsRef::as_ref)
    }

    /// Whether the request would have been accepted, and else why not. `None` until the service has
    /// read the body to its end, if that decides.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<(), AuthErrorKind>> {
        self.0.outcome.get().copied()
    }

    pub(super) fn set_consumer(&self, consumer: &str) {
        let _ = self.0.consumer.set(consumer.into());
    }

    /// The first outcome counts.
    pub(super) fn decide(&self, outcome: Result<(), AuthErrorKind>) {
        let _ = self.0.outcome.set(outcome);
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("consumer", &self.consumer())
            .field("outcome", &self.outcome())
            .finish()
    }
}
