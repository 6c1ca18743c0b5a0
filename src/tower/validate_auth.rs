//! The layer of a host that reads a body whole before the service sees the request.

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, Method, Response, Uri, request::Parts};
use tower_layer::Layer;

pub use self::service::{ValidateAuth, ValidateAuthFuture};
use super::{
    ObserveAuthLayer, ValidateStreamLayer,
    policy::{Consumers, Policy},
};
use crate::{
    replay::ReplayGuard,
    secret::SecretStore,
    validate::{AuthError, ConsumerDirectory, ValidateOptions},
};

mod service;

/// The largest accepted body unless configured otherwise: 2 MiB, in bytes.
pub const DEFAULT_MAX_BODY_LEN: u64 = 2 * 1024 * 1024;

/// Lets only validated requests through to a service, each of them once.
///
/// The layer wraps any `Service<Request<B>>` if its request body and its response body can be made
/// from bytes, as those of axum can. For other bodies, use [`BufferedBody`](super::BufferedBody).
///
/// The service gets the request with its whole body, of the same type, and
/// [`Validated`](crate::Validated) in the extensions. A refused request never reaches the service:
/// the peer gets the answer of [`AuthError::to_response`], with the
/// [`AuthErrorKind`](crate::AuthErrorKind) in the extensions of the response. The answer to a gRPC
/// call has no body, and also a status of gRPC, such as `UNAUTHENTICATED` for 401.
///
/// The layer makes all checks of [`validate_auth`](crate::validate_auth), in this order:
///
/// 1. the head and the options;
/// 2. the MAC;
/// 3. the length that `Content-Length` announces;
/// 4. what the replay guard knows at once: see [`ReplayGuard::known_refusal`];
/// 5. the body while it comes, up to the limit, and its digest;
/// 6. the replay guard.
///
/// Before the MAC, no answer depends on the length: 413 or 401 would show a peer without a secret
/// which key ids, authorities, tags and times are right.
///
/// # Caches
///
/// A shared cache does not know that a signature protects an answer. The layer adds `private` to
/// the `Cache-Control` of each answer that does not itself say `public`, `s-maxage`, `private` or
/// `no-store`. A refusal says `no-store`.
///
/// # Unread bodies
///
/// Many proxies read no answer before they have sent the whole request. Over HTTP/1, the layer
/// therefore reads what is left of the body of a refused request, drops it, and then answers. It
/// reads at most [`max_body_len`](Self::max_body_len) bytes for at most 5 seconds, and waits a
/// second for the first byte. It does so for at most 64 requests at once, only in a runtime of
/// tokio, and never after `Expect: 100-continue`. Beyond that, the answer comes at once, with
/// `Connection: close`.
///
/// [The module](super) says where in the stack the layer belongs.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`max_body_len`](Self::max_body_len) | [`DEFAULT_MAX_BODY_LEN`], 2 MiB |
/// | [`replay_guard`](Self::replay_guard) | its own [`MemoryReplayGuard`], started with it, by the [`clock`](ValidateOptions::clock) of the options |
/// | [`original_uri`](Self::original_uri) | none: the consumer signed the URI of the request |
/// | [`path_prefix`](Self::path_prefix) | none: nobody has cut the path |
/// | [`trust_client_uri`](Self::trust_client_uri) | none: the consumer signed the URI of the request |
/// | [`allow_unsigned`](Self::allow_unsigned) | no: each request must be signed |
/// | [`unprotected`](Self::unprotected) | none: each route is protected |
/// | [`map_refusal`](Self::map_refusal) | none: the peer gets [`AuthError::to_response`] |
///
/// # Security
///
/// The layer does not limit how slowly a body comes, nor how many requests come at the same time.
/// Limit time and connections outside of this layer.
///
/// [`MemoryReplayGuard`]: crate::MemoryReplayGuard
#[derive(Clone, Debug)]
pub struct ValidateAuthLayer {
    policy: Arc<Policy>,
}

impl ValidateAuthLayer {
    /// A layer that validates with these secrets and options.
    ///
    /// If the options contradict each other, the layer answers every request with 503. Call
    /// [`check`](Self::check) at start-up to find such a mistake.
    #[must_use]
    pub fn new(secrets: impl SecretStore + 'static, options: ValidateOptions) -> Self {
        Self {
            policy: Arc::new(Policy::new(Consumers::Named(Arc::new(secrets)), options)),
        }
    }

