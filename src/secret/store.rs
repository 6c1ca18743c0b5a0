//! Where secrets are looked up by name.

use std::sync::Arc;

use super::{error::SecretError, set::SecretSet};

/// A store of secrets, each under its name.
///
/// The name is the host's or the consumer's own, never a peer's. A peer can at most choose among
/// the key ids that [`ValidateOptions::key_ids`](crate::ValidateOptions::key_ids) lists.
///
/// Each request causes a look-up, so serve look-ups from memory. To fetch secrets asynchronously,
/// use the phases of a [`Claim`](crate::Claim).
///
/// ```
/// use hmac_auth::{MemorySecrets, Secret, SecretError, SecretSet, SecretStore};
///
/// struct Vault(MemorySecrets);
///
/// impl SecretStore for Vault {
///     fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
///         self.0.lookup(name)
///     }
/// }
/// # let vault = Vault(MemorySecrets::new());
/// # assert!(vault.lookup("missing").is_err());
/// ```
pub trait SecretStore: Send + Sync {
    /// The secrets under `name`.
    ///
    /// # Errors
    ///
    /// [`SecretError::Revoked`] if the secret was revoked: a host answers 401. Any other
    /// [`SecretError`] if there is no such secret, or if the store cannot be reached: a host answers
    /// 503.
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError>;
}

impl<T: SecretStore + ?Sized> SecretStore for &T {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        (**self).lookup(name)
    }
}

impl<T: SecretStore + ?Sized> SecretStore for Box<T> {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        (**self).lookup(name)
    }
}

impl<T: SecretStore + ?Sized> SecretStore for Arc<T> {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        (**self).lookup(name)
    }
}
