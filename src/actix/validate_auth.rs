//! The middleware that lets only validated requests through.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};
use bytes::Bytes;
use http::{Extensions, Method, Response, Uri, request::Parts};

use super::{
    answer::{close_connection, keep_private, refusal},
    head,
    raw_body::RawBody,
    sign_response,
};
use crate::{
    replay::ReplayGuard,
    response::SignResponseOptions,
    secret::SecretStore,
    tower::{Consumers, Exception, Policy, ResponseSigner, Rest, validate},
    validate::{AuthError, ConsumerDirectory, ValidateOptions, Validated},
};

/// Lets only validated requests through to a service of actix, each of them once.
///
/// It makes the checks of [`ValidateAuthLayer`](crate::tower::ValidateAuthLayer) in the same order,
/// with the same limits, and gives the same answers. Its setters have the names of that layer, which
/// says more about each. A handler gets the request with its whole body as it was sent, and
/// [`Validated`](crate::Validated) as an argument. A refused request never reaches a handler: the
/// response has the [`AuthErrorKind`](crate::AuthErrorKind) in its extensions.
///
/// [The module](super) says where in the stack it belongs, and shows an app.
///
/// # Caches
///
/// The middleware adds `private` to the `Cache-Control` of each answer that does not itself say
/// `public`, `s-maxage`, `private` or `no-store`. An error of a middleware inside of this one is
/// wrapped for that: its answer stays the same otherwise.
///
/// # Unread bodies
///
/// Over HTTP/1, the middleware reads what is left of the body of a refused request, and then answers,
/// with the limits of the layer. It does so after `Expect: 100-continue`, too: actix has told the peer
/// to continue.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`max_body_len`](Self::max_body_len) | [`DEFAULT_MAX_BODY_LEN`](crate::tower::DEFAULT_MAX_BODY_LEN), 2 MiB |
/// | [`original_uri`](Self::original_uri) | none: the consumer signed the URI of the request |
/// | [`path_prefix`](Self::path_prefix) | none: nobody has cut the path |
/// | [`trust_client_uri`](Self::trust_client_uri) | none: the consumer signed the URI of the request |
/// | [`allow_unsigned`](Self::allow_unsigned) | no: each request must be signed |
/// | [`unprotected`](Self::unprotected) | none: each route is protected |
/// | [`map_refusal`](Self::map_refusal) | none: the peer gets [`AuthError::to_response`] |
/// | [`sign_responses`](Self::sign_responses) | no: answers prove nothing |
/// | [`max_signed_body_len`](Self::max_signed_body_len) | [`DEFAULT_MAX_BODY_LEN`](crate::tower::DEFAULT_MAX_BODY_LEN), 2 MiB |
///
/// # Security
///
/// The middleware does not limit how slowly a body comes, nor how many requests come at the same
/// time. Limit time and connections outside of it.
#[derive(Clone, Debug)]
pub struct ValidateAuth {
    policy: Arc<Policy>,
    signer: Arc<ResponseSigner>,
    signs: bool,
}

impl ValidateAuth {
    /// A middleware that validates with these secrets and options, and accepts each signature once.
    ///
    /// Make the guard outside of the closure that actix calls for each worker: all workers must share
    /// it. With a guard for each worker, a request counts once for each worker.
    ///
    /// If the options contradict each other, the middleware answers every request with 503. Call
    /// [`check`](Self::check) at start-up to find such a mistake.
    #[must_use]
    pub fn new(
        secrets: impl SecretStore + 'static,
        options: ValidateOptions,
        replay_guard: Arc<impl ReplayGuard + ?Sized + 'static>,
    ) -> Self {
        Self::of(Consumers::Named(Arc::new(secrets)), options, replay_guard)
    }

    /// A middleware that finds each consumer in a directory by its key id, for consumers that come
    /// and go. The guard is that of [`new`](Self::new).
    ///
    /// If the options contradict each other, or list key ids, the middleware answers every request
    /// with 503. Call [`check`](Self::check) at start-up to find such a mistake.
    #[must_use]
    pub fn with_directory(
        directory: impl ConsumerDirectory + 'static,
        options: ValidateOptions,
        replay_guard: Arc<impl ReplayGuard + ?Sized + 'static>,
    ) -> Self {
        Self::of(Consumers::Found(Arc::new(directory)), options, replay_guard)
    }

