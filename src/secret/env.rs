//! Secrets from environment variables.

use std::{
    collections::HashMap,
    env, fmt,
    sync::{PoisonError, RwLock},
};

use zeroize::Zeroizing;

use super::{
    MAX_PREVIOUS_SECRETS, Secret, SecretEncoding,
    error::{SecretError, unusable},
    set::SecretSet,
    store::SecretStore,
};

/// Secrets from environment variables.
///
/// The variable of a secret is the prefix and its name in upper case, with `_` for everything but
/// letters and digits. Previous secrets are optional, in `…_PREVIOUS`, `…_PREVIOUS_2` and
/// `…_PREVIOUS_3`. With the prefix `APP_`, the default secret name is read from
/// `APP_HMAC_AUTHENTICATION_SECRET_KEY`.
///
/// The variable `…_REVOKED` revokes a secret, whatever its value is: the host answers 401. No
/// variable of a secret has such an ending. One line break at the end of a text is not part of the
/// secret; whatever else looks like an accident is an error: quotation marks around the text, a
/// blank at its end, a byte order mark.
///
/// A variable is read at the first use of its name and then kept: a process cannot see its
/// environment change. So a new, a removed and a revoked secret need a restart. Two names that
/// differ only in punctuation or case share a variable.
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
    ///
    /// [`SecretEncoding::Raw`] makes each look-up fail: a variable cannot hold each byte.
    #[must_use]
    pub fn encoding(mut self, encoding: SecretEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    fn read(&self, name: &str) -> Result<SecretSet, SecretError> {
        let variable = self.variable(name)?;
        let marker = format!("{variable}_REVOKED");
        if env::var_os(&marker).is_some() {
            return Err(SecretError::Revoked {
                name: name.to_owned(),
                reason: format!(
                    "there is an environment variable {marker}; \
                     to accept it again, unset it and restart"
                ),
            });
        }
        let current =
            self.read_variable(name, &variable, false)?
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
            let variable = format!("{variable}_PREVIOUS{suffix}");
            previous.extend(self.read_variable(name, &variable, true)?);
        }
        SecretSet::with_previous(current, previous)
    }

    fn variable(&self, name: &str) -> Result<String, SecretError> {
        let upper = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let variable: String = self.prefix.chars().chain(name.chars().map(upper)).collect();
        if name.is_empty() || has_reserved_ending(&variable) {
            return Err(SecretError::InvalidName {
                name: name.to_owned(),
            });
        }
        Ok(variable)
    }

    /// The secret in `variable`, `None` if it is unset. Set but empty is an error.
    fn read_variable(
        &self,
        name: &str,
        variable: &str,
        is_previous: bool,
    ) -> Result<Option<Secret>, SecretError> {
        let Some(value) = env::var_os(variable) else {
            return Ok(None);
        };
        let value = Zeroizing::new(value.into_encoded_bytes());
        let secret = match self.encoding {
            SecretEncoding::Raw => Err(SecretError::RawVariable),
            encoding => Secret::from_configured(&value, encoding),
        };
        secret.map(Some).map_err(|source| {
            let place = format!("environment variable {variable}");
            unusable(name, &place, is_previous, source)
        })
    }
}

/// Whether a variable has an ending that has a meaning here. Windows ignores the case of its
/// letters.
fn has_reserved_ending(variable: &str) -> bool {
    let variable = variable.to_ascii_uppercase();
    let without_age = variable.trim_end_matches(|c: char| c.is_ascii_digit());
    let previous = without_age.strip_suffix('_').unwrap_or(without_age);
    variable.ends_with("_REVOKED") || previous.ends_with("_PREVIOUS")
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
