//! The requirements of a host for a signature.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::HeaderName;

use super::error::{AuthError, AuthErrorKind};
use crate::{
    escape::escape,
    message::{Authority, Scheme},
    secret::DEFAULT_SECRET_NAME,
    signature::{ComponentName, Coverage},
    structured::is_printable_ascii,
    time::{Clock, whole_seconds},
};

pub(super) mod consumers;

/// How old a signature may be, unless configured: 60 seconds.
pub const DEFAULT_MAX_TIME_DIFF: Duration = Duration::from_secs(60);

/// How far the clock of a consumer may run ahead, unless configured: 10 seconds.
pub const DEFAULT_MAX_CLOCK_SKEW: Duration = Duration::from_secs(10);

/// The requirements of a host for a signature.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`secret_name`](Self::secret_name) | [`DEFAULT_SECRET_NAME`], `hmac-authentication-secret-key` |
/// | [`key_ids`](Self::key_ids) | none: one secret for all consumers, whatever key id they send |
/// | [`accept_shared_secret_names`](Self::accept_shared_secret_names) | no: each key id has a secret name of its own |
/// | [`consumer_directory`](Self::consumer_directory) | no: the options name the consumers |
/// | [`max_time_diff`](Self::max_time_diff) | [`DEFAULT_MAX_TIME_DIFF`], 60 s |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`authorities`](Self::authorities) | none: any authority, so list yours |
/// | [`external_scheme`](Self::external_scheme) | [`Scheme::Https`] |
/// | [`trust_forwarded_host`](Self::trust_forwarded_host) | none: the request target and `Host` name the authority |
/// | [`require`](Self::require) | nothing beyond method, authority, path, query, and the body with its `Content-Type` and `Content-Encoding` |
/// | [`require_if_present`](Self::require_if_present) | no further field |
/// | [`accept_uncovered_content_type`](Self::accept_uncovered_content_type) | off: with a body, it must be covered |
/// | [`tag`](Self::tag) | none: any tag |
/// | [`clock`](Self::clock) | the clock of the system |
/// | [`at`](Self::at) | none: the present, by the clock |
///
/// Options that contradict themselves, such as an empty list of authorities, make every validation
/// fail with [`AuthErrorKind::Misconfigured`]. [`check`](Self::check) finds such options at
/// start-up.
#[derive(Clone, Debug)]
pub struct ValidateOptions {
    pub(super) secret_name: Arc<str>,
    /// Secret names by key id.
    pub(super) key_ids: Option<BTreeMap<KeyId, Arc<str>>>,
    /// The key ids that were listed more than once.
    repeated_key_ids: Vec<KeyId>,
    accepts_shared_secret_names: bool,
    pub(super) finds_consumers: bool,
    pub(super) max_time_diff: Duration,
    pub(super) max_clock_skew: Duration,
    authorities: Option<Vec<Box<str>>>,
    pub(super) external_scheme: Scheme,
    pub(super) forwarded_host: Option<HeaderName>,
    required: Vec<Box<str>>,
    required_if_present: Vec<Box<str>>,
    accepts_uncovered_content_type: bool,
    tag: Option<Box<str>>,
    clock: Clock,
    /// A setter got an empty list. Another call does not make up for it.
    empty_list: Option<&'static str>,
    derived: Derived,
}

/// What follows from all the choices together. Made anew by each setter that has a part in it, so
/// that the order of setters never matters.
#[derive(Clone, Debug, Default)]
struct Derived {
    problem: Option<String>,
    /// The authorities in lower case, without the default port of the external scheme.
    authorities: Vec<Box<str>>,
    /// What `required` names of the parts of a request.
    parts: Coverage,
    /// Whether there is a field that must be covered, always or where it is present.
    names_fields: bool,
}

/// A listed key id, which is looked up by the bytes of a signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(Box<str>);

