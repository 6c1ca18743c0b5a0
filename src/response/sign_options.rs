//! How to sign a response.

use std::time::SystemTime;

use http::HeaderName;

use super::sign_error::SignResponseError;
use crate::{
    digest::DigestAlgorithm,
    escape::escape,
    message::{SIGNATURE, SIGNATURE_INPUT},
    sign::AlgParameter,
    signature::{MemberWriter, profile::DEFAULT_LABEL},
    structured::is_key,
    time::{Clock, in_range},
    validate::Validated,
};

/// How to sign a response.
///
/// The secret, the nonce, the key id and the tag are those of the request.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`cover`](Self::cover) | nothing further |
/// | [`label`](Self::label) | [`DEFAULT_LABEL`], `sig1` |
/// | [`digest`](Self::digest) | [`DigestAlgorithm::Sha256`] |
/// | [`alg`](Self::alg) | [`AlgParameter::Omit`] |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
#[derive(Clone, Debug)]
pub struct SignResponseOptions {
    cover: Vec<HeaderName>,
    label: String,
    digest: DigestAlgorithm,
    alg: AlgParameter,
    clock: Clock,
}

impl Default for SignResponseOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SignResponseOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cover: Vec::new(),
            label: DEFAULT_LABEL.to_owned(),
            digest: DigestAlgorithm::default(),
            alg: AlgParameter::default(),
            clock: Clock::default(),
        }
    }

    /// Covers one more field, where a response has it.
    ///
    /// Choose no field that a proxy or the server may add or change later, such as `Date`, `Via` or
    /// `Content-Length`. A consumer may also ask for fields: see
    /// [`ValidateResponseOptions::cover`](crate::ValidateResponseOptions::cover).
    ///
    /// ```
    /// use hmac_auth::SignResponseOptions;
    ///
    /// let options = SignResponseOptions::new().cover(http::header::ETAG);
    /// ```
    #[must_use]
    pub fn cover(mut self, field: HeaderName) -> Self {
        self.cover.push(field);
        self
    }

    /// The label of the signature. It must be the one that the consumer looks for.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The hash for the `Content-Digest` that is added if the response has none.
    #[must_use]
    pub fn digest(mut self, algorithm: DigestAlgorithm) -> Self {
        self.digest = algorithm;
        self
    }

    /// Whether to name the algorithm in the parameter `alg`.
    #[must_use]
    pub fn alg(mut self, alg: AlgParameter) -> Self {
        self.alg = alg;
        self
    }

    /// Takes the present from this clock, and never from the system. Fractions of a second are cut
    /// off.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// Signs as if at this time, whatever the clock says. Fractions of a second are cut off.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.clock = Clock::Fixed(time);
        self
    }

    /// Whether the label and the list of fields can be written.
    pub(super) fn check(&self) -> Result<(), SignResponseError> {
        if !is_key(&self.label) {
            let label = escape(&self.label);
            return Err(SignResponseError::InvalidLabel { label });
        }
        let of_signing = |name: &&HeaderName| [SIGNATURE, SIGNATURE_INPUT].contains(name);
        match self.cover.iter().find(of_signing) {
            Some(name) => Err(SignResponseError::NotCoverable {
                name: name.as_str().to_owned(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn covered(&self) -> impl Iterator<Item = &str> {
        self.cover.iter().map(HeaderName::as_str)
    }

    pub(super) fn label_text(&self) -> &str {
        &self.label
    }

    pub(super) fn digest_algorithm(&self) -> DigestAlgorithm {
        self.digest
    }

    /// Writes the parameters, in the order of the wire profile.
    pub(super) fn write_params(
        &self,
        member: &mut MemberWriter<'_>,
        request: &Validated,
        nonce: &str,
    ) -> Result<(), SignResponseError> {
        let created = in_range(Some(self.clock.unix_seconds()));
        member.integer("created", created.ok_or(SignResponseError::TimeOutOfRange)?);
        member.string("nonce", nonce);
        if self.alg == AlgParameter::HmacSha256 {
            member.algorithm();
        }
        if let Some(key_id) = request.key_id() {
            member.string("keyid", key_id);
        }
        if let Some(tag) = request.tag() {
            member.string("tag", tag);
        }
        Ok(())
    }
}
