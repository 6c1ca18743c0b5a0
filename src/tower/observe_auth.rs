//! The layer of a host that refuses nothing yet.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    observed::Observed,
    observed_body::{ObservedBody, Watch, conclude},
    policy::Policy,
    take_ready,
    unsigned::Exception,
};
use crate::{
    eventual::POLLED_AFTER_END,
    validate::{Answers, AuthError, Question, VerifiedHead},
};

/// Looks at every request as [`ValidateAuthLayer`](super::ValidateAuthLayer) does, and refuses none:
/// for a service that is live, before it begins to refuse.
///
/// Create it with [`ValidateAuthLayer::observing`](super::ValidateAuthLayer::observing). With the
/// feature `tracing`, each request that would have been refused is an event with the same fields, and
/// the message `request would be refused`. The service finds an [`Observed`] in the extensions of the
/// request, and never a [`Validated`](crate::Validated).
///
/// ```
/// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// use axum::{Router, routing::get};
///
/// let observe = ValidateAuthLayer::new(secrets, options).observing();
/// let app: Router = Router::new()
///     .route("/siteStats", get(async || "for everybody, so far"))
///     .layer(observe);
/// ```
///
/// The layer hashes the body while the service reads it, so it knows only at the end of the body what
/// would have become of the request. A body that the service does not read to its end leaves no event,
/// if its head was right. The layer looks into the replay guard and uses up no signature. So it sees
/// a repeated request only if another layer with the same guard has accepted it.
///
/// The service gets the body as an [`ObservedBody`]. In axum, `Router::layer` and
/// `MethodRouter::layer` accept this layer directly.
///
/// # Security
///
/// Nothing is protected.
#[derive(Clone, Debug)]
pub struct ObserveAuthLayer {
    pub(super) policy: Arc<Policy>,
}

impl<S> Layer<S> for ObserveAuthLayer {
    type Service = ObserveAuth<S>;

    fn layer(&self, inner: S) -> ObserveAuth<S> {
        ObserveAuth {
            inner,
            policy: Arc::clone(&self.policy),
        }
    }
}

/// The service of [`ObserveAuthLayer`].
#[derive(Clone, Debug)]
pub struct ObserveAuth<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for ObserveAuth<S>
where
    S: Service<Request<ObservedBody<B>>, Response = Response<R>> + Clone,
    B: Body,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ObserveAuthFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ObserveAuthFuture<S, B> {
        let mut service = take_ready(&mut self.inner);
        let (parts, body) = request.into_parts();
        let state = if let Some(exception) = self.policy.observed_exception(&parts) {
            pass(&mut service, parts, body, &exception)
        } else {
            let mut answers = Answers::default();
            match verify(&self.policy, &parts, &body, &mut answers) {
                Ok(verified) => observe(&mut service, parts, body, verified, &self.policy),
                Err(question) => State::Asking {
                    waiting: Some((service, parts, body)),
                    answers,
                    question,
                },
            }
        };
        ObserveAuthFuture {
            policy: Arc::clone(&self.policy),
            state,
        }
    }
}

fn verify(
    policy: &Policy,
    parts: &Parts,
    body: &impl Body,
    answers: &mut Answers,
) -> Result<Result<VerifiedHead, AuthError>, Question> {
    policy.verify_unread(parts, body, &policy.len_of(parts), answers)
}

/// Calls the service with a request that needs no signature.
fn pass<S, B>(service: &mut S, mut parts: Parts, body: B, exception: &Exception) -> State<S, B>
where
    S: Service<Request<ObservedBody<B>>>,
{
    let observed = match exception {
        Exception::Unprotected => None,
        Exception::Unsigned(mark) => {
            parts.extensions.insert(*mark);
            let observed = Observed::new();
            observed.decide(Ok(()));
            Some(observed)
        }
    };
    call(service, parts, ObservedBody::new(body, None), observed)
}

/// Calls the service with any other request.
fn observe<S, B>(
    service: &mut S,
    parts: Parts,
    body: B,
    verified: Result<VerifiedHead, AuthError>,
    policy: &Arc<Policy>,
) -> State<S, B>
where
    S: Service<Request<ObservedBody<B>>>,
    B: Body,
{
    let observed = Observed::new();
    let watch = match verified {
        Ok(head) => {
            observed.set_consumer(head.proof().consumer());
            let watch = Box::new(Watch {
                head,
                len: policy.len_of(&parts),
                observed: observed.clone(),
                policy: Arc::clone(policy),
                parts: parts.clone(),
            });
            if body.is_end_stream() {
                watch.end_without_body();
                None
            } else {
                Some(watch)
            }
        }
        Err(error) => {
            conclude(Err(error), &observed, policy, &parts);
            None
        }
    };
    call(
        service,
        parts,
        ObservedBody::new(body, watch),
        Some(observed),
    )
}

fn call<S, B>(
    service: &mut S,
    mut parts: Parts,
    body: ObservedBody<B>,
    observed: Option<Observed>,
) -> State<S, B>
where
    S: Service<Request<ObservedBody<B>>>,
{
    if let Some(observed) = &observed {
        parts.extensions.insert(observed.clone());
    }
    State::Replying {
        response: service.call(Request::from_parts(parts, body)),
        observed,
    }
}

pin_project! {
    /// The response of the service.
    pub struct ObserveAuthFuture<S: Service<Request<ObservedBody<B>>>, B> {
        policy: Arc<Policy>,
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<ObservedBody<B>>>, B> {
        Asking {
            // Until the directory has answered.
            waiting: Option<(S, Parts, B)>,
            answers: Answers,
            question: Question,
        },
        Replying {
            #[pin] response: S::Future,
            observed: Option<Observed>,
        },
    }
}

impl<S, B, R> Future for ObserveAuthFuture<S, B>
where
    S: Service<Request<ObservedBody<B>>, Response = Response<R>>,
    B: Body,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Asking {
                    waiting,
                    answers,
                    question,
                } => {
                    ready!(question.poll(cx, answers));
                    let (mut service, parts, body) = waiting.take().expect(POLLED_AFTER_END);
                    match verify(this.policy, &parts, &body, answers) {
                        Ok(verified) => observe(&mut service, parts, body, verified, this.policy),
                        Err(next) => {
                            *question = next;
                            *waiting = Some((service, parts, body));
                            continue;
                        }
                    }
                }
                StateProjection::Replying { response, observed } => {
                    let mut result = ready!(response.poll(cx));
                    if let (Ok(response), Some(observed)) = (&mut result, observed.take()) {
                        response.extensions_mut().insert(observed);
                    }
                    return Poll::Ready(result);
                }
            };
            this.state.set(next);
        }
    }
}

impl<S: Service<Request<ObservedBody<B>>>, B> fmt::Debug for ObserveAuthFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveAuthFuture").finish_non_exhaustive()
    }
}
