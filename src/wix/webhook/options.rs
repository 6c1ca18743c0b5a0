//! What a backend accepts: the public keys of the app, and the age of what they have signed.

use std::time::{Duration, SystemTime};

use super::{
    error::{WebhookError, WebhookErrorKind},
    key::WebhookKey,
};
use crate::{time::Clock, validate::DEFAULT_MAX_CLOCK_SKEW};

/// The default age up to which a signed text is accepted: 24 hours.
pub const DEFAULT_MAX_WEBHOOK_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The requirements of a backend for what Wix signs with a private key.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`also_accept`](Self::also_accept) | none: only the key of [`new`](Self::new) |
/// | [`max_age`](Self::max_age) | [`DEFAULT_MAX_WEBHOOK_AGE`], 24 hours |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    keys: Vec<WebhookKey>,
    max_age: Duration,
    max_clock_skew: Duration,
    clock: Clock,
}

impl WebhookOptions {
    /// Accepts what this key has signed.
    #[must_use]
    pub fn new(key: WebhookKey) -> Self {
        Self {
            keys: vec![key],
            max_age: DEFAULT_MAX_WEBHOOK_AGE,
            max_clock_skew: DEFAULT_MAX_CLOCK_SKEW,
            clock: Clock::default(),
        }
    }

    /// Also accepts what this key has signed: the previous key of the app, or that of another app.
    ///
    /// A webhook does not name its app: only [`instance_id`](super::WebhookEvent::instance_id) tells
    /// two apps apart. Give each app options of its own if that is not enough.
    #[must_use]
    pub fn also_accept(mut self, key: WebhookKey) -> Self {
        self.keys.push(key);
        self
    }

    /// The greatest age of a signed text, counted from `iat`. An earlier `exp` limits it further.
    ///
    /// Wix signs some texts for more than a month. With a longer age, somebody who has seen a text
    /// can send it again for longer.
    ///
    /// Wix repeats a webhook for two days until it gets 200, and does not say whether it signs the
    /// webhook anew. With 48 hours, a backend that was away for a day loses nothing.
    #[must_use]
    pub fn max_age(mut self, duration: Duration) -> Self {
        self.max_age = duration;
        self
    }

    /// How far the clocks of Wix and of the backend may differ. It counts for `iat` in the future,
    /// and for `exp` in the past.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = duration;
        self
    }

    /// Takes the present from this clock, and never from the system: for tests, for a clock of your
    /// own, and where the system has none.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// Takes this time for the present, whatever the clock says.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.clock = Clock::Fixed(time);
        self
    }

    pub(super) fn is_signed(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        self.keys
            .iter()
            .any(|key| key.has_signed(message, signature))
    }

    /// Checks the times of verified claims: signed not too early, not too late, and not over.
    pub(super) fn check(
        &self,
        issued_at: SystemTime,
        not_before: Option<SystemTime>,
        expires_at: SystemTime,
    ) -> Result<(), WebhookError> {
        let now = self.clock.now();
        for begin in [Some(issued_at), not_before].into_iter().flatten() {
            match begin.duration_since(now) {
                Ok(ahead) if ahead > self.max_clock_skew => {
                    return Err(refusal(WebhookErrorKind::InFuture, ahead));
                }
                _ => {}
            }
        }
        match now.duration_since(expires_at) {
            Ok(since) if since > self.max_clock_skew => {
                return Err(self.late(WebhookErrorKind::Expired, since));
            }
            _ => {}
        }
        match now.duration_since(issued_at) {
            Ok(age) if age > self.max_age => Err(self.late(WebhookErrorKind::Stale, age)),
            _ => Ok(()),
        }
    }

    fn late(&self, kind: WebhookErrorKind, by: Duration) -> WebhookError {
        let late = refusal(kind, by);
        match self.clock.check() {
            Ok(()) => late,
            Err(problem) => late.detail(problem),
        }
    }
}

fn refusal(kind: WebhookErrorKind, by: Duration) -> WebhookError {
    WebhookError::new(kind).detail(format!("{} s", by.as_secs()))
}
