//! Secrets in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Secret, error::SecretError, set::SecretSet, store::SecretStore};

/// Secrets in memory that can be added, rotated and retired while the server runs.
///
/// A clone is a second handle on the same secrets. `Debug` shows the names.
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
pub struct MemorySecrets(Arc<RwLock<BTreeMap<String, SecretSet>>>);

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
            .insert(name.into(), set);
    }

    /// Makes `secret` the current one and keeps accepting what was current before, and up to two
    /// older ones.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`] if there is nothing under `name` to rotate.
    pub fn rotate(&self, name: &str, secret: Secret) -> Result<(), SecretError> {
        self.change(name, |set| set.rotated(secret))
    }

    /// Stops accepting the previous secrets of `name`; the current one stays.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`] if there is nothing under `name`.
    pub fn retire(&self, name: &str) -> Result<(), SecretError> {
        self.change(name, |set| SecretSet::new(set.current().clone()))
    }

    /// Removes `name` with all its secrets; says whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name)
            .is_some()
    }

    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&SecretSet) -> SecretSet,
    ) -> Result<(), SecretError> {
        let mut sets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let set = sets.get_mut(name).ok_or_else(|| not_found(name))?;
        *set = change(set);
        Ok(())
    }
}

impl SecretStore for MemorySecrets {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
            .ok_or_else(|| not_found(name))
    }
}

impl fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_map().entries(sets.iter()).finish()
    }
}

fn not_found(name: &str) -> SecretError {
    SecretError::NotFound {
        name: name.to_owned(),
        place: "such entry in these `MemorySecrets`".to_owned(),
    }
}
