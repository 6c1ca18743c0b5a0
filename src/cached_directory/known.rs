//! A consumer that the directory has given, and when it is to be confirmed.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{FAILURE_COUNTS, PAUSE};
use crate::{time::Moment, validate::Consumer};

/// A clock that steps back by no more than this counts as one that stands still. Two threads that
/// read a clock may also use its times in the other order.
const SMALL_STEP: Duration = Duration::from_secs(1);

pub(super) struct Known {
    consumer: Consumer,
    /// When the look-up began that gave this answer.
    confirmed: Moment,
    /// The age of the answer when it was last used, in milliseconds: no answer gets younger.
    oldest: AtomicU64,
    /// The age of the answer when the directory is asked next, in milliseconds.
    ask_at: AtomicU64,
    /// The age of the answer when the directory last failed, in milliseconds; `u64::MAX` if it never
    /// did.
    failed_at: AtomicU64,
}

/// In milliseconds, as each request compares them.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    time_to_live: u64,
    longest: u64,
}

impl Limits {
    /// An answer is over after `longest`, and at `time_to_live` at the earliest.
    pub(super) fn new(time_to_live: Duration, longest: Duration) -> Self {
        Self {
            time_to_live: millis(time_to_live),
            longest: millis(longest),
        }
    }
}

pub(super) enum State {
    /// The answer counts.
    Usable,
    /// The answer counts, and somebody has to confirm it: only one caller in a second gets this.
    Due,
    /// The answer counts only if the directory cannot be asked.
    Old,
    /// As [`Old`](Self::Old), and the directory has just failed: no request has to wait for it again.
    /// Only one caller in a second gets this, and asks.
    Down,
    /// The answer counts no more.
    Over,
}

impl Known {
    pub(super) fn new(consumer: Consumer, confirmed: Moment, time_to_live: Duration) -> Self {
        Self {
            consumer,
            confirmed,
            oldest: AtomicU64::new(0),
            ask_at: AtomicU64::new(millis(time_to_live) / 4 * 3),
            failed_at: AtomicU64::new(u64::MAX),
        }
    }

    pub(super) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    pub(super) fn state(&self, now: Moment, limits: Limits) -> State {
        // `None` if the clock was set back: nobody knows how old the answer is.
        let Some(age) = self.age(now) else {
            return State::Over;
        };
        if age >= limits.longest {
            return State::Over;
        }
        let ask_at = self.ask_at.load(Ordering::Relaxed);
        if age < ask_at {
            return State::Usable;
        }
        let is_old = age >= limits.time_to_live;
        if is_old && !self.has_just_failed(age, limits) {
            return State::Old;
        }
        let next = age.saturating_add(millis(PAUSE));
        let is_first =
            self.ask_at
                .compare_exchange(ask_at, next, Ordering::Relaxed, Ordering::Relaxed);
        match is_first {
            Ok(_) if is_old => State::Down,
            Ok(_) => State::Due,
            Err(_) => State::Usable,
        }
    }

    /// Leaves the directory alone for a moment, because it has just failed.
    pub(super) fn put_off(&self, now: Moment) {
        if let Some(age) = self.age(now) {
            let next = age.saturating_add(millis(PAUSE));
            self.ask_at.store(next, Ordering::Relaxed);
            self.failed_at.store(age, Ordering::Relaxed);
        }
    }

    fn has_just_failed(&self, age: u64, limits: Limits) -> bool {
        let since = age.checked_sub(self.failed_at.load(Ordering::Relaxed));
        // A failure counts for the time to live at most: after that, a directory that is back has to
        // be heard.
        since.is_some_and(|since| since < limits.time_to_live.min(millis(FAILURE_COUNTS)))
    }

    /// The age of the answer, in milliseconds; `None` if the clock cannot say that.
    fn age(&self, now: Moment) -> Option<u64> {
        let age = millis(now.since(self.confirmed)?);
        let oldest = self.oldest.load(Ordering::Relaxed);
        if age > oldest {
            self.oldest.fetch_max(age, Ordering::Relaxed);
        } else if oldest - age > millis(SMALL_STEP) {
            return None;
        }
        Some(age.max(oldest))
    }
}

fn millis(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000);
    seconds.saturating_add(duration.subsec_millis().into())
}
