//! How to sign.

use std::time::{Duration, SystemTime};

use super::{error::SignError, nonce::Nonces};
use crate::{
    digest::DigestAlgorithm,
    escape::escape,
    message::{RequestHead, Scheme},
    secret::DEFAULT_SECRET_NAME,
    signature::{BaseError, Component, ComponentName, MemberWriter, profile::DEFAULT_LABEL},
    structured::{is_key, is_printable_ascii},
    time::{Clock, in_range, whole_seconds},
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
/// | [`cover`](Self::cover) | nothing further |
/// | [`authorities`](Self::authorities) | none: signs for any host |
/// | [`scheme`](Self::scheme) | [`Scheme::Https`], where the URI has none |
/// | [`digest`](Self::digest) | [`DigestAlgorithm::Sha256`] |
/// | [`alg`](Self::alg) | [`AlgParameter::Omit`] |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
#[cfg_attr(
    feature = "testing",
    doc = "| [`predictable_nonces`](Self::predictable_nonces) | none: 16 random bytes |"
)]
#[derive(Clone, Debug)]
pub struct SignOptions {
    pub(super) secret_name: String,
    pub(super) key_id: Option<String>,
    expires_in: Option<Duration>,
    tag: Option<String>,
    pub(super) label: String,
    /// Identifiers in canonical serialisation.
    cover: Vec<String>,
    /// What cannot be covered.
    uncoverable: Option<String>,
    authorities: Option<Vec<String>>,
    pub(crate) scheme: Scheme,
    pub(super) digest: DigestAlgorithm,
    alg: AlgParameter,
    clock: Clock,
    pub(super) nonces: Nonces,
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
            uncoverable: None,
            authorities: None,
            scheme: Scheme::default(),
            digest: DigestAlgorithm::default(),
            alg: AlgParameter::default(),
            clock: Clock::default(),
            nonces: Nonces::default(),
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

    /// Covers one more component, which the request must then have: a header field by its name, or
    /// a derived component (RFC 9421 section 2.2) such as `@target-uri`, `@scheme` or
    /// `@request-target`. A component with parameters is written with its quotes, as in a
    /// `Signature-Input`: `"x-name";bs` covers the very lines of a field, also those with bytes that
    /// are not ASCII.
    ///
    /// ```
    /// use hmac_auth::SignOptions;
    ///
    /// let options = SignOptions::new()
    ///     .cover(http::header::IF_MATCH)
    ///     .cover("@target-uri") // for a verifier that insists on it
    ///     .cover(r#""@query-param";name="id""#);
    /// ```
    ///
    /// Choose no field that a proxy or the client may change, such as `host`, `date`, `via` or
    /// `forwarded`. `@target-uri` and `@scheme` break where a proxy terminates TLS and the host is not
    /// told. All lines of a field are signed, joined with commas (RFC 9421 section 2.1). On the way,
    /// one line with a comma may become two lines, so a host must read all of them or refuse a second
    /// one. The lines of `Cookie` are joined as RFC 9113 section 8.2.3 says, because HTTP/2 may split
    /// it.
    ///
    /// Signing fails with [`SignError::InvalidParameter`] if this is no component of a request.
    #[must_use]
    pub fn cover(mut self, component: impl AsRef<str>) -> Self {
        let text = component.as_ref();
        let identifier = if text.starts_with('"') {
            text.to_owned()
        } else if text.starts_with('@') {
            format!("\"{text}\"")
        } else {
            format!("\"{}\"", text.to_ascii_lowercase())
        };
        match Component::parse(&identifier)
            .ok()
            .filter(Component::is_of_requests)
        {
            Some(component) => {
                let identifier = component.to_string();
                if !self.cover.contains(&identifier) {
                    self.cover.push(identifier);
                }
            }
            None => self.uncoverable = Some(text.to_owned()),
        }
        self
    }

    /// The only hosts to sign for, each `host` or `host:port`, in any case.
    ///
    /// Where a URL comes from outside, such as from a redirect or a webhook registration, a signature
    /// for a wrong host is a request that its operator could send on. With this list, signing fails
    /// with [`SignError::UnlistedAuthority`] instead.
    ///
    /// ```
    /// use hmac_auth::SignOptions;
    ///
    /// let options = SignOptions::new().authorities(["host.example"]);
    /// ```
    #[must_use]
    pub fn authorities<A: Into<String>>(
        mut self,
        authorities: impl IntoIterator<Item = A>,
    ) -> Self {
        self.authorities = Some(authorities.into_iter().map(Into::into).collect());
        self
    }

