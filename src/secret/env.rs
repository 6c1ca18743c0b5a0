//! Secrets from environment variables.

use std::{
    collections::HashMap,
    env::{self, VarError},
    fmt,
    sync::{PoisonError, RwLock},
};

use zeroize::Zeroizing;

use super::{
    MAX_PREVIOUS_SECRETS, Secret, SecretEncoding, error::SecretError, set::SecretSet,
    store::SecretStore,
};

/// Secrets from environment variables.
///
/// The variable of a secret is the prefix and its name in upper case, with `_` for everything but
/// letters and digits. Previous secrets are optional, in `…_PREVIOUS`, `…_PREVIOUS_2` and
/// `…_PREVIOUS_3`. With the prefix `APP_`, the default secret name is read from
/// `APP_HMAC_AUTHENTICATION_SECRET_KEY`.
///
/// A variable is read at the first use of its name and then kept: a process cannot see its
/// environment change. Two names that differ only in punctuation or case share a variable.
///
/// ```
/// use hmac_auth::{EnvSecrets, SecretStore, DEFAULT_SECRET_NAME};
///
/// let secrets = EnvSecrets::new("UNSET_APP_");
/// let error = secrets.lookup(DEFAULT_SECRET_NAME).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "no secret named `hmac-authentication-secret-key`: there is no \
///      environment variable UNSET_APP_HMAC_AUTHENTICATION_SECRET_KEY \
///      (`openssl rand -hex 32` makes one)"
/// );
/// ```
pub struct EnvSecrets {
    prefix: String,
    encoding: SecretEncoding,
    read: RwLock<HashMap<String, SecretSet>>,
}

impl EnvSecrets {
    /// A store over the variables that start with `prefix`, which may be empty.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            encoding: SecretEncoding::Text,
            read: RwLock::default(),
        }
    }

    /// How the variables spell their bytes. Default: [`SecretEncoding::Text`].
    #[must_use]
    pub fn encoding(mut self, encoding: SecretEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    fn read(&self, name: &str) -> Result<SecretSet, SecretError> {
        let variable = self.variable(name)?;
        let current =
            self.read_variable(name, &variable)?
                .ok_or_else(|| SecretError::NotFound {
                    name: name.to_owned(),
                    place: format!("environment variable {variable}"),
                })?;
        let mut previous = Vec::new();
        for age in 1..=MAX_PREVIOUS_SECRETS {
            let suffix = if age == 1 {
                String::new()
            } else {
                format!("_{age}")
            };
            previous.extend(self.read_variable(name, &format!("{variable}_PREVIOUS{suffix}"))?);
        }
        SecretSet::with_previous(current, previous)
    }

    fn variable(&self, name: &str) -> Result<String, SecretError> {
        if name.is_empty() {
            return Err(SecretError::InvalidName {
                name: name.to_owned(),
            });
        }
        let upper = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        Ok(self.prefix.chars().chain(name.chars().map(upper)).collect())
    }

    /// The secret in `variable`, `None` if it is unset. Set but empty is an error.
    fn read_variable(&self, name: &str, variable: &str) -> Result<Option<Secret>, SecretError> {
        let secret = match env::var(variable).map(Zeroizing::new) {
            Ok(text) => Secret::decode(&text, self.encoding),
            Err(VarError::NotPresent) => return Ok(None),
            Err(VarError::NotUnicode(_)) => Err(SecretError::Encoding {
                expected: SecretEncoding::Text,
            }),
        };
        secret.map(Some).map_err(|source| SecretError::Unusable {
            name: name.to_owned(),
            place: format!("environment variable {variable}"),
            source: Box::new(source),
        })
    }
}

impl SecretStore for EnvSecrets {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        if let Some(set) = self
            .read
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
        {
            return Ok(set.clone());
        }
        let set = self.read(name)?;
        self.read
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), set.clone());
        Ok(set)
    }
}

impl fmt::Debug for EnvSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvSecrets")
            .field("prefix", &self.prefix)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}
