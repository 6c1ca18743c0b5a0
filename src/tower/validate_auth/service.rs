//! A service that lets only validated requests through, and its response.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    eventual::POLLED_AFTER_END,
    replay::UseOnce,
    tower::{
        BoxError,
        hashed_body::{HashedBody, Piece, Rest},
        pieces::Pieces,
        policy::Policy,
        reply::Reply,
        take_ready,
        unsigned::Exception,
        upgrade,
        verifying::{Asking, Verifying},
    },
    validate::{Answers, Validated},
};

/// The service of [`ValidateAuthLayer`](super::ValidateAuthLayer).
#[derive(Clone, Debug)]
pub struct ValidateAuth<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> ValidateAuth<S> {
    pub(super) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }
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
        let mut service = take_ready(&mut self.inner);
        let (mut parts, body) = request.into_parts();
        let policy = Arc::clone(&self.policy);
        if let Some(exception) = policy.exception(&parts) {
            let state = match exception {
                Exception::Unprotected => State::Passing {
                    response: service.call(Request::from_parts(parts, body)),
                },
                Exception::Unsigned(mark) => {
                    parts.extensions.insert(mark);
                    let response = service.call(Request::from_parts(parts, body));
                    State::Replying {
                        reply: Reply::unproven(response),
                    }
                }
            };
            return ValidateAuthFuture {
                policy,
                waiting: None,
                state,
            };
        }
        let state = match policy.verify(&parts, body, Answers::default()) {
            Verifying::Done(body) => State::reading(body),
            Verifying::Asking(asking) => State::Asking { asking },
        };
        ValidateAuthFuture {
            policy,
            waiting: Some((service, parts)),
            state,
        }
    }
}

pin_project! {
    /// The response of the service, or the answer to a refused request.
    pub struct ValidateAuthFuture<S: Service<Request<B>>, B> {
        policy: Arc<Policy>,
        // Until the service is called or the request is refused.
        waiting: Option<(S, Parts)>,
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<B>>, B> {
        // Of a route that is not protected.
        Passing { #[pin] response: S::Future },
        Asking { asking: Asking<B> },
        Reading { #[pin] body: HashedBody<B>, pieces: Pieces },
        UsingOnce { validated: Option<Validated>, body: Bytes, #[pin] answer: UseOnce },
        Replying { #[pin] reply: Reply<S::Future, Validated> },
    }
}

impl<S: Service<Request<B>>, B> State<S, B> {
    fn reading(body: HashedBody<B>) -> Self {
        Self::Reading {
            body,
            pieces: Pieces::default(),
        }
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
            let (error, left) = match this.state.as_mut().project() {
                StateProjection::Passing { response } => return response.poll(cx),
                StateProjection::Asking { asking } => {
                    let (_, parts) = this.waiting.as_ref().expect(POLLED_AFTER_END);
                    let body = ready!(asking.poll(cx, this.policy, parts));
                    this.state.set(State::reading(body));
                    continue;
                }
                StateProjection::Reading { mut body, pieces } => {
                    let (_, parts) = this.waiting.as_ref().expect(POLLED_AFTER_END);
                    match ready!(body.as_mut().poll_piece(cx, this.policy, parts)) {
                        Ok(Piece::Data(piece)) => {
                            pieces.push(piece);
                            continue;
                        }
                        Ok(Piece::End(validated)) => {
                            let answer = this.policy.use_once(validated.proof());
                            let body = mem::take(pieces).into_bytes();
                            this.state.set(State::UsingOnce {
                                validated: Some(validated),
                                body,
                                answer,
                            });
                            continue;
                        }
                        Err(error) => (error, body.left()),
                    }
                }
                StateProjection::UsingOnce {
                    validated,
                    body,
                    answer,
                } => match ready!(answer.poll(cx)) {
                    Ok(()) => {
                        let (mut service, mut parts) = this.waiting.take().expect(POLLED_AFTER_END);
                        let validated = validated.take().expect(POLLED_AFTER_END);
                        upgrade::remove_unsigned(&mut parts, validated.proof());
                        #[cfg(feature = "tracing")]
                        this.policy.trace_consumer(validated.proof());
                        this.policy.accept(validated.proof());
                        // Only now: owning `Validated` is the proof.
                        parts.extensions.insert(validated.clone());
                        let request = Request::from_parts(parts, B::from(mem::take(body)));
                        let reply = Reply::service(service.call(request), validated);
                        this.state.set(State::Replying { reply });
                        continue;
                    }
                    Err(error) => (error, Rest::Nothing),
                },
                StateProjection::Replying { reply } => return reply.poll(cx),
            };
            let (_, parts) = this.waiting.take().expect(POLLED_AFTER_END);
            let reply = Reply::refusal(this.policy.refuse(&error, &parts, left));
            this.state.set(State::Replying { reply });
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ValidateAuthFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateAuthFuture").finish_non_exhaustive()
    }
}
