//! The requirements of a backend: for which app an app instance is, and how old it may be.

use std::time::{Duration, SystemTime};

use super::{
    error::{AppInstanceError, AppInstanceErrorKind},
    payload::Payload,
};
use crate::{time::Clock, validate::DEFAULT_MAX_CLOCK_SKEW, wix::app_id::check_app};

/// The default name of the app secret in a store: `wix-app-secret`.
pub const DEFAULT_APP_SECRET_NAME: &str = "wix-app-secret";

/// The default age up to which an app instance is accepted: one day, as Wix advises.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The requirements of a backend for app instances.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`app_id`](Self::app_id) | none: every app whose instances the secret signs |
/// | [`max_age`](Self::max_age) | [`DEFAULT_MAX_AGE`], one day |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`secret_name`](Self::secret_name) | [`DEFAULT_APP_SECRET_NAME`], `wix-app-secret` |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
#[derive(Clone, Debug)]
pub struct AppInstanceOptions {
    app_id: Option<Box<str>>,
    max_age: Duration,
    max_clock_skew: Duration,
    pub(super) secret_name: Box<str>,
    clock: Clock,
}

impl Default for AppInstanceOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl AppInstanceOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            app_id: None,
            max_age: DEFAULT_MAX_AGE,
            max_clock_skew: DEFAULT_MAX_CLOCK_SKEW,
            secret_name: DEFAULT_APP_SECRET_NAME.into(),
            clock: Clock::default(),
        }
    }

    /// Accepts only app instances of this app: `appDefId` must be present and equal, in any case.
    #[must_use]
    pub fn app_id(mut self, app_id: impl Into<Box<str>>) -> Self {
        self.app_id = Some(app_id.into());
        self
    }

    /// The greatest age of an app instance, counted from `signDate`. An earlier `expirationDate`
    /// limits it further.
    ///
    /// An open page keeps its app instance. With a shorter age, users must reload their pages more
    /// often.
    #[must_use]
    pub fn max_age(mut self, duration: Duration) -> Self {
        self.max_age = duration;
        self
    }

    /// How far the clock of Wix may be ahead of yours.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = duration;
        self
    }

    /// The name under which the layer looks up the app secret in its
    /// [`SecretStore`](crate::SecretStore).
    #[must_use]
    pub fn secret_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.secret_name = name.into();
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

    /// The time until which a payload is accepted: its greatest age, or its expiration date if that
    /// is earlier.
    pub(super) fn accepted_until(&self, payload: &Payload) -> Option<SystemTime> {
        let oldest = payload.sign_date.0.checked_add(self.max_age);
        match (oldest, payload.expiration_date()) {
            (Some(oldest), Some(date)) => Some(oldest.min(date)),
            (oldest, date) => oldest.or(date),
        }
    }

    /// Checks the app and the times of a payload.
    pub(super) fn check(&self, payload: &Payload) -> Result<(), AppInstanceError> {
        if let Some(app_id) = &self.app_id {
            check_app(payload.app_id.as_deref(), app_id).map_err(|reason| {
                AppInstanceError::new(AppInstanceErrorKind::WrongApp).detail(reason)
            })?;
        }
        let now = self.clock.now();
        match now.duration_since(payload.sign_date.0) {
            Ok(age) if age > self.max_age => {
                let stale = refusal(AppInstanceErrorKind::Stale, age);
                return Err(match self.clock.check() {
                    Ok(()) => stale,
                    Err(problem) => stale.detail(problem),
                });
            }
            Err(ahead) if ahead.duration() > self.max_clock_skew => {
                return Err(refusal(AppInstanceErrorKind::InFuture, ahead.duration()));
            }
            _ => {}
        }
        let expired_since = payload
            .expiration_date()
            .and_then(|date| now.duration_since(date).ok());
        match expired_since {
            Some(since) if !since.is_zero() => Err(refusal(AppInstanceErrorKind::Expired, since)),
            _ => Ok(()),
        }
    }
}

fn refusal(kind: AppInstanceErrorKind, by: Duration) -> AppInstanceError {
    AppInstanceError::new(kind).detail(format!("{} s", by.as_secs()))
}
