//! The secrets that are accepted under one name.

use std::{fmt, sync::Arc};

use super::{Fingerprint, MAX_PREVIOUS_SECRETS, Secret, error::SecretError};
use crate::crypto::Mac;

/// The current secret under a name, and up to three previous secrets that a host still accepts.
///
/// A clone shares the secrets. `Debug` shows their fingerprints.
#[derive(Clone)]
pub struct SecretSet(Arc<[Secret]>);

impl SecretSet {
    /// A set with one secret: the host accepts it, and the consumer signs with it.
    #[must_use]
    pub fn new(current: Secret) -> Self {
        Self(Arc::new([current]))
    }

    /// A set in the middle of a rotation: sign with `current`, accept `previous` too, the most
    /// recent first.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooManyPrevious`] for more than three: each of them costs a MAC for each
    /// forged request.
    pub fn with_previous(
        current: Secret,
        previous: impl IntoIterator<Item = Secret>,
    ) -> Result<Self, SecretError> {
        let all: Arc<[Secret]> = std::iter::once(current).chain(previous).collect();
        if all.len() > 1 + MAX_PREVIOUS_SECRETS {
            return Err(SecretError::TooManyPrevious {
                count: all.len() - 1,
            });
        }
        Ok(Self(all))
    }

    /// The secret to sign with.
    #[must_use]
    pub fn current(&self) -> &Secret {
        &self.0[0]
    }

    /// All secrets to accept, the current one first.
    pub fn accepted(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    /// The fingerprints of all secrets to accept, that of the current one first.
    pub fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        self.accepted().map(Secret::fingerprint)
    }

    /// The secret under which `mac` is the MAC of `message`, and whether it is the current one. This
    /// and [`Secret::verifies`] are the only places where a MAC is checked.
    #[inline]
    pub(crate) fn verified_by(&self, message: &[u8], mac: &Mac) -> Option<(&Secret, bool)> {
        let mut secrets = self.accepted().enumerate();
        let (position, secret) = secrets.find(|(_, secret)| secret.verifies(message, mac))?;
        Some((secret, position == 0))
    }

    /// Whether this is the current secret.
    pub(super) fn begins_with(&self, secret: &Secret) -> bool {
        self.current().fingerprint() == secret.fingerprint()
    }

    /// This set after a rotation. The oldest of more than three previous secrets is dropped.
    pub(super) fn rotated(&self, current: Secret) -> Self {
        Self(
            std::iter::once(current)
                .chain(self.0.iter().take(MAX_PREVIOUS_SECRETS).cloned())
                .collect(),
        )
    }
}

impl From<Secret> for SecretSet {
    fn from(current: Secret) -> Self {
        Self::new(current)
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fingerprint) in self.fingerprints().enumerate() {
            let before = match index {
                0 => "SecretSet(current ",
                1 => ", previous ",
                _ => " ",
            };
            write!(f, "{before}{fingerprint}")?;
        }
        f.write_str(")")
    }
}