    /// A layer that finds each consumer in a directory by its key id, for consumers that come and
    /// go.
    ///
    /// [`Validated::consumer`](crate::Validated::consumer) is then the name in the directory.
    ///
    /// ```
    /// # use hmac_auth::{ConsumerDirectory, tower::ValidateAuthLayer};
    /// # fn layer(directory: impl ConsumerDirectory + 'static) -> ValidateAuthLayer {
    /// use hmac_auth::ValidateOptions;
    ///
    /// let options = ValidateOptions::new().authorities(["host.example"]);
    /// ValidateAuthLayer::with_directory(directory, options)
    /// # }
    /// ```
    ///
    /// If the options contradict each other, or list key ids, the layer answers every request with
    /// 503. Call [`check`](Self::check) at start-up to find such a mistake.
    #[must_use]
    pub fn with_directory(
        directory: impl ConsumerDirectory + 'static,
        options: ValidateOptions,
    ) -> Self {
        Self {
            policy: Arc::new(Policy::new(Consumers::Found(Arc::new(directory)), options)),
        }
    }

    /// Whether anything can be validated with the options of this layer, and with its
    /// [`ValidateOptions`]. Call it at start-up.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`](crate::AuthErrorKind::Misconfigured), with the wrong
    /// option. At most one of [`original_uri`](Self::original_uri),
    /// [`trust_client_uri`](Self::trust_client_uri) and [`path_prefix`](Self::path_prefix) may be
    /// set.
    pub fn check(&self) -> Result<(), AuthError> {
        self.policy.check()
    }

    /// Sets the largest accepted body, in bytes. A larger body is refused with 413.
    ///
    /// The extractors of axum, such as `Bytes` and `Json`, have a limit of their own: 2 MB, with
    /// 413 as well. Raise both:
    ///
    /// ```
    /// # use axum::{Router, body::Bytes, routing::post};
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// # let router = Router::new().route("/", post(async |_: Bytes| ()));
    /// use axum::extract::DefaultBodyLimit;
    ///
    /// let validate = ValidateAuthLayer::new(secrets, options).max_body_len(8 << 20);
    /// let app: Router = router.layer(validate).layer(DefaultBodyLimit::max(8 << 20));
    /// ```
    #[must_use]
    pub fn max_body_len(mut self, bytes: u64) -> Self {
        self.policy_mut().max_body_len = bytes;
        self
    }

    /// Sets the guard that accepts each signature once.
    ///
    /// Give the same guard, in an `Arc`, to all layers that share secrets.
    #[must_use]
    pub fn replay_guard(mut self, guard: impl ReplayGuard + 'static) -> Self {
        self.policy_mut().replay_guard = Some(Arc::new(guard));
        self
    }

    /// Accepts a request as often as it is sent.
    ///
    /// # Security
    ///
    /// An attacker who records a request can repeat it for
    /// [`max_time_diff`](ValidateOptions::max_time_diff).
    #[must_use]
    pub fn without_replay_guard(mut self) -> Self {
        self.policy_mut().replay_guard = None;
        self
    }