    fn of(
        consumers: Consumers,
        options: ValidateOptions,
        replay_guard: Arc<impl ReplayGuard + ?Sized + 'static>,
    ) -> Self {
        // An `Arc` is a guard itself, and so may hold any kind of guard.
        let policy = Policy::with_guard(consumers, options, Arc::new(replay_guard));
        Self {
            policy: Arc::new(policy.continues_unasked()),
            signer: Arc::default(),
            signs: false,
        }
    }

    /// Whether anything can be validated with the options of this middleware, and with its
    /// [`ValidateOptions`]. Call it at start-up.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`](crate::AuthErrorKind::Misconfigured), with the wrong option.
    pub fn check(&self) -> Result<(), AuthError> {
        self.policy.check()
    }

    /// Sets the largest accepted body, in bytes. A larger body is refused with 413.
    ///
    /// The extractors of actix have limits of their own: 256 KiB for `web::Bytes` and `String`, 2 MiB
    /// for `web::Json`. Raise both:
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use hmac_auth::{MemoryReplayGuard, MemorySecrets, ValidateOptions, actix::ValidateAuth};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// # let guard = Arc::new(MemoryReplayGuard::new());
    /// use actix_web::{App, web};
    ///
    /// let validate =
    ///     ValidateAuth::new(secrets, options, guard).max_body_len(8 << 20);
    /// let app = App::new()
    ///     .app_data(web::PayloadConfig::new(8 << 20))
    ///     .wrap(validate);
    /// ```
    #[must_use]
    pub fn max_body_len(mut self, bytes: u64) -> Self {
        self.policy_mut().max_body_len = bytes;
        self
    }

    /// Names the place where the URI that was received is stored, if something outside of this
    /// middleware changes it: `original_uri(received_uri)`, with
    /// [`received_uri`](crate::tower::received_uri) and [`RecordUri`](super::RecordUri).
    ///
    /// `find` sees only what this crate has stored. If `find` returns `None`, the middleware refuses
    /// the request as [`Misconfigured`](crate::AuthErrorKind::Misconfigured).
    ///
    /// # Security
    ///
    /// The MAC is checked for the original URI, while the handler sees the other one.
    #[must_use]
    pub fn original_uri(mut self, find: fn(&Extensions) -> Option<&Uri>) -> Self {
        self.policy_mut().client_uri.original = Some(find);
        self
    }

    /// Puts a path prefix back that a proxy has cut off, such as `/api`.
    ///
    /// See [`ValidateAuthLayer::path_prefix`](crate::tower::ValidateAuthLayer::path_prefix).
    ///
    /// # Security
    ///
    /// Use it only if nobody reaches this host without the proxy.
    #[must_use]
    pub fn path_prefix(mut self, prefix: impl Into<Box<str>>) -> Self {
        self.policy_mut().client_uri.prefix = Some(prefix.into());
        self
    }

    /// Takes the URI that the client has sent from `find`, for a proxy that rewrites the path and
    /// sends the original along.
    ///
    /// See [`ValidateAuthLayer::trust_client_uri`](crate::tower::ValidateAuthLayer::trust_client_uri).
    /// The head is a copy in the types of `http` 1.
    ///
    /// # Security
    ///
    /// The closure may read only what a proxy of your own overwrites in each request. Nobody may
    /// reach this host without that proxy.
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
    /// A request with neither `Signature` nor `Signature-Input` reaches the handler with
    /// [`Unsigned`](crate::tower::Unsigned) in its extensions, and its body as it comes, without a
    /// limit. A wrong signature is still refused, and so is that of a stranger alone. The extractor
    /// [`MaybeValidated`](super::MaybeValidated) tells the two apart.
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
    /// Method and path must be exactly those of the request as it comes to this middleware. The
    /// method is that of `http` 1, which is not `actix_web::http::Method`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use hmac_auth::{MemoryReplayGuard, MemorySecrets, ValidateOptions, actix::ValidateAuth};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// # let guard = Arc::new(MemoryReplayGuard::new());
    /// let validate = ValidateAuth::new(secrets, options, guard)
    ///     .unprotected([(http::Method::GET, "/health")]);
    /// assert!(validate.check().is_ok());
    /// ```
    ///
    /// # Security
    ///
    /// Anybody can call such a route.
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
    /// See [`ValidateAuthLayer::map_refusal`](crate::tower::ValidateAuthLayer::map_refusal). The answer
    /// and the head are those of `http` 1.
    ///
    /// # Security
    ///
    /// The reason is for the operator only. If a peer learns the reason, it learns what to try next.
    #[must_use]
    pub fn map_refusal(
        mut self,
        f: impl Fn(Response<Bytes>, &AuthError, &Parts) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.policy_mut().map_refusal = Some(Arc::new(f));
        self
    }

