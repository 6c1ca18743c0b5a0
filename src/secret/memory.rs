//! Secrets in memory.

use std::{collections::BTreeMap, fmt, sync::PoisonError};

use super::{Secret, error::SecretError, set::SecretSet, store::SecretStore};
use crate::sync::{Arc, RwLock};

/// Secrets in memory that can be added, rotated and retired while the server runs.
///
/// A clone is a second handle on the same secrets. `Debug` shows the names and the fingerprints.
///
/// | a name that was | the host answers |
/// | --- | --- |
/// | [revoked](Self::revoke) | 401, until a secret is inserted again |
/// | [removed](Self::remove), or never inserted | 503: the store does not know, and a consumer may try again |
///
/// ```
/// use hmac_auth::{MemorySecrets, Secret, generate_secret};
///
/// let secrets = MemorySecrets::new();
/// secrets.insert("site-a", Secret::from_text(&generate_secret()?)?);
///
/// // Later: sign with the new one, still accept the old one …
/// secrets.rotate("site-a", Secret::from_text(&generate_secret()?)?)?;
/// // … until every consumer has it.
/// secrets.retire("site-a")?;
/// # Ok::<(), hmac_auth::SecretError>(())
/// ```
#[derive(Clone, Default)]
pub struct MemorySecrets(Arc<RwLock<Entries>>);

/// The set under each name; `None` for a name that was revoked.
type Entries = BTreeMap<String, Option<SecretSet>>;

impl MemorySecrets {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `secret` under `name`; what was there before is no longer accepted.
    pub fn insert(&self, name: impl Into<String>, secret: Secret) {
        self.insert_set(name, SecretSet::new(secret));
    }

    /// Puts a whole set under `name`; what was there before is no longer accepted.
    pub fn insert_set(&self, name: impl Into<String>, set: SecretSet) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.into(), Some(set));
    }

    /// Makes `secret` the current one and keeps accepting what was current before, and up to two
    /// older ones.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`] if there is nothing under `name` to rotate,
    /// [`SecretError::Revoked`] if it was revoked.
    pub fn rotate(&self, name: &str, secret: Secret) -> Result<(), SecretError> {
        self.change(name, |set| set.rotated(secret))
    }

    /// Stops accepting the previous secrets of `name`; the current one stays.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`] if there is nothing under `name`, [`SecretError::Revoked`] if it was
    /// revoked.
    pub fn retire(&self, name: &str) -> Result<(), SecretError> {
        self.change(name, |set| SecretSet::new(set.current().clone()))
    }

    /// Revokes all secrets under `name`, until one is inserted again; says whether there was one.
    ///
    /// The host answers 401 to their holders, as for every other failure of authentication. The
    /// operator reads [`AuthErrorKind::Revoked`](crate::AuthErrorKind::Revoked). A name that was
    /// never inserted can be revoked too.
    pub fn revoke(&self, name: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), None)
            .flatten()
            .is_some()
    }

    /// Forgets `name`, with all its secrets or its revocation; says whether there was a secret.
    ///
    /// The host then cannot decide about its holders, and answers 503. To refuse them for good, call
    /// [`revoke`](Self::revoke).
    pub fn remove(&self, name: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name)
            .flatten()
            .is_some()
    }

    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&SecretSet) -> SecretSet,
    ) -> Result<(), SecretError> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match entries.get_mut(name) {
            Some(Some(set)) => {
                *set = change(set);
                Ok(())
            }
            Some(None) => Err(revoked(name)),
            None => Err(not_found(name)),
        }
    }
}

impl SecretStore for MemorySecrets {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match entries.get(name) {
            Some(Some(set)) => Ok(set.clone()),
            Some(None) => Err(revoked(name)),
            None => Err(not_found(name)),
        }
    }
}

impl fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let shown = |set: &'_ Option<SecretSet>| match set {
            Some(set) => format!("{set:?}"),
            None => "revoked".to_owned(),
        };
        f.debug_map()
            .entries(entries.iter().map(|(name, set)| (name, shown(set))))
            .finish()
    }
}

fn not_found(name: &str) -> SecretError {
    SecretError::NotFound {
        name: name.to_owned(),
        place: "such entry in these `MemorySecrets`".to_owned(),
    }
}

fn revoked(name: &str) -> SecretError {
    SecretError::Revoked {
        name: name.to_owned(),
        reason: "by `MemorySecrets::revoke`; to accept it again, insert a secret".to_owned(),
    }
}
