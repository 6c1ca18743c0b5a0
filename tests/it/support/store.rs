//! A store of secrets that notes each name that it is asked for.

use std::sync::{Mutex, PoisonError};

use hmac_auth::{MemorySecrets, SecretError, SecretSet, SecretStore};

/// A store that notes for which names it was asked.
pub(crate) struct Noting(MemorySecrets, Mutex<Vec<String>>);

impl Noting {
    pub(crate) fn new(secrets: MemorySecrets) -> Self {
        Self(secrets, Mutex::default())
    }

    /// The names since the last time.
    pub(crate) fn names(&self) -> Vec<String> {
        std::mem::take(&mut *self.1.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SecretStore for Noting {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        self.1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.to_owned());
        self.0.lookup(name)
    }
}
