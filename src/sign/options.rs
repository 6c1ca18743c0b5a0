use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::HeaderName;

use super::DEFAULT_LABEL;
use crate::{
    digest::DigestAlgorithm,
    secret::DEFAULT_SECRET_NAME,
    shown::shown,
    signature::{is_key, is_printable_ascii, push_quoted},
    time::unix_seconds,
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
/// | [`at`](Self::at) | the clock |
#[derive(Clone)]
pub struct SignOptions {
    pub(super) secret_name: String,
    key_id: Option<String>,
    pub(super) expires_in: Option<Duration>,
    tag: Option<String>,
    pub(super) label: String,
    pub(super) cover: Vec<HeaderName>,
    pub(super) digest: DigestAlgorithm,
    alg: AlgParameter,
    /// In seconds since 1970.
    pub(super) at: Option<i64>,
    /// The parameters that are the same in each signature, as they are written.
    pub(super) fixed_params: Vec<u8>,
    /// An option that cannot be written, with its value and the remedy.
    pub(super) problem: Option<(&'static str, String, &'static str)>,
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
            at: None,
            fixed_params: Vec::new(),
            problem: None,
        }
    }

    /// The name of the secret in the consumer's own store.
    #[must_use]
    pub fn secret_name(mut self, name: impl Into<String>) -> Self {
        self.secret_name = name.into();
        self
    }

    /// Under which name the host knows this consumer: the parameter `keyid`. Printable ASCII.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self.prepared()
    }

    /// Adds `expires`, this long after the time of signing; fractions of a second are rounded up.
    ///
    /// A host refuses what is older than its own `max_time_diff` all the same.
    #[must_use]
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }

    /// For which application the signature is: the parameter `tag`. Printable ASCII.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self.prepared()
    }

    /// The label of the signature: a lower-case letter or `*`, then lower-case letters, digits, `_`, `-`, `.` and `*`.
    ///
    /// Only needed beside another signature with the same label.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self.prepared()
    }

    /// Covers one more header field, which the request must then have.
    ///
    /// Choose none that a proxy or the client may change, such as `host`, `date`, `via` or `forwarded`. What is signed of a field is all
    /// its lines, joined with commas (RFC 9421 section 2.1): on the way, one line with a comma may become two, so that a host reads
    /// all of them or refuses a second one.
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
        self.prepared()
    }

    /// Signs as if at this time, for tests and for clocks of your own. Fractions of a second are cut off.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(unix_seconds(Some(time)));
        self
    }

    /// Checks and writes once what would otherwise be done for each signature.
    fn prepared(mut self) -> Self {
        let mut params = Vec::new();
        let mut problem = None;
        if !is_key(&self.label) {
            problem = Some((
                "label",
                &self.label,
                "begin with a lower-case letter or `*`, go on with those, digits, `_`, `-` and `.`",
            ));
        }
        if self.alg == AlgParameter::HmacSha256 {
            params.extend_from_slice(b";alg=\"hmac-sha256\"");
        }
        for (parameter, key, value) in [
            ("key_id", b";keyid=".as_slice(), &self.key_id),
            ("tag", b";tag=", &self.tag),
        ] {
            let Some(value) = value else { continue };
            if !is_printable_ascii(value) {
                problem = problem.or(Some((parameter, value, "use printable ASCII")));
            }
            params.extend_from_slice(key);
            push_quoted(&mut params, value);
        }
        self.problem = problem.map(|(parameter, value, remedy)| (parameter, shown(value), remedy));
        self.fixed_params = params;
        self
    }
}

impl fmt::Debug for SignOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignOptions")
            .field("secret_name", &self.secret_name)
            .field("key_id", &self.key_id)
            .field("expires_in", &self.expires_in)
            .field("tag", &self.tag)
            .field("label", &self.label)
            .field("cover", &self.cover)
            .field("digest", &self.digest)
            .field("alg", &self.alg)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Whether a signature names its algorithm. The key decides it anyway, so a verifier does not need to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlgParameter {
    /// No parameter `alg`. The default.
    #[default]
    Omit,
    /// `alg="hmac-sha256"`, for verifiers that insist on it.
    HmacSha256,
}
