//! The consumers that a host lists, and whether they can be told apart.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{KeyId, ValidateOptions};
use crate::{
    escape::escape,
    secret::{Fingerprint, SecretError, SecretStore},
    structured::{MAX_FIELD_LEN, is_printable_ascii},
    validate::error::{AuthError, AuthErrorKind},
};

/// Why secrets alone are no use with these options.
pub(in crate::validate) const ASKS_FOR_DIRECTORY: &str = "the options ask for a directory of \
     consumers: verify with one, or take out `consumer_directory`";

impl ValidateOptions {
    /// The consumers, each by its key id and the name of its secret.
    ///
    /// A signature with another key id, or with none, is refused, and
    /// [`secret_name`](Self::secret_name) is not used. Each key id stands here once, in printable
    /// ASCII, and has a secret name of its own.
    ///
    /// ```
    /// use hmac_auth::ValidateOptions;
    ///
    /// let options = ValidateOptions::new().key_ids([
    ///     ("site-a", "secret-of-site-a"),
    ///     ("site-b", "secret-of-site-b"),
    /// ]);
    /// # options.check().unwrap();
    /// ```
    #[must_use]
    pub fn key_ids<K: Into<Box<str>>, N: Into<Arc<str>>>(
        mut self,
        key_ids: impl IntoIterator<Item = (K, N)>,
    ) -> Self {
        let mut listed = BTreeMap::new();
        self.repeated_key_ids.clear();
        for (id, name) in key_ids {
            let id = KeyId(id.into());
            if listed.insert(id.clone(), name.into()).is_some() {
                self.repeated_key_ids.push(id);
            }
        }
        self.key_ids = Some(listed);
        self.derived()
    }

    /// Leaves the consumers to a [`ConsumerDirectory`](crate::ConsumerDirectory), which is asked by
    /// key id.
    ///
    /// A signature without a key id is refused. [`secret_name`](Self::secret_name) is not used, and
    /// [`key_ids`](Self::key_ids) contradicts this. A layer of `tower` with a directory sets this
    /// option itself. Other hosts give it to [`Claim::parse`](crate::Claim::parse) before
    /// [`Claim::verify_in`](crate::Claim::verify_in);
    /// [`validate_auth`](crate::validate_auth) refuses everything as
    /// [`AuthErrorKind::Misconfigured`].
    #[must_use]
    pub fn consumer_directory(mut self) -> Self {
        self.finds_consumers = true;
        self.derived()
    }

    /// Accepts several key ids with one secret name.
    ///
    /// # Security
    ///
    /// Consumers with one secret cannot be told apart: each of them can sign with the key id of
    /// another one.
    #[must_use]
    pub fn accept_shared_secret_names(mut self) -> Self {
        self.accepts_shared_secret_names = true;
        self.derived()
    }

    /// Whether these options and secrets can be used together. Call it at start-up.
    ///
    /// Makes the checks of [`check`](Self::check). Then looks up each secret that the options name,
    /// and compares the fingerprints of all that are accepted: consumers whose secrets have two
    /// names have two secrets. A revoked secret does not stop the start.
    ///
    /// ```
    /// use hmac_auth::{MemorySecrets, Secret, ValidateOptions, generate_secret};
    ///
    /// let secrets = MemorySecrets::new();
    /// secrets.insert("site-a-secret", Secret::from_text(&generate_secret()?)?);
    /// let options = ValidateOptions::new().key_ids([("site-a", "site-a-secret")]);
    /// options.check_with(&secrets)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`], with the wrong option or with the two names.
    /// [`AuthErrorKind::SecretUnavailable`] if there is no usable secret under a name.
    pub fn check_with(&self, secrets: &(impl SecretStore + ?Sized)) -> Result<(), AuthError> {
        self.check_without_directory()?;
        let names: BTreeSet<&str> = match &self.key_ids {
            Some(key_ids) => key_ids.values().map(|name| &**name).collect(),
            None => BTreeSet::from([&*self.secret_name]),
        };
        let mut seen: BTreeMap<Fingerprint, &str> = BTreeMap::new();
        for name in names {
            let set = match secrets.lookup(name) {
                Ok(set) => set,
                Err(SecretError::Revoked { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for fingerprint in set.fingerprints() {
                let other = *seen.entry(fingerprint).or_insert(name);
                if other != name {
                    let detail = format!(
                        "the secrets named `{}` and `{}` have one fingerprint, {fingerprint}: \
                         give each consumer a secret of its own",
                        escape(other),
                        escape(name)
                    );
                    return Err(AuthError::new(AuthErrorKind::Misconfigured).detail(detail));
                }
            }
        }
        Ok(())
    }

    /// Whether anything can be validated with secrets alone.
    pub(crate) fn check_without_directory(&self) -> Result<(), AuthError> {
        self.check()?;
        if self.finds_consumers {
            return Err(AuthError::new(AuthErrorKind::Misconfigured).detail(ASKS_FOR_DIRECTORY));
        }
        Ok(())
    }

    /// The problems of the listed key ids, and of the names of their secrets.
    pub(super) fn problems_of_key_ids(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.finds_consumers && self.key_ids.is_some() {
            problems.push(
                "both `key_ids` and `consumer_directory`: list the consumers, or have them found"
                    .to_owned(),
            );
        }
        for KeyId(id) in &self.repeated_key_ids {
            problems.push(format!("the key id `{}` is listed twice", escape(id)));
        }
        let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
        for (KeyId(id), name) in self.key_ids.iter().flatten() {
            if !is_printable_ascii(id) {
                problems.push(format!(
                    "the key id `{}` is not printable ASCII",
                    escape(id)
                ));
            } else if id.len() > MAX_FIELD_LEN {
                problems.push(format!(
                    "the key id `{}` has more bytes than the field of a signature, {MAX_FIELD_LEN}",
                    escape(id)
                ));
            }
            let other = *ids.entry(name).or_insert(id);
            if other != &**id && !self.accepts_shared_secret_names {
                problems.push(format!(
                    "the key ids `{}` and `{}` have one secret, `{}`: give each its own, or call \
                     `accept_shared_secret_names`",
                    escape(other),
                    escape(id),
                    escape(name)
                ));
            }
        }
        problems
    }
}