impl KeyId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text has the order of its bytes.
impl Borrow<[u8]> for KeyId {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ValidateOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            secret_name: DEFAULT_SECRET_NAME.into(),
            key_ids: None,
            repeated_key_ids: Vec::new(),
            accepts_shared_secret_names: false,
            finds_consumers: false,
            max_time_diff: DEFAULT_MAX_TIME_DIFF,
            max_clock_skew: DEFAULT_MAX_CLOCK_SKEW,
            authorities: None,
            external_scheme: Scheme::default(),
            forwarded_host: None,
            required: Vec::new(),
            required_if_present: Vec::new(),
            accepts_uncovered_content_type: false,
            tag: None,
            clock: Clock::default(),
            empty_list: None,
            derived: Derived::default(),
        }
    }

    /// The name of the one secret that all consumers share. The host then ignores key ids.
    #[must_use]
    pub fn secret_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.secret_name = name.into();
        self
    }

    /// How old a signature may be. Fractions of a second are rounded up.
    ///
    /// A wider window admits slower consumers and worse clocks. Without a replay guard, it also
    /// gives a thief more time.
    #[must_use]
    pub fn max_time_diff(mut self, duration: Duration) -> Self {
        self.max_time_diff = duration;
        self
    }

    /// How far the clock of a consumer may run ahead. Fractions of a second are rounded up.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = duration;
        self
    }

    /// The authorities of this host, each `host` or `host:port`, in any case. A request for another
    /// one is refused.
    ///
    /// # Security
    ///
    /// Without this list, the peer decides for which host its signature is: every other host with
    /// the same secret accepts a request for this one.
    #[must_use]
    pub fn authorities<A: Into<Box<str>>>(
        mut self,
        authorities: impl IntoIterator<Item = A>,
    ) -> Self {
        self.authorities = Some(authorities.into_iter().map(Into::into).collect());
        self.derived()
    }

    /// The scheme under which clients reach this host: the scheme of the TLS proxy, if there is
    /// one.
    ///
    /// The scheme decides which port is the default port, and the values of `@scheme` and
    /// `@target-uri`.
    #[must_use]
    pub fn external_scheme(mut self, scheme: Scheme) -> Self {
        self.external_scheme = scheme;
        self.derived()
    }

    /// Takes the authority from this field, such as `x-forwarded-host`, for a proxy that changes
    /// `Host`.
    ///
    /// The field must be there exactly once, with one value. The host then ignores the request
    /// target and `Host`.
    ///
    /// # Security
    ///
    /// Only for a server that clients reach through that proxy alone, and only if the proxy
    /// overwrites this field. A peer that can write the field decides for which host its request
    /// is.
    #[must_use]
    pub fn trust_forwarded_host(mut self, field: HeaderName) -> Self {
        self.forwarded_host = Some(field);
        self
    }

    /// Requires one more component to be covered, and so to be there: a field name such as
    /// `content-type`, or one of `@scheme`, `@query`, `@target-uri` and `@request-target`.
    ///
    /// Each request must have it: a request without a body has no `content-type`. For a field that is
    /// not always there, use [`require_if_present`](Self::require_if_present). Consumers of this crate
    /// cover `content-type` and `content-encoding` where they are present, and the fields of
    /// [`SignOptions::cover`](crate::SignOptions::cover). Of the components with `@` that can be
    /// required, they cover only `@query`.
    #[must_use]
    pub fn require(mut self, component: impl Into<Box<str>>) -> Self {
        self.required.push(component.into());
        self.derived()
    }

    /// Requires a field to be covered where the request has it, by its lower-case name.
    ///
    /// For a field that your handler trusts when it comes, such as `prefer` or one that names a
    /// user: anybody on the way could add it to a request whose signature does not cover it.
    ///
    /// ```
    /// use hmac_auth::ValidateOptions;
    ///
    /// let options =
    ///     ValidateOptions::new().require_if_present("impersonate-user");
    /// # options.check().unwrap();
    /// ```
    #[must_use]
    pub fn require_if_present(mut self, field: impl Into<Box<str>>) -> Self {
        self.required_if_present.push(field.into());
        self.derived()
    }

    /// Accepts a body whose `Content-Type` the signature does not cover, for foreign clients that do
    /// not sign it. A `Content-Encoding` must still be covered.
    ///
    /// # Security
    ///
    /// Anybody on the way can then change how your handler reads the body. Use it only where the
    /// handler does not look at `Content-Type`.
    #[must_use]
    pub fn accept_uncovered_content_type(mut self) -> Self {
        self.accepts_uncovered_content_type = true;
        self
    }

    /// Accepts only signatures with this `tag`.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tag = Some(tag.into());
        self.derived()
    }

    /// Takes the present from this clock, and never from the system: for tests, for a clock of your
    /// own, and where the system has none. Fractions of a second are cut off.
    ///
    /// The replay guard that a layer of `tower` makes for itself starts by the same clock. So a test
    /// sets the time of a host in one place:
    ///
    /// ```
    /// use std::{
    ///     sync::{Arc, Mutex},
    ///     time::{Duration, SystemTime},
    /// };
    ///
    /// use hmac_auth::ValidateOptions;
    ///
    /// let time = Arc::new(Mutex::new(SystemTime::UNIX_EPOCH));
    /// let clock = {
    ///     let time = Arc::clone(&time);
    ///     move || *time.lock().unwrap()
    /// };
    /// let options = ValidateOptions::new().clock(clock);
    /// // A minute later, for this host:
    /// *time.lock().unwrap() += Duration::from_secs(60);
    /// # options.check().unwrap();
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// Validates as if at this time, whatever the clock says: for one request. Fractions of a
    /// second are cut off.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.clock = Clock::Fixed(time);
        self
    }

    /// Whether anything can be validated with these options. Call it at start-up.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`], with the wrong option.
    pub fn check(&self) -> Result<(), AuthError> {
        let misconfigured =
            |problem| Err(AuthError::new(AuthErrorKind::Misconfigured).detail(problem));
        if let Some(problem) = &self.derived.problem {
            return misconfigured(problem.clone());
        }
        self.clock
            .check()
            .or_else(|problem| misconfigured(problem.to_owned()))
    }

    /// The present.
    pub(crate) fn present(&self) -> SystemTime {
        self.clock.now()
    }

    /// The present, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.unix_seconds()
    }

    /// In seconds.
    #[inline]
    pub(crate) fn max_skew(&self) -> i64 {
        whole_seconds(self.max_clock_skew)
    }

    /// The listed key ids; `None` if the host lists none.
    pub(crate) fn listed_key_ids(&self) -> Option<impl Iterator<Item = &str>> {
        let listed = self.key_ids.as_ref()?;
        Some(listed.keys().map(KeyId::as_str))
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.external_scheme
    }

    /// In seconds.
    #[inline]
    pub(crate) fn max_age(&self) -> i64 {
        whole_seconds(self.max_time_diff)
    }

    pub(crate) fn forwarded_host(&self) -> Option<&HeaderName> {
        self.forwarded_host.as_ref()
    }

    /// The listed authorities in lower case, without the default port of the external scheme.
    #[inline]
    pub(crate) fn listed_authorities(&self) -> &[Box<str>] {
        &self.derived.authorities
    }

    pub(super) fn lists_authority(&self, authority: Authority<'_>) -> bool {
        self.authorities.is_none() || self.derived.authorities.iter().any(|one| authority.is(one))
    }

    /// The parts of a request that [`require`](Self::require) names.
    #[inline]
    pub(crate) fn required_parts(&self) -> Coverage {
        self.derived.parts
    }

    /// The fields that [`require`](Self::require) names, but for those in
    /// [`required_parts`](Self::required_parts).
    #[inline]
    pub(crate) fn required_fields(&self) -> impl Iterator<Item = &str> {
        let required = self.required.iter().map(|name| &**name);
        required.filter(|name| Coverage::required_by(name) == Coverage::NONE)
    }

    /// Whether the host has named fields that must be covered.
    pub(super) fn names_fields(&self) -> bool {
        self.derived.names_fields
    }

    /// The fields of [`require_if_present`](Self::require_if_present).
    pub(super) fn fields_required_if_present(&self) -> impl Iterator<Item = &str> {
        self.required_if_present.iter().map(|name| &**name)
    }

    pub(super) fn accepts_uncovered_content_type(&self) -> bool {
        self.accepts_uncovered_content_type
    }

    #[inline]
    pub(crate) fn required_tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    fn derived(mut self) -> Self {
        let mut derived = Derived::default();
        let mut problems = Vec::new();
        if self.key_ids.as_ref().is_some_and(BTreeMap::is_empty) {
            self.empty_list = Some("`key_ids` is empty: nobody could be accepted");
        }
        if self.authorities.as_ref().is_some_and(Vec::is_empty) {
            self.empty_list = Some("`authorities` is empty: no request could be accepted");
        }
        problems.extend(self.empty_list.map(str::to_owned));
        problems.extend(self.problems_of_key_ids());
        for text in self.authorities.iter().flatten() {
            match Authority::parse(text.as_bytes(), self.external_scheme) {
                Some(authority) => derived
                    .authorities
                    .push(authority.as_str().to_ascii_lowercase().into()),
                None => problems.push(format!(
                    "the authority `{}` is not `host` or `host:port`",
                    escape(text)
                )),
            }
        }
        for name in &self.required {
            match ComponentName::new(name) {
                ComponentName::QueryParam | ComponentName::Status | ComponentName::Unknown(_) => {
                    problems.push(format!(
                        "`{}` cannot be required: name a lower-case field or a request component",
                        escape(name)
                    ));
                }
                _ => derived.parts = derived.parts | Coverage::required_by(name),
            }
        }
        for name in &self.required_if_present {
            if !matches!(ComponentName::new(name), ComponentName::Field(_)) {
                problems.push(format!(
                    "`{}` cannot be required if present: name a lower-case field",
                    escape(name)
                ));
            }
        }
        if let Some(tag) = self.tag.as_ref().filter(|tag| !is_printable_ascii(tag)) {
            problems.push(format!("the tag `{}` is not printable ASCII", escape(tag)));
        }
        derived.names_fields =
            !self.required_if_present.is_empty() || self.required_fields().next().is_some();
        derived.problem = (!problems.is_empty()).then(|| problems.join("; "));
        self.derived = derived;
        self
    }
}
