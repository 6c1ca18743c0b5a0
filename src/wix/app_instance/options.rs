use std::time::{Duration, SystemTime};

use super::{AppInstance, AppInstanceError, AppInstanceErrorKind};
use crate::validate::DEFAULT_MAX_CLOCK_SKEW;

/// The name under which the app secret is looked up, unless configured: `wix-app-secret`.
pub const DEFAULT_APP_SECRET_NAME: &str = "wix-app-secret";

/// How old an app instance may be, unless configured: one day, as Wix advises.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a backend asks of an app instance.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`app_id`](Self::app_id) | none: any app that is signed with the secret |
/// | [`max_age`](Self::max_age) | [`DEFAULT_MAX_AGE`], one day |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`secret_name`](Self::secret_name) | [`DEFAULT_APP_SECRET_NAME`], `wix-app-secret` |
/// | [`at`](Self::at) | the clock |
#[derive(Clone, Debug)]
pub struct AppInstanceOptions {
    app_id: Option<Box<str>>,
    max_age: Duration,
    max_clock_skew: Duration,
    pub(in crate::wix) secret_name: Box<str>,
    at: Option<SystemTime>,
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
            at: None,
        }
    }

    /// The id of the app: `appDefId` must be there and equal.
    #[must_use]
    pub fn app_id(mut self, app_id: impl Into<Box<str>>) -> Self {
        self.app_id = Some(app_id.into());
        self
    }

    /// How old `signDate` may be. An earlier `expirationDate` counts in any case.
    ///
    /// Pages keep their app instance for as long as they are open; a shorter time has them reload.
    #[must_use]
    pub fn max_age(mut self, duration: Duration) -> Self {
        self.max_age = duration;
        self
    }

    /// How far the clock of Wix may run ahead.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = duration;
        self
    }

    /// The name of the app secret in a [`SecretStore`](crate::SecretStore), for the layer.
    #[must_use]
    pub fn secret_name(mut self, name: impl Into<Box<str>>) -> Self {
        self.secret_name = name.into();
        self
    }

    /// Verifies as if at this time, for tests and for clocks of your own.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(time);
        self
    }

    pub(super) fn check(&self, instance: &AppInstance) -> Result<(), AppInstanceError> {
        if self.app_id.is_some() && instance.app_id() != self.app_id.as_deref() {
            return Err(AppInstanceErrorKind::WrongApp.into());
        }
        let now = self.at.unwrap_or_else(crate::time::now);
        let refuse = |kind, by: Duration| {
            Err(AppInstanceError::new(kind).detail(format!("{} s", by.as_secs())))
        };
        match now.duration_since(instance.sign_date()) {
            Ok(age) if age > self.max_age => return refuse(AppInstanceErrorKind::Stale, age),
            Err(ahead) if ahead.duration() > self.max_clock_skew => {
                return refuse(AppInstanceErrorKind::InFuture, ahead.duration());
            }
            _ => {}
        }
        match instance
            .expiration_date()
            .map(|expires| now.duration_since(expires))
        {
            Some(Ok(over)) if !over.is_zero() => refuse(AppInstanceErrorKind::Expired, over),
            _ => Ok(()),
        }
    }
}
