//! How a host is tested.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;

use super::signed::fixed_time;
use crate::{
    secret::Secret,
    sign::SignOptions,
    validate::{DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF},
};

/// How a host is tested: how its consumers sign, and what its options are.
///
/// What begins with `host_accepts` leaves a test out.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`sign_options`](Self::sign_options) | a consumer at [`fixed_time`](super::fixed_time) |
/// | [`max_time_diff`](Self::max_time_diff) | [`DEFAULT_MAX_TIME_DIFF`], 60 s |
/// | [`max_clock_skew`](Self::max_clock_skew) | [`DEFAULT_MAX_CLOCK_SKEW`], 10 s |
/// | [`host_requires`](Self::host_requires) | nothing beyond what each host requires |
/// | [`proxied_by`](Self::proxied_by) | none: the host gets what the consumer sends |
/// | [`handler_calls`](Self::handler_calls) | none: the answer shows who has refused |
/// | [`host_accepts_replays`](Self::host_accepts_replays) | no |
/// | [`host_accepts_unsigned`](Self::host_accepts_unsigned) | no |
/// | [`host_accepts_any_authority`](Self::host_accepts_any_authority) | no |
/// | [`host_accepts_uncovered_content_type`](Self::host_accepts_uncovered_content_type) | no |
#[derive(Clone)]
pub struct TamperOptions {
    pub(super) secret: Secret,
    pub(super) sign: SignOptions,
    pub(super) max_time_diff: Duration,
    pub(super) max_clock_skew: Duration,
    pub(super) required: Vec<String>,
    pub(super) proxy: Option<Proxy>,
    pub(super) handler_calls: Option<HandlerCalls>,
    accepted: Vec<Accepted>,
}

/// A weakness that a host has on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    Replays,
    Unsigned,
    AnyAuthority,
    UncoveredContentType,
}

type Proxy = Arc<dyn Fn(Request<Bytes>) -> Request<Bytes> + Send + Sync>;
type HandlerCalls = Arc<dyn Fn() -> usize + Send + Sync>;

impl TamperOptions {
    /// The defaults, with the secret of a consumer that the host accepts.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            sign: SignOptions::new().clock(fixed_time),
            max_time_diff: DEFAULT_MAX_TIME_DIFF,
            max_clock_skew: DEFAULT_MAX_CLOCK_SKEW,
            required: Vec::new(),
            proxy: None,
            handler_calls: None,
            accepted: Vec::new(),
        }
    }

    /// How the consumer signs. Its clock must be that of the host.
    ///
    /// Each signature gets a random nonce of its own, whatever the options say. With
    /// `SignOptions::new()`, consumer and host live at the present.
    #[must_use]
    pub fn sign_options(mut self, options: SignOptions) -> Self {
        self.sign = options.random_nonces();
        self
    }

    /// The [`max_time_diff`](crate::ValidateOptions::max_time_diff) that the host should have.
    #[must_use]
    pub fn max_time_diff(mut self, duration: Duration) -> Self {
        self.max_time_diff = duration;
        self
    }

    /// The [`max_clock_skew`](crate::ValidateOptions::max_clock_skew) that the host should have.
    #[must_use]
    pub fn max_clock_skew(mut self, duration: Duration) -> Self {
        self.max_clock_skew = duration;
        self
    }

    /// A component that the host should [`require`](crate::ValidateOptions::require), or require
    /// [if it is present](crate::ValidateOptions::require_if_present). The consumer
    /// [covers](SignOptions::cover) it.
    ///
    /// A signature without this component must then be refused.
    ///
    /// ```
    /// use hmac_auth::{
    ///     Secret,
    ///     testing::{TamperOptions, sign_options},
    /// };
    ///
    /// # let secret = Secret::from_text("a secret that only the tests know")?;
    /// let options = TamperOptions::new(secret)
    ///     .sign_options(sign_options().cover("prefer"))
    ///     .host_requires("prefer");
    /// # Ok::<(), hmac_auth::SecretError>(())
    /// ```
    #[must_use]
    pub fn host_requires(mut self, component: impl Into<String>) -> Self {
        self.required.push(component.into());
        self
    }

    /// Changes each request as the proxy in front of the host does: for a host with options such as
    /// [`trust_forwarded_host`](crate::ValidateOptions::trust_forwarded_host).
    ///
    /// ```
    /// use hmac_auth::{Secret, testing::TamperOptions};
    ///
    /// # let secret = Secret::from_text("a secret that only the tests know")?;
    /// // A proxy that calls the host by another name.
    /// let options = TamperOptions::new(secret).proxied_by(|mut request| {
    ///     let host = request.headers_mut().remove("host");
    ///     if let Some(host) = host {
    ///         request.headers_mut().insert("x-forwarded-host", host);
    ///     }
    ///     request
    /// });
    /// # Ok::<(), hmac_auth::SecretError>(())
    /// ```
    #[must_use]
    pub fn proxied_by(
        mut self,
        proxy: impl Fn(Request<Bytes>) -> Request<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.proxy = Some(Arc::new(proxy));
        self
    }

    /// A count of the calls of your handler so far.
    ///
    /// The layers of this crate mark each of their answers, so that most tests need no count. Give
    /// one if your host validates by itself, with
    /// [`validate_auth`](crate::validate_auth()), or if something around it makes new answers: then
    /// a request counts as refused if the handler was not called.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// use hmac_auth::{Secret, testing::TamperOptions};
    ///
    /// # let secret = Secret::from_text("a secret that only the tests know")?;
    /// let calls = Arc::new(AtomicUsize::new(0));
    /// // The handler counts: `calls.fetch_add(1, Ordering::Relaxed)`.
    /// let options = TamperOptions::new(secret)
    ///     .handler_calls(move || calls.load(Ordering::Relaxed));
    /// # Ok::<(), hmac_auth::SecretError>(())
    /// ```
    #[must_use]
    pub fn handler_calls(mut self, calls: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.handler_calls = Some(Arc::new(calls));
        self
    }

    /// Does not test for replays: the host has no replay guard.
    #[must_use]
    pub fn host_accepts_replays(mut self) -> Self {
        self.accepted.push(Accepted::Replays);
        self
    }

    /// Does not test with a request without any signature: the layer of the host has
    /// [`allow_unsigned`](crate::tower::ValidateAuthLayer::allow_unsigned).
    #[must_use]
    pub fn host_accepts_unsigned(mut self) -> Self {
        self.accepted.push(Accepted::Unsigned);
        self
    }

    /// Does not test with a request for another host: this host lists no
    /// [`authorities`](crate::ValidateOptions::authorities).
    #[must_use]
    pub fn host_accepts_any_authority(mut self) -> Self {
        self.accepted.push(Accepted::AnyAuthority);
        self
    }

    /// Does not test with an uncovered `Content-Type`: the host has the option
    /// [`accept_uncovered_content_type`](crate::ValidateOptions::accept_uncovered_content_type).
    #[must_use]
    pub fn host_accepts_uncovered_content_type(mut self) -> Self {
        self.accepted.push(Accepted::UncoveredContentType);
        self
    }

    pub(super) fn accepts(&self, what: Accepted) -> bool {
        self.accepted.contains(&what)
    }
}

impl fmt::Debug for TamperOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TamperOptions")
            .field("secret", &self.secret)
            .field("sign_options", &self.sign)
            .field("max_time_diff", &self.max_time_diff)
            .field("max_clock_skew", &self.max_clock_skew)
            .finish_non_exhaustive()
    }
}
