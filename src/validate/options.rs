use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue};

use crate::{
    error::{AuthError, AuthErrorKind},
    secret::DEFAULT_SECRET_NAME,
    shown::shown,
    signature::{
        Authority, ComponentName, Coverage, Scheme, SignatureInput, is_printable_ascii, push_quoted,
    },
    time::{unix_seconds, whole_seconds},
};

/// How old a signature may be, unless configured: 60 seconds.
pub const DEFAULT_MAX_TIME_DIFF: Duration = Duration::from_secs(60);

/// How far the clock of a consumer may run ahead, unless configured: 10 seconds.
pub const DEFAULT_MAX_CLOCK_SKEW: Duration = Duration::from_secs(10);

/// What a host asks of a signature.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`secret_name`](Self::secret_name) | [`DEFAULT_SECRET_NAME`], `hmac-authentication-secret-key` |
/// | [`key_ids`](Self::key_ids) | none: one secret for all consumers, whatever key id they send |
/// | [`max_time_diff`](Self::max_time_diff) | [`DEFAULT_MAX_TIME_DIFF`], 60 s |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`authorities`](Self::authorities) | none: any authority, so list yours |
/// | [`external_scheme`](Self::external_scheme) | [`Scheme::Https`] |
/// | [`trust_forwarded_host`](Self::trust_forwarded_host) | none: the request target and `Host` name the authority |
/// | [`require`](Self::require) | nothing beyond method, authority, path, query and body |
/// | [`tag`](Self::tag) | none: any tag |
/// | [`at`](Self::at) | the clock |
///
/// Options that contradict themselves, such as an empty list of authorities, make every validation fail with
/// [`AuthErrorKind::Misconfigured`]; [`check`](Self::check) tells at start-up.
#[derive(Clone, Debug)]
pub struct ValidateOptions {
    pub(super) secret_name: Arc<str>,
    /// Secret names by key id.
    pub(super) key_ids: Option<BTreeMap<Box<str>, Arc<str>>>,
    pub(super) max_time_diff: i64,
    pub(super) max_clock_skew: i64,
    authorities: Option<Vec<Box<str>>>,
    /// The authorities without the default port of the external scheme, in lower case.
    pub(super) normal_authorities: Vec<Box<str>>,
    pub(super) external_scheme: Scheme,
    pub(super) forwarded_host: Option<HeaderName>,
    pub(super) required: Coverage,
    pub(super) required_fields: Vec<Box<str>>,
    pub(super) tag: Option<Box<str>>,
    /// In seconds since 1970.
    at: Option<i64>,
    problem: Option<Box<str>>,
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
            max_time_diff: whole_seconds(DEFAULT_MAX_TIME_DIFF),
            max_clock_skew: whole_seconds(DEFAULT_MAX_CLOCK_SKEW),
            authorities: None,
            normal_authorities: Vec::new(),
            external_scheme: Scheme::default(),
            forwarded_host: None,
            required: Coverage::METHOD | Coverage::AUTHORITY | Coverage::PATH,
            required_fields: Vec::new(),
            tag: None,
            at: None,
            problem: None,
        }
    }

    /// The name of the one secret that all consumers share. Key ids are then not looked at.
    #[must_use]
    pub fn secret_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.secret_name = name.into();
        self
    }

    /// The consumers, each by its key id and the name of its secret. A signature with another key id, or with none, is not
    /// accepted, and [`secret_name`](Self::secret_name) is not used.
    ///
    /// ```
    /// use hmac_auth::ValidateOptions;
    ///
    /// let options = ValidateOptions::new().key_ids([("site-a", "secret-of-site-a"), ("site-b", "secret-of-site-b")]);
    /// # options.check().unwrap();
    /// ```
    #[must_use]
    pub fn key_ids<K: Into<Box<str>>, N: Into<Arc<str>>>(
        mut self,
        key_ids: impl IntoIterator<Item = (K, N)>,
    ) -> Self {
        let key_ids: BTreeMap<_, _> = key_ids
            .into_iter()
            .map(|(key_id, name)| (key_id.into(), name.into()))
            .collect();
        if key_ids.is_empty() {
            self.note_problem("`key_ids` is empty: nobody could be accepted");
        }
        self.key_ids = Some(key_ids);
        self
    }

    /// How old a signature may be. Fractions of a second are rounded up.
    ///
    /// A wider window admits slower consumers and worse clocks, and gives a thief more time where no replay guard is used.
    #[must_use]
    pub fn max_time_diff(mut self, duration: Duration) -> Self {
        self.max_time_diff = whole_seconds(duration);
        self
    }

    /// How far the clock of a consumer may run ahead. Fractions of a second are rounded up.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = whole_seconds(duration);
        self
    }

    /// The authorities of this host, each `host` or `host:port`, in any case. A request for another one is refused.
    ///
    /// # Security
    ///
    /// Without this list the peer says for which host its signature is, and a request for one host is accepted by every other
    /// host that has the same secret.
    #[must_use]
    pub fn authorities<A: Into<Box<str>>>(
        mut self,
        authorities: impl IntoIterator<Item = A>,
    ) -> Self {
        let authorities: Vec<Box<str>> = authorities.into_iter().map(Into::into).collect();
        if authorities.is_empty() {
            self.note_problem("`authorities` is empty: no request could be accepted");
        }
        self.authorities = Some(authorities);
        self.normalise_authorities();
        self
    }

    /// The scheme under which clients reach this host: that of the TLS proxy, if there is one. Decides which port is the default
    /// port, and what `@scheme` and `@target-uri` are.
    #[must_use]
    pub fn external_scheme(mut self, scheme: Scheme) -> Self {
        self.external_scheme = scheme;
        self.normalise_authorities();
        self
    }

    /// Takes the authority from this field, such as `x-forwarded-host`, for a proxy that changes `Host`. It must be there exactly once,
    /// with one value; the request target and `Host` are then not looked at.
    ///
    /// # Security
    ///
    /// Only for a server that nobody reaches but through that proxy, if the proxy overwrites what a client sends in this field. A peer
    /// that can write it says for which host its request is.
    #[must_use]
    pub fn trust_forwarded_host(mut self, field: HeaderName) -> Self {
        self.forwarded_host = Some(field);
        self
    }

    /// Requires one more component to be covered, and so to be there: a field name such as `content-type`, or one of
    /// `@scheme`, `@query`, `@target-uri` and `@request-target`.
    ///
    /// It is required of each request: one without a body has no `content-type`. Consumers of this crate cover `content-type` and
    /// `content-encoding` where they are, and fields of their choice; of the components with `@` only `@query`.
    #[must_use]
    pub fn require(mut self, component: impl Into<Box<str>>) -> Self {
        let component = component.into();
        match ComponentName::new(&component) {
            ComponentName::QueryParam | ComponentName::Status | ComponentName::Unknown(_) => {
                self.note_problem(format!(
                    "`{}` cannot be required: name a lower-case field or a request component",
                    shown(&component)
                ));
            }
            _ => match Coverage::required_by(&component) {
                Coverage::NONE => self.required_fields.push(component),
                required => self.required = self.required | required,
            },
        }
        self
    }

    /// Accepts only signatures with this `tag`.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        let tag = tag.into();
        if !is_printable_ascii(&tag) {
            self.note_problem(format!("the tag `{}` is not printable ASCII", shown(&tag)));
        }
        self.tag = Some(tag);
        self
    }

    /// Validates as if at this time, for tests and for clocks of your own. Fractions of a second are cut off.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(unix_seconds(Some(time)));
        self
    }

    /// Whether anything can be validated with these options, for start-up.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`], with the option that is wrong.
    pub fn check(&self) -> Result<(), AuthError> {
        match &self.problem {
            Some(problem) => Err(AuthError::new(AuthErrorKind::Misconfigured).detail(&**problem)),
            None => Ok(()),
        }
    }

    fn note_problem(&mut self, problem: impl Into<Box<str>>) {
        self.problem.get_or_insert_with(|| problem.into());
    }

    pub(crate) fn now(&self) -> i64 {
        self.at.unwrap_or_else(|| unix_seconds(None))
    }

    /// The host's name of the secret for a signature that may be meant for it.
    pub(super) fn secret_name_for(
        &self,
        input: &SignatureInput<'_>,
    ) -> Result<&Arc<str>, AuthErrorKind> {
        let secret_name = match &self.key_ids {
            None => &self.secret_name,
            Some(listed) => input
                .key_id()
                .and_then(|key_id| listed.get(&*key_id))
                .ok_or(AuthErrorKind::UnknownKeyId)?,
        };
        if self.tag.is_some() && input.tag().as_deref() != self.tag.as_deref() {
            return Err(AuthErrorKind::WrongTag);
        }
        match input.alg() {
            Some(alg) if alg != "hmac-sha256" => Err(AuthErrorKind::UnsupportedAlgorithm),
            _ => Ok(secret_name),
        }
    }

    #[cfg(feature = "tower")]
    pub(crate) fn forwarded_host(&self) -> Option<&HeaderName> {
        self.forwarded_host.as_ref()
    }

    /// Whether a key id tells who the consumer is.
    pub(super) fn lists_key_ids(&self) -> bool {
        self.key_ids.is_some()
    }

    pub(super) fn lists_authority(&self, authority: Authority<'_>) -> bool {
        self.authorities.is_none() || self.normal_authorities.iter().any(|one| authority.is(one))
    }

    fn normalise_authorities(&mut self) {
        self.normal_authorities.clear();
        for authority in self.authorities.clone().unwrap_or_default() {
            match Authority::parse(&authority, self.external_scheme) {
                Some(authority) => self
                    .normal_authorities
                    .push(authority.as_str().to_ascii_lowercase().into()),
                None => self.note_problem(format!(
                    "the authority `{}` is not `host` or `host:port`",
                    shown(&authority)
                )),
            }
        }
    }

    /// What to sign, for a consumer that did not (RFC 9421 section 5.1).
    pub(crate) fn accept_signature(&self) -> HeaderValue {
        let always = self.required | Coverage::QUERY | Coverage::CONTENT_DIGEST;
        let mut value = b"sig1=(".to_vec();
        for (index, component) in always
            .names()
            .chain(self.required_fields.iter().map(|field| &**field))
            .enumerate()
        {
            if index > 0 {
                value.push(b' ');
            }
            push_quoted(&mut value, component);
        }
        value.extend_from_slice(br#");created;alg="hmac-sha256""#);
        if let Some(tag) = self.tag.as_ref().filter(|tag| is_printable_ascii(tag)) {
            value.extend_from_slice(b";tag=");
            push_quoted(&mut value, tag);
        }
        HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("sig1=()"))
    }
}
