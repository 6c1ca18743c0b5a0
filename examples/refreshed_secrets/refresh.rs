//! The task that keeps a secret as fresh as its source.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use hmac_auth::{Fingerprint, MemorySecrets, SecretSet};
use tokio::time::sleep;

use crate::source::{Source, SourceError};

/// Reads a secret again and again. If that fails, the last good value stays in use.
pub(crate) struct Refresher {
    source: Source,
    secrets: MemorySecrets,
    name: &'static str,
    every: Duration,
    max_age: Duration,
}

/// The value in use, and since when it is known to be that of the source.
pub(crate) struct LastGood {
    fingerprints: Vec<Fingerprint>,
    confirmed: Instant,
}

impl Refresher {
    pub(crate) fn new(source: Source, secrets: MemorySecrets, name: &'static str) -> Self {
        Self {
            source,
            secrets,
            name,
            every: Duration::from_secs(60),
            max_age: Duration::from_secs(600),
        }
    }

    pub(crate) fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    pub(crate) fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// The value for the start: there is no last good one.
    pub(crate) async fn first(&self) -> Result<LastGood, SourceError> {
        let confirmed = Instant::now();
        let set = self.source.read().await?;
        Ok(self.take(set, confirmed))
    }

    pub(crate) async fn run(self, mut last_good: LastGood) {
        loop {
            sleep(self.pause()).await;
            // The source may have changed right after it was asked.
            let asked = Instant::now();
            match self.source.read().await {
                Ok(set) => {
                    let before = last_good.fingerprints;
                    last_good = self.take(set, asked);
                    if last_good.fingerprints != before {
                        let fingerprints = &last_good.fingerprints;
                        tracing::info!(name = self.name, ?fingerprints, "the secret has changed");
                    }
                }
                Err(error) => self.report(&error, last_good.confirmed.elapsed()),
            }
        }
    }

    fn take(&self, set: SecretSet, confirmed: Instant) -> LastGood {
        let fingerprints = set.fingerprints().collect();
        self.secrets.insert_set(self.name, set);
        LastGood {
            fingerprints,
            confirmed,
        }
    }

    /// One failure is worth a look. An old secret may have been revoked long ago, so somebody has to act.
    fn report(&self, error: &SourceError, age: Duration) {
        let (name, age_seconds) = (self.name, age.as_secs_f64());
        if age < self.max_age {
            tracing::warn!(name, age_seconds, %error, "the secret was not refreshed");
        } else {
            tracing::error!(name, age_seconds, %error, "the secret is old");
        }
    }

    /// Many hosts that were started at once do not ask at once: each pause is up to a tenth longer or shorter.
    fn pause(&self) -> Duration {
        // The standard library seeds it at random.
        let random = RandomState::new().hash_one(()) % 2_001;
        let share = 9_000 + u32::try_from(random).unwrap_or_default();
        (self.every / 10_000).saturating_mul(share)
    }
}
