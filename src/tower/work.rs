//! The time that the validation of one request takes, without what it waits for.

#[cfg(feature = "metrics")]
use std::time::Duration;

#[cfg(feature = "metrics")]
use crate::{metrics, time::timed};

/// Without the feature `metrics`, nothing is measured.
#[derive(Default)]
pub(super) struct Work {
    /// Zero where there is no clock, and once the sum is recorded. A `Duration` would make each body
    /// twice as much larger.
    #[cfg(feature = "metrics")]
    nanos: u64,
}

#[cfg(feature = "metrics")]
impl Work {
    /// Adds what this takes.
    pub(super) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (result, taken) = timed(work);
        if let Some(taken) = taken {
            let nanos = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
            self.nanos = self.nanos.saturating_add(nanos.max(1));
        }
        result
    }

    /// Records the sum, the first time.
    pub(super) fn record(&mut self) {
        let nanos = std::mem::take(&mut self.nanos);
        if nanos > 0 {
            metrics::record_validation(Duration::from_nanos(nanos));
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "nothing is measured")]
impl Work {
    #[inline]
    pub(super) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        work()
    }

    #[inline]
    pub(super) fn record(&mut self) {}
}
