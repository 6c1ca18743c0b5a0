//! What a consumer requires of a signed response.

use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue};

use crate::{
    message::{SIGNATURE, SIGNATURE_INPUT},
    signature::{ComponentName, MemberWriter, profile::DEFAULT_LABEL},
    structured::is_key,
    time::{Clock, whole_seconds},
    validate::{DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF},
};

/// What a consumer requires of a signed response.
///
/// The secret, the nonce, the key id and the tag must be those of the request: there is nothing to
/// choose.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`cover`](Self::cover) | nothing beyond the status, `Content-Digest`, `Content-Type`, `Content-Encoding`, `Location`, and all that the request has covered |
/// | [`label`](Self::label) | [`DEFAULT_LABEL`], `sig1` |
/// | [`max_time_diff`](Self::max_time_diff) | [`DEFAULT_MAX_TIME_DIFF`], 60 s |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
#[derive(Clone, Debug)]
pub struct ValidateResponseOptions {
    cover: Vec<HeaderName>,
    label: String,
    max_time_diff: Duration,
    max_clock_skew: Duration,
    clock: Clock,
}

impl Default for ValidateResponseOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ValidateResponseOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cover: Vec::new(),
            label: DEFAULT_LABEL.to_owned(),
            max_time_diff: DEFAULT_MAX_TIME_DIFF,
            max_clock_skew: DEFAULT_MAX_CLOCK_SKEW,
            clock: Clock::default(),
        }
    }

    /// Requires that the signature covers one more field, where the response has it.
    ///
    /// The host has to know: it covers the field for everybody with
    /// [`SignResponseOptions::cover`](crate::SignResponseOptions::cover), or the request
    /// [asks for it](Self::accept_signature).
    ///
    /// ```
    /// use hmac_auth::ValidateResponseOptions;
    ///
    /// let options = ValidateResponseOptions::new().cover(http::header::ETAG);
    /// ```
    #[must_use]
    pub fn cover(mut self, field: HeaderName) -> Self {
        self.cover.push(field);
        self
    }

    /// The label of the signature that counts. Signatures with other labels are those of others.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// How old a signature may be. Fractions of a second are rounded up.
    #[must_use]
    pub fn max_time_diff(mut self, duration: Duration) -> Self {
        self.max_time_diff = duration;
        self
    }

    /// How far the clock of the host may run ahead. Fractions of a second are rounded up.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = duration;
        self
    }

    /// Takes the present from this clock, and never from the system. Fractions of a second are cut
    /// off.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// Validates as if at this time, whatever the clock says. Fractions of a second are cut off.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.clock = Clock::Fixed(time);
        self
    }

    /// The value of `Accept-Signature` with which a request asks for the fields of
    /// [`cover`](Self::cover) (RFC 9421 section 5.1); `None` if there are none.
    ///
    /// Set the field before you sign, and cover it: a host follows only what is signed. A layer or
    /// a client that requires signed responses does both.
    ///
    /// ```
    /// use hmac_auth::{
    ///     SignOptions, ValidateResponseOptions, signature::ACCEPT_SIGNATURE,
    /// };
    ///
    /// let responses = ValidateResponseOptions::new().cover(http::header::ETAG);
    /// let mut request = http::Request::get("https://host.example/").body("")?;
    /// if let Some(value) = responses.accept_signature() {
    ///     request.headers_mut().insert(ACCEPT_SIGNATURE, value);
    /// }
    /// let options = SignOptions::new().cover(ACCEPT_SIGNATURE);
    /// # let _ = options;
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn accept_signature(&self) -> Option<HeaderValue> {
        if self.cover.is_empty() || self.check().is_err() {
            return None;
        }
        let mut text = Vec::with_capacity(128);
        let mut member = MemberWriter::new(&mut text, &self.label);
        member.component(ComponentName::Status);
        for name in self.covered() {
            member.component(ComponentName::Field(name));
        }
        member.end_components();
        member.flag("created");
        // Not `nonce`, which would ask for one value: the host repeats that of the request.
        member.algorithm();
        HeaderValue::try_from(text).ok()
    }

    /// Whether anything can be validated.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !is_key(&self.label) {
            return Err("no signature can have the label of `label`");
        }
        let of_signing = |name: &HeaderName| [SIGNATURE, SIGNATURE_INPUT].contains(name);
        if self.cover.iter().any(of_signing) {
            return Err("`cover`: no signature covers `Signature` or `Signature-Input`");
        }
        self.clock.check()
    }

    pub(super) fn covered(&self) -> impl Iterator<Item = &str> {
        self.cover.iter().map(HeaderName::as_str)
    }

    pub(super) fn label_text(&self) -> &str {
        &self.label
    }

    /// Validates now, with a clock that is corrected by some seconds.
    #[cfg(any(feature = "client", feature = "tower"))]
    pub(crate) fn moved(&self, seconds: i64) -> Self {
        self.clone().at(self.clock.moved(seconds))
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.unix_seconds()
    }

    pub(super) fn max_age(&self) -> i64 {
        whole_seconds(self.max_time_diff)
    }

    pub(super) fn max_skew(&self) -> i64 {
        whole_seconds(self.max_clock_skew)
    }
}
