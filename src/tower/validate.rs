use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Extensions, Request, Response, Uri, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    BoxError, UNFINISHED, ValidateStreamLayer,
    hashed_body::{HashedBody, Piece},
    policy::Policy,
    take_ready,
};
use crate::{
    replay::{ReplayGuard, UseOnce},
    secret::SecretStore,
    validate::AuthError,
    validate::{ValidateOptions, Validated},
};

/// The largest body that is accepted, unless configured: 2 MiB, in bytes.
pub const DEFAULT_MAX_BODY_LEN: u64 = 2 * 1024 * 1024;

/// Lets only validated requests through to a service, each once.
///
/// Around any `Service<Request<B>>` whose body, and that of its response, can be made from bytes,
/// as axum's can; for others there is [`BufferedBody`](super::BufferedBody). The service gets the
/// request with its whole body, of the same type, and [`Validated`](crate::Validated) in the
/// extensions. Whatever is refused never reaches it: the peer gets the answer of
/// [`AuthError::to_response`], and the [`AuthErrorKind`](crate::AuthErrorKind) stands in the
/// extensions of the response.
///
/// A gRPC call is answered with its own status code too, `UNAUTHENTICATED` instead of 401, and
/// without a body.
///
/// All checks of [`validate_auth`](crate::validate_auth) are made, in this order: head and policy;
/// `Content-Length` over the limit, which is refused unread; MAC; the body as it comes, up to the
/// limit; its digest; the replay guard. For where it belongs, see [the module](super).
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`max_body_len`](Self::max_body_len) | [`DEFAULT_MAX_BODY_LEN`], 2 MiB |
/// | [`replay_guard`](Self::replay_guard) | a [`MemoryReplayGuard`](crate::MemoryReplayGuard) of its own, started when the layer was made |
/// | [`original_uri`](Self::original_uri) | none: the URI of the request is the one that was signed |
/// | [`map_refusal`](Self::map_refusal) | none: the peer gets [`AuthError::to_response`] |
///
/// # Security
///
/// Nothing here limits how slowly a body comes or how many come at once: limit time and connections
/// outside of this layer.
#[derive(Clone, Debug)]
pub struct ValidateAuthLayer {
    policy: Arc<Policy>,
}

impl ValidateAuthLayer {
    /// A layer that validates with these secrets and options.
    ///
    /// Options that contradict themselves make it answer 503 to everybody:
    /// [`ValidateOptions::check`] tells at start-up.
    #[must_use]
    pub fn new(secrets: impl SecretStore + 'static, options: ValidateOptions) -> Self {
        Self {
            policy: Arc::new(Policy::new(secrets, options)),
        }
    }

    /// The largest body that is accepted, in bytes. A larger one is answered with 413.
    #[must_use]
    pub fn max_body_len(mut self, bytes: u64) -> Self {
        self.policy_mut().max_body_len = bytes;
        self
    }

    /// The guard that accepts each signature once. Give several layers with the same secrets the
    /// same one, in an `Arc`.
    #[must_use]
    pub fn replay_guard(mut self, guard: impl ReplayGuard + 'static) -> Self {
        self.policy_mut().replay_guard = Some(Arc::new(guard));
        self
    }

    /// Accepts a request as often as it is sent.
    ///
    /// # Security
    ///
    /// Whoever records a request can repeat it for
    /// [`max_time_diff`](ValidateOptions::max_time_diff).
    #[must_use]
    pub fn without_replay_guard(mut self) -> Self {
        self.policy_mut().replay_guard = None;
        self
    }

    /// Where a router that cuts the path has put the URI that was sent. Where nothing is found, the
    /// URI of the request counts.
    ///
    /// Inside of axum's `nest`:
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// use axum::extract::OriginalUri;
    ///
    /// let layer = ValidateAuthLayer::new(secrets, options).original_uri(|extensions| Some(&extensions.get::<OriginalUri>()?.0));
    /// ```
    ///
    /// # Security
    ///
    /// The MAC is checked for that URI, while the handler sees the other one: it must be set by the
    /// server alone.
    #[must_use]
    pub fn original_uri(mut self, find: fn(&Extensions) -> Option<&Uri>) -> Self {
        self.policy_mut().original_uri = Some(find);
        self
    }

