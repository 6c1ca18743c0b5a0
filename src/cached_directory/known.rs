//! A consumer that the directory has given, and when it is to be confirmed.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use super::PAUSE;
use crate::validate::Consumer;

pub(super) struct Known {
    consumer: Consumer,
    /// When the look-up began that gave it.
    confirmed: SystemTime,
    /// How old it is when the directory is asked next, in milliseconds.
    ask_at: AtomicU64,
}

pub(super) enum State {
    /// It counts.
    Usable,
    /// It counts, and somebody has to confirm it: only one caller in a second hears that.
    Due,
    /// It counts only if the directory cannot be asked.
    Old,
    /// It counts no more.
    Over,
}

impl Known {
    pub(super) fn new(consumer: Consumer, confirmed: SystemTime, time_to_live: Duration) -> Self {
        Self {
            consumer,
            confirmed,
            ask_at: AtomicU64::new(millis(time_to_live) / 4 * 3),
        }
    }

    pub(super) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    pub(super) fn state(
        &self,
        now: SystemTime,
        time_to_live: Duration,
        revocation_time: Duration,
    ) -> State {
        // Before that time, the clock was set back: nobody knows how old it is.
        let Ok(age) = now.duration_since(self.confirmed) else {
            return State::Over;
        };
        if age >= revocation_time.max(time_to_live) {
            return State::Over;
        }
        let ask_at = self.ask_at.load(Ordering::Relaxed);
        if millis(age) < ask_at {
            return State::Usable;
        }
        if age >= time_to_live {
            return State::Old;
        }
        let next = millis(age + PAUSE);
        let is_first =
            self.ask_at
                .compare_exchange(ask_at, next, Ordering::Relaxed, Ordering::Relaxed);
        if is_first.is_ok() {
            State::Due
        } else {
            State::Usable
        }
    }

    /// Leaves the directory alone for a moment: it has just failed.
    pub(super) fn put_off(&self, now: SystemTime) {
        if let Ok(age) = now.duration_since(self.confirmed) {
            self.ask_at.store(millis(age + PAUSE), Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
