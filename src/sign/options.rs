//! How to sign.

use std::time::{Duration, SystemTime};

use http::HeaderName;

use super::error::SignError;
use crate::{
    digest::DigestAlgorithm,
    escape::escape,
    secret::DEFAULT_SECRET_NAME,
    signature::{MemberWriter, profile::DEFAULT_LABEL},
    structured::{is_key, is_printable_ascii},
    time::{Clock, whole_seconds},
};

/// How to sign.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`secret_name`](Self::secret_name) | [`DEFAULT_SECRET_NAME`], `hmac-authentication-secret-key` |
/// | [`key_id`](Self::key_id) | none |
/// | [`expires_in`](Self::expires_in) | no `expires` |
/// | [`tag`](Self::tag) | none |
/// | [`label`](Self::label) | [`DEFAULT_LABEL`], `sig1` |
/// | [`cover`](Self::cover) | no further fields |
/// | [`digest`](Self::digest) | [`DigestAlgorithm::Sha256`] |
/// | [`alg`](Self::alg) | [`AlgParameter::Omit`] |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
#[derive(Clone, Debug)]
pub struct SignOptions {
    pub(super) secret_name: String,
    pub(super) key_id: Option<String>,
    expires_in: Option<Duration>,
    tag: Option<String>,
    pub(super) label: String,
    pub(super) cover: Vec<HeaderName>,
    pub(super) digest: DigestAlgorithm,
    alg: AlgParameter,
    clock: Clock,
}

impl Default for SignOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl SignOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            secret_name: DEFAULT_SECRET_NAME.to_owned(),
            key_id: None,
            expires_in: None,
            tag: None,
            label: DEFAULT_LABEL.to_owned(),
            cover: Vec::new(),
            digest: DigestAlgorithm::default(),
            alg: AlgParameter::default(),
            clock: Clock::default(),
        }
    }

    /// The name of the secret in the consumer's own store.
    #[must_use]
    pub fn secret_name(mut self, name: impl Into<String>) -> Self {
        self.secret_name = name.into();
        self
    }

    /// The name under which the host knows this consumer: the parameter `keyid`. Printable ASCII.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// Adds `expires`, this long after the time of signing. Fractions of a second are rounded up.
    ///
    /// A host still refuses a signature that is older than the host's own `max_time_diff`.
    #[must_use]
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }

    /// The application that the signature is for: the parameter `tag`. Printable ASCII.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// The label of the signature: a lower-case letter or `*`, then lower-case letters, digits,
    /// `_`, `-`, `.` and `*`.
    ///
    /// Only needed beside the signature of another party with the same label. To sign the same
    /// request again, keep the label: see [`sign_request`](crate::sign_request).
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Covers one more header field, which the request must then have.
    ///
    /// Choose no field that a proxy or the client may change, such as `host`, `date`, `via` or
    /// `forwarded`. All lines of a field are signed, joined with commas (RFC 9421 section 2.1). On
    /// the way, one line with a comma may become two lines, so a host must read all of them or
    /// refuse a second one.
    #[must_use]
    pub fn cover(mut self, field: HeaderName) -> Self {
        if !self.cover.contains(&field) {
            self.cover.push(field);
        }
        self
    }

    /// The hash for the `Content-Digest` that is added if the request has none.
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

    /// Takes the present from this clock, and never from the system: for tests, for a clock of your
    /// own, and where the system has none. Fractions of a second are cut off.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// Signs as if at this time, whatever the clock says: for one signature. Fractions of a second
    /// are cut off.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.clock = Clock::Fixed(time);
        self
    }

    /// Whether the label, the key id and the tag can be written.
    pub(super) fn check(&self) -> Result<(), SignError> {
        let invalid = |parameter, value: &str, remedy| SignError::InvalidParameter {
            parameter,
            value: escape(value),
            remedy,
        };
        if !is_key(&self.label) {
            let remedy =
                "begin with a lower-case letter or `*`, go on with those, digits, `_`, `-` and `.`";
            return Err(invalid("label", &self.label, remedy));
        }
        for (parameter, value) in [("key_id", &self.key_id), ("tag", &self.tag)] {
            match value {
                Some(value) if !is_printable_ascii(value) => {
                    return Err(invalid(parameter, value, "use printable ASCII"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the parameters, in the order of the wire profile.
    pub(super) fn write_params(
        &self,
        member: &mut MemberWriter<'_>,
        nonce: &[u8; 16],
    ) -> Result<(), SignError> {
        let created = in_range(Some(self.clock.unix_seconds()))?;
        member.integer("created", created);
        if let Some(duration) = self.expires_in {
            let expires = in_range(created.checked_add(whole_seconds(duration)))?;
            member.integer("expires", expires);
        }
        member.nonce(nonce);
        if self.alg == AlgParameter::HmacSha256 {
            member.algorithm();
        }
        if let Some(key_id) = &self.key_id {
            member.string("keyid", key_id);
        }
        if let Some(tag) = &self.tag {
            member.string("tag", tag);
        }
        Ok(())
    }
}

/// A time as an integer of RFC 9651, which has at most 15 digits (section 3.3.1).
fn in_range(seconds: Option<i64>) -> Result<i64, SignError> {
    const MAX: u64 = 999_999_999_999_999;
    seconds
        .filter(|seconds| seconds.unsigned_abs() <= MAX)
        .ok_or(SignError::TimeOutOfRange)
}

/// Whether a signature names its algorithm. The key decides the algorithm anyway, so a verifier
/// does not need the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlgParameter {
    /// No parameter `alg`. The default.
    #[default]
    Omit,
    /// `alg="hmac-sha256"`, for verifiers that insist on it.
    HmacSha256,
}