    /// Signs the answers to validated requests, too: see
    /// [`SignResponseLayer`](crate::tower::SignResponseLayer), which says what passes unsigned.
    ///
    /// A signature stands in the head, so the middleware reads the whole body of an answer first,
    /// and as long as that takes. For a stream that comes slowly or has no end, put
    /// [`LeaveUnsigned`](crate::tower::LeaveUnsigned) into the extensions of the response.
    /// `Compress` belongs inside of this middleware: outside, it makes the signature wrong.
    #[must_use]
    pub fn sign_responses(mut self, options: SignResponseOptions) -> Self {
        Arc::make_mut(&mut self.signer).options = options;
        self.signs = true;
        self
    }

    /// Sets the largest body of an answer that is signed, in bytes. A larger one passes unsigned,
    /// as it comes.
    ///
    /// Each answer that is signed takes as much memory as its body has bytes.
    #[must_use]
    pub fn max_signed_body_len(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.signer).max_body_len = bytes;
        self
    }

    fn policy_mut(&mut self) -> &mut Policy {
        Arc::make_mut(&mut self.policy)
    }
}

impl<S, B> Transform<S, ServiceRequest> for ValidateAuth
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = ValidateAuthMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(ValidateAuthMiddleware {
            inner: Rc::new(inner),
            policy: Arc::clone(&self.policy),
            signer: self.signs.then(|| Arc::clone(&self.signer)),
        }))
    }
}

/// The service of [`ValidateAuth`].
pub struct ValidateAuthMiddleware<S> {
    inner: Rc<S>,
    policy: Arc<Policy>,
    /// `None` if answers are not signed.
    signer: Option<Arc<ResponseSigner>>,
}

impl<S, B> Service<ServiceRequest> for ValidateAuthMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, policy) = (Rc::clone(&self.inner), Arc::clone(&self.policy));
        let signer = self.signer.clone();
        Box::pin(async move {
            match enter(&policy, request).await {
                Entry::Open(request) => {
                    let response = inner.call(request).await?;
                    Ok(response.map_into_left_body())
                }
                Entry::Validated { request, ends } => {
                    let mut response = keep_private(inner.call(request).await)?;
                    if ends {
                        close_connection(response.response_mut());
                    }
                    let validated = response.request().extensions().get::<Validated>().cloned();
                    match (signer, validated) {
                        (Some(signer), Some(validated)) => {
                            Ok(sign_response::sign(response, &validated, &signer).await)
                        }
                        _ => Ok(response.map_into_left_body()),
                    }
                }
                Entry::Refused(response) => Ok(response.map_into_right_body()),
            }
        })
    }
}

/// What becomes of a request.
enum Entry {
    /// Its route is not protected.
    Open(ServiceRequest),
    /// The handler gets it. `ends`: the connection is of no more use afterwards.
    Validated {
        request: ServiceRequest,
        ends: bool,
    },
    Refused(ServiceResponse),
}

async fn enter(policy: &Policy, mut request: ServiceRequest) -> Entry {
    let (parts, copied) = head::copy(&request);
    let refuse = |request: ServiceRequest, parts: &Parts, error: &AuthError, rest, payload| {
        let response = refusal(policy.refuse(error, parts, rest), payload);
        Entry::Refused(request.into_response(response))
    };
    if let Err(error) = copied {
        let payload = request.take_payload();
        return refuse(request, &parts, &error, Rest::Unread, payload);
    }
    match policy.exception(&parts) {
        Some(Exception::Unprotected) => return Entry::Open(request),
        Some(Exception::Unsigned(mark)) => {
            request.extensions_mut().insert(mark);
            return Entry::Validated {
                request,
                ends: false,
            };
        }
        None => {}
    }
    let mut body = RawBody::new(request.take_payload(), &parts);
    match validate(policy, &parts, &mut body).await {
        Ok((validated, bytes)) => {
            let ends = body.put_back(&mut request, parts, &validated, bytes);
            // Only now: owning `Validated` is the proof.
            request.extensions_mut().insert(validated);
            Entry::Validated { request, ends }
        }
        Err((error, rest)) => {
            let rest = body.rest(rest);
            refuse(request, &parts, &error, rest, body.into_payload())
        }
    }
}

impl<S> fmt::Debug for ValidateAuthMiddleware<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateAuthMiddleware")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