    /// The scheme of requests whose URI names none: those in origin form with a `Host` field, and
    /// `CONNECT`. It decides which port is the default port, which is not signed, and the value of
    /// `@scheme`.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
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

    /// Takes each nonce from this function, for tests whose signatures are the same in each run.
    ///
    /// ```
    /// use hmac_auth::SignOptions;
    ///
    /// let options = SignOptions::new().predictable_nonces(|| [7; 16]);
    /// ```
    ///
    /// # Security
    ///
    /// Only for tests. A host with a replay guard refuses the second of two equal requests that have
    /// the same nonce and the same time.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn predictable_nonces(
        mut self,
        next: impl Fn() -> [u8; 16] + Send + Sync + 'static,
    ) -> Self {
        self.nonces = Nonces::Given(std::sync::Arc::new(next));
        self
    }

    /// Each nonce is random again.
    #[cfg(feature = "testing")]
    pub(crate) fn random_nonces(mut self) -> Self {
        self.nonces = Nonces::Random;
        self
    }

    /// The present in seconds since 1970.
    #[cfg(any(feature = "client", feature = "tower"))]
    pub(crate) fn now(&self) -> i64 {
        self.clock.unix_seconds()
    }

    /// Signs now, with a clock that is corrected by some seconds.
    #[cfg(any(feature = "client", feature = "tower"))]
    pub(crate) fn moved(&self, seconds: i64) -> Self {
        self.clone().at(self.clock.moved(seconds))
    }

    /// The components of [`cover`](Self::cover).
    pub(super) fn covered(&self) -> impl Iterator<Item = Component<'_>> {
        let parsed = self.cover.iter().map(|text| Component::parse(text));
        parsed.filter_map(Result::ok)
    }

    /// The tag that is to be signed.
    pub(super) fn asked_tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Whether a field is among the components of [`cover`](Self::cover), with parameters or without.
    pub(super) fn covers(&self, field: &str) -> bool {
        self.covered()
            .any(|component| component.name() == ComponentName::Field(field))
    }

    /// Whether the host of the request is one of [`authorities`](Self::authorities).
    pub(super) fn check_authority(&self, request: &RequestHead<'_>) -> Result<(), SignError> {
        let Some(authorities) = &self.authorities else {
            return Ok(());
        };
        let authority = request.authority().map_err(BaseError::from)?;
        let mut is_listed = false;
        for text in authorities {
            let listed = request
                .read_authority(text.as_bytes())
                .map_err(|_| invalid("authorities", text, "list each as `host` or `host:port`"))?;
            is_listed |= listed == authority;
        }
        if is_listed {
            return Ok(());
        }
        Err(SignError::UnlistedAuthority {
            authority: escape(authority.as_str()),
        })
    }

    /// Whether the label, the key id and the tag can be written.
    pub(super) fn check(&self) -> Result<(), SignError> {
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
        if let Some(text) = &self.uncoverable {
            let remedy = "name a header field, `@target-uri`, `@scheme` or `@request-target`, or write \
                          a component with its parameters, such as `\"@query-param\";name=\"id\"`";
            return Err(invalid("cover", text, remedy));
        }
        Ok(())
    }

    /// Writes the parameters, in the order of the wire profile.
    pub(super) fn write_params(
        &self,
        member: &mut MemberWriter<'_>,
        nonce: &[u8; 16],
    ) -> Result<(), SignError> {
        let created = in_range(Some(self.clock.unix_seconds())).ok_or(SignError::TimeOutOfRange)?;
        member.integer("created", created);
        if let Some(duration) = self.expires_in {
            let expires = in_range(created.checked_add(whole_seconds(duration)));
            let expires = expires.ok_or(SignError::TimeOutOfRange)?;
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

fn invalid(parameter: &'static str, value: &str, remedy: &'static str) -> SignError {
    SignError::InvalidParameter {
        parameter,
        value: escape(value),
        remedy,
    }
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