    /// Names the place where a router that cuts the path has stored the URI that was received.
    ///
    /// If `find` returns `None`, the layer refuses the request as
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured).
    ///
    /// With any router, [`RecordUriLayer`](super::RecordUriLayer) stores the URI, and
    /// [`received_uri`](super::received_uri) finds it. axum stores it, too. Inside of its `nest`:
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// use axum::extract::OriginalUri;
    ///
    /// let layer = ValidateAuthLayer::new(secrets, options)
    ///     .original_uri(|extensions| Some(&extensions.get::<OriginalUri>()?.0));
    /// ```
    ///
    /// # Security
    ///
    /// Without this option, a layer inside of such a router accepts at `/admin/orders` what was
    /// signed for `/orders`. `RecordUriLayer` finds out where the option was forgotten.
    ///
    /// The MAC is checked for the original URI, while the handler sees the other one. Only the
    /// server itself may set the original URI. A `find` that falls back to the URI of the request
    /// gives that protection up.
    #[must_use]
    pub fn original_uri(mut self, find: fn(&Extensions) -> Option<&Uri>) -> Self {
        self.policy_mut().client_uri.original = Some(find);
        self
    }

    /// Puts a path prefix back that a proxy or a router has cut off, such as `/api`.
    ///
    /// A request that arrives as `/orders?page=2` is validated as `/api/orders?page=2`. What was
    /// signed for `/orders` is refused. `/api` itself arrives as `/` and is validated as `/api/`.
    /// `*` and the target of `CONNECT` have no path, and stay as they are.
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// // The stage of an API gateway at AWS.
    /// let layer =
    ///     ValidateAuthLayer::new(secrets, options).path_prefix("/prod");
    /// assert!(layer.check().is_ok());
    /// ```
    ///
    /// The prefix begins with `/`, does not end with `/`, has no query, and is ASCII. With another
    /// one, [`check`](Self::check) fails, and every request is refused.
    ///
    /// # Security
    ///
    /// Use it only if nobody reaches this host without the proxy. Whoever does can send a request
    /// for `/api/orders` to `/orders`, though not to another path.
    #[must_use]
    pub fn path_prefix(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.policy_mut().client_uri.prefix = Some(prefix.into());
        self
    }

    /// Takes the URI that the client has sent from `find`, for a proxy that rewrites the path and
    /// sends the original along.
    ///
    /// The closure gets the head of the request. It returns the URI with its whole path and query.
    /// If it returns `None`, the layer refuses the request as
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured). An authority in the URI must be that
    /// of `Host`, unless [`trust_forwarded_host`](ValidateOptions::trust_forwarded_host) names
    /// another place. The layer may call the closure several times for one request.
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// // nginx: proxy_set_header X-Original-URI $request_uri;
    /// let layer = ValidateAuthLayer::new(secrets, options).trust_client_uri(|head| {
    ///     head.headers.get("x-original-uri")?.to_str().ok()?.parse().ok()
    /// });
    /// ```
    ///
    /// # Security
    ///
    /// The closure may read only what a proxy of your own overwrites in each request. Nobody may
    /// reach this host without that proxy. A peer that can write the URI itself decides for which
    /// path its signature is: a request that was signed for `/orders` then reaches `/admin`.
    #[must_use]
    pub fn trust_client_uri(
        mut self,
        find: impl Fn(&Parts) -> Option<Uri> + Send + Sync + 'static,
    ) -> Self {
        self.policy_mut().client_uri.trusted = Some(Arc::new(find));
        self
    }

    /// Lets requests without any signature through, for a service whose consumers begin to sign one
    /// after the other.
    ///
    /// A request with neither `Signature` nor `Signature-Input` reaches the service with
    /// [`Unsigned`](super::Unsigned) in its extensions, and its body as it comes, without a limit. A
    /// wrong signature is still refused, and so is that of a stranger alone. With the feature `axum`,
    /// the extractor `Option<Validated>` tells the two apart.
    ///
    /// # Security
    ///
    /// Anybody can leave the signature out. Your handler decides what such a request may do.
    #[must_use]
    pub fn allow_unsigned(mut self) -> Self {
        self.policy_mut().exceptions.allows_unsigned = true;
        self
    }

    /// Lets requests for these routes through without any check, such as those of a load balancer
    /// for the health of the service.
    ///
    /// Method and path must be exactly those of the request as it comes to this layer: `HEAD` is not
    /// `GET`, and `/health/` is not `/health`. The query does not count.
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// use http::Method;
    ///
    /// let layer = ValidateAuthLayer::new(secrets, options)
    ///     .unprotected([(Method::GET, "/health")]);
    /// assert!(layer.check().is_ok());
    /// ```
    ///
    /// # Security
    ///
    /// Anybody can call such a route. If another layer changes the path inside of this one, compare
    /// it with what the router sees.
    #[must_use]
    pub fn unprotected<P: Into<Box<str>>>(
        mut self,
        routes: impl IntoIterator<Item = (Method, P)>,
    ) -> Self {
        self.policy_mut().exceptions.set_unprotected(routes);
        self
    }

    /// Changes or replaces the answer to a refused request.
    ///
    /// The closure gets the answer of [`AuthError::to_response`], the reason, and the head of the
    /// request. Start from that answer: it has `WWW-Authenticate` and `Accept-Signature`.
    ///
    /// The closure is also the place to count and to log refusals. With the feature `tracing`, each
    /// refusal is an event already.
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// use bytes::Bytes; // also `axum::body::Bytes`
    ///
    /// let layer = ValidateAuthLayer::new(secrets, options).map_refusal(
    ///     |mut answer, _error, _head| {
    ///         let body = br#"{"code":"unauthorized"}"#;
    ///         *answer.body_mut() = Bytes::from_static(body);
    ///         answer
    ///     },
    /// );
    /// ```
    ///
    /// # Security
    ///
    /// The reason is for the operator only. If a peer learns the reason, it learns what to try
    /// next.
    #[must_use]
    pub fn map_refusal(
        mut self,
        f: impl Fn(Response<Bytes>, &AuthError, &Parts) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.policy_mut().map_refusal = Some(Arc::new(f));
        self
    }

    /// Turns this layer into a [`ValidateStreamLayer`], for uploads that are too large for memory.
    ///
    /// All options stay. Raise [`max_body_len`](Self::max_body_len), which limits uploads too.
    #[must_use]
    pub fn streaming(self) -> ValidateStreamLayer {
        ValidateStreamLayer {
            policy: self.policy,
        }
    }

    /// Turns this layer into an [`ObserveAuthLayer`], which refuses nothing: to see what this one would
    /// refuse before it does.
    ///
    /// All options stay.
    #[must_use]
    pub fn observing(self) -> ObserveAuthLayer {
        ObserveAuthLayer {
            policy: self.policy,
        }
    }

    fn policy_mut(&mut self) -> &mut Policy {
        Arc::make_mut(&mut self.policy)
    }
}

impl<S> Layer<S> for ValidateAuthLayer {
    type Service = ValidateAuth<S>;

    fn layer(&self, inner: S) -> ValidateAuth<S> {
        ValidateAuth::new(inner, Arc::clone(&self.policy))
    }
}