    /// Changes the answer to a refused request, or replaces it.
    ///
    /// The closure gets the answer of [`AuthError::to_response`], the reason, and the head of the
    /// request. Start from that answer, which has `WWW-Authenticate` and `Accept-Signature`. It is
    /// also the place to count and to log; with the feature `tracing`, each refusal is an event
    /// anyway.
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// use bytes::Bytes; // also `axum::body::Bytes`
    ///
    /// let layer = ValidateAuthLayer::new(secrets, options).map_refusal(|mut answer, _error, _head| {
    ///     *answer.body_mut() = Bytes::from_static(br#"{"code":"unauthorized"}"#);
    ///     answer
    /// });
    /// ```
    ///
    /// # Security
    ///
    /// The reason is for the operator. A peer that learns it learns what to try next.
    #[must_use]
    pub fn map_refusal(
        mut self,
        map: impl Fn(Response<Bytes>, &AuthError, &Parts) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.policy_mut().map_refusal = Some(Arc::new(map));
        self
    }

    /// The same for uploads that are too large to be held in memory; raise
    /// [`max_body_len`](Self::max_body_len), which holds for them too.
    #[must_use]
    pub fn streaming(self) -> ValidateStreamLayer {
        ValidateStreamLayer {
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
        ValidateAuth {
            inner,
            policy: Arc::clone(&self.policy),
        }
    }
}

/// The service of [`ValidateAuthLayer`].
#[derive(Clone, Debug)]
pub struct ValidateAuth<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for ValidateAuth<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ValidateAuthFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ValidateAuthFuture<S, B> {
        let service = take_ready(&mut self.inner);
        let (parts, body) = request.into_parts();
        let policy = Arc::clone(&self.policy);
        let state = match policy.verify(&parts, body) {
            Ok(body) => State::Reading {
                body,
                buffer: Buffer::default(),
            },
            Err(error) => State::Refused {
                response: Some(policy.refuse(&error, &parts)),
            },
        };
        ValidateAuthFuture {
            policy,
            service: Some(service),
            parts: Some(parts),
            state,
        }
    }
}

pin_project! {
    /// The response of the service, or that to a refused request.
    pub struct ValidateAuthFuture<S: Service<Request<B>>, B> {
        policy: Arc<Policy>,
        // Both until the service is called.
        service: Option<S>,
        parts: Option<Parts>,
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<B>>, B> {
        Reading { #[pin] body: HashedBody<B>, buffer: Buffer },
        UsingOnce { validated: Option<Validated>, body: Bytes, #[pin] answer: UseOnce },
        Calling { #[pin] response: S::Future },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<S, B, R> Future for ValidateAuthFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let error = match this.state.as_mut().project() {
                StateProjection::Reading { body, buffer } => match ready!(body.poll_piece(cx)) {
                    Ok(Piece::Data(piece)) => {
                        buffer.push(piece);
                        continue;
                    }
                    Ok(Piece::End(validated)) => {
                        let answer = this.policy.use_once(validated.proof());
                        let body = mem::take(buffer).into_bytes();
                        this.state.set(State::UsingOnce {
                            validated: Some(validated),
                            body,
                            answer,
                        });
                        continue;
                    }
                    Err(error) => error,
                },
                StateProjection::UsingOnce {
                    validated,
                    body,
                    answer,
                } => match ready!(answer.poll(cx)) {
                    Ok(()) => {
                        let mut parts = this.parts.take().expect(UNFINISHED);
                        // Only now: owning one is the proof.
                        parts.extensions.insert(validated.take().expect(UNFINISHED));
                        let request = Request::from_parts(parts, B::from(mem::take(body)));
                        let response = this.service.take().expect(UNFINISHED).call(request);
                        this.state.set(State::Calling { response });
                        continue;
                    }
                    Err(error) => error,
                },
                StateProjection::Calling { response } => return response.poll(cx),
                StateProjection::Refused { response } => {
                    return Poll::Ready(Ok(response.take().expect(UNFINISHED).map(R::from)));
                }
            };
            let response = this
                .policy
                .refuse(&error, &this.parts.take().expect(UNFINISHED));
            this.state.set(State::Refused {
                response: Some(response),
            });
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ValidateAuthFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateAuthFuture").finish_non_exhaustive()
    }
}

/// A body as it comes in. Most come in one piece, which is kept as it is; many small ones must not
/// take more than their bytes.
#[derive(Default)]
struct Buffer {
    only: Bytes,
    all: BytesMut,
}

impl Buffer {
    fn push(&mut self, piece: Bytes) {
        if self.only.is_empty() && self.all.is_empty() {
            self.only = piece;
        } else {
            self.all.extend_from_slice(&mem::take(&mut self.only));
            self.all.extend_from_slice(&piece);
        }
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.only
        } else {
            self.all.freeze()
        }
    }
}
