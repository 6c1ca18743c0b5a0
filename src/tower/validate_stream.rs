//! The layer of a host that hands a body on while it is validated.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    BoxError,
    hashed_body::HashedBody,
    policy::Policy,
    reply::Reply,
    streamed_body::{SignedBody, StreamedBody},
    take_ready,
    unsigned::Exception,
    upload::Upload,
    verifying::{Asking, Verifying},
};
use crate::{eventual::POLLED_AFTER_END, replay::UseOnce, validate::Answers};

/// Lets only requests with a valid signature through, and hands on their bodies while it hashes
/// them.
///
/// Use it for uploads that are too large for memory. For all other requests,
/// [`ValidateAuthLayer`](super::ValidateAuthLayer) is simpler and safer.
///
/// Create it with [`ValidateAuthLayer::streaming`](super::ValidateAuthLayer::streaming). All
/// options of that layer hold here too:
///
/// ```
/// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// let layer = ValidateAuthLayer::new(secrets, options)
///     .max_body_len(1 << 30)
///     .streaming();
/// ```
///
/// The layer checks head, MAC and replay guard before it calls the service. Caches and unread bodies
/// are treated as [`ValidateAuthLayer`](super::ValidateAuthLayer) says. The service gets the
/// body as a [`StreamedBody`], and an [`Upload`] in the extensions of the request.
///
/// In axum, `Router::layer` and `MethodRouter::layer` accept this layer directly. If middleware
/// inside of this layer needs axum's own body, put tower-http's
/// `MapRequestBodyLayer::new(axum::body::Body::new)` between the two.
///
/// # Security
///
/// Before the end of the body, only the head is proven: the consumer, method, authority, path and
/// query. **Do nothing with the bytes that you cannot undo** until the body has ended without an
/// error. For example, write to a temporary file, then rename it; or begin a transaction, then
/// commit it.
///
/// The body ends with an [`AuthError`](crate::AuthError) if it is not the signed one, if its length
/// is not its `Content-Length`, if it breaks off, or if it has trailers. In these cases the layer
/// never hands on the last piece. Even a reader that stops after `Content-Length` bytes does not
/// get all of them. The layer then replaces the answer of the service with the refusal.
///
/// If the service does not read the body to its end, nothing checks the body and the answer of the
/// service stands. [`Upload::validated`] returns the proof only after the end.
///
/// The layer asks the replay guard before it reads the body. A consumer must sign a failed upload
/// again before it repeats the upload.
#[derive(Clone, Debug)]
pub struct ValidateStreamLayer {
    pub(super) policy: Arc<Policy>,
}

impl<S> Layer<S> for ValidateStreamLayer {
    type Service = ValidateStream<S>;

    fn layer(&self, inner: S) -> ValidateStream<S> {
        ValidateStream {
            inner,
            policy: Arc::clone(&self.policy),
        }
    }
}

/// The service of [`ValidateStreamLayer`].
#[derive(Clone, Debug)]
pub struct ValidateStream<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, B, R> Service<Request<B>> for ValidateStream<S>
where
    S: Service<Request<StreamedBody<B>>, Response = Response<R>> + Clone,
    B: Body,
    B::Error: Into<BoxError>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ValidateStreamFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ValidateStreamFuture<S, B> {
        let mut service = take_ready(&mut self.inner);
        let (mut parts, body) = request.into_parts();
        if let Some(exception) = self.policy.exception(&parts) {
            let body = StreamedBody::unsigned(body);
            let state = match exception {
                Exception::Unprotected => State::Passing {
                    response: service.call(Request::from_parts(parts, body)),
                },
                Exception::Unsigned(mark) => {
                    parts.extensions.insert(mark);
                    let response = service.call(Request::from_parts(parts, body));
                    State::Replying {
                        reply: Reply::unproven(response),
                        upload: None,
                    }
                }
            };
            return ValidateStreamFuture {
                policy: Arc::clone(&self.policy),
                state,
            };
        }
        let state = match self.policy.verify(&parts, body, Answers::default()) {
            Verifying::Done(body) => State::verified(service, parts, body, &self.policy),
            Verifying::Asking(asking) => State::Asking {
                waiting: Some((service, parts)),
                asking,
            },
        };
        ValidateStreamFuture {
            policy: Arc::clone(&self.policy),
            state,
        }
    }
}

pin_project! {
    /// The response of the service, or the answer to a refused request.
    pub struct ValidateStreamFuture<S: Service<Request<StreamedBody<B>>>, B> {
        policy: Arc<Policy>,
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<StreamedBody<B>>>, B> {
        // Of a route that is not protected.
        Passing { #[pin] response: S::Future },
        Asking {
            // Until the directory has answered.
            waiting: Option<(S, Parts)>,
            asking: Asking<B>,
        },
        UsingOnce {
            // Until the service is called or the request is refused.
            waiting: Option<(S, Request<SignedBody<B>>)>,
            #[pin] answer: UseOnce,
            upload: Upload,
        },
        // Refused before the service is called.
        Refusing { #[pin] body: HashedBody<B>, parts: Parts },
        Replying {
            #[pin] reply: Reply<S::Future, Upload>,
            // Its refusal wins over the answer of the service.
            upload: Option<Upload>,
        },
    }
}

impl<S, B> State<S, B>
where
    S: Service<Request<StreamedBody<B>>>,
    B: Body,
    B::Error: Into<BoxError>,
{
    /// After the head is proven or refused.
    fn verified(service: S, mut parts: Parts, body: HashedBody<B>, policy: &Arc<Policy>) -> Self {
        match SignedBody::new(body, &mut parts, policy) {
            Ok((body, answer)) => {
                let upload = body.upload().clone();
                parts.extensions.insert(upload.clone());
                Self::UsingOnce {
                    waiting: Some((service, Request::from_parts(parts, body))),
                    answer,
                    upload,
                }
            }
            Err(body) => Self::Refusing { body, parts },
        }
    }
}

impl<S, B, R> Future for ValidateStreamFuture<S, B>
where
    S: Service<Request<StreamedBody<B>>, Response = Response<R>>,
    B: Body,
    B::Error: Into<BoxError>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Passing { response } => return response.poll(cx),
                StateProjection::Asking { waiting, asking } => {
                    let (_, parts) = waiting.as_ref().expect(POLLED_AFTER_END);
                    let body = ready!(asking.poll(cx, this.policy, parts));
                    let (service, parts) = waiting.take().expect(POLLED_AFTER_END);
                    State::verified(service, parts, body, this.policy)
                }
                StateProjection::UsingOnce {
                    waiting,
                    answer,
                    upload,
                } => {
                    let answer = ready!(answer.poll(cx));
                    let (mut service, request) = waiting.take().expect(POLLED_AFTER_END);
                    if answer.is_ok() {
                        request.body().trace();
                    }
                    match answer {
                        Ok(()) => State::Replying {
                            reply: Reply::service(
                                service.call(request.map(StreamedBody::signed)),
                                upload.clone(),
                            ),
                            upload: Some(upload.clone()),
                        },
                        Err(error) => State::Refusing {
                            body: request.into_body().refuse(error),
                            parts: upload.parts().clone(),
                        },
                    }
                }
                StateProjection::Refusing { mut body, parts } => {
                    match ready!(body.as_mut().poll_piece(cx, this.policy, parts)) {
                        // A refused body has no pieces.
                        Ok(_) => continue,
                        Err(error) => State::Replying {
                            reply: Reply::refusal(this.policy.refuse(&error, parts, body.left())),
                            upload: None,
                        },
                    }
                }
                StateProjection::Replying { reply, upload } => {
                    let response = ready!(reply.poll(cx));
                    return Poll::Ready(match upload.as_ref().and_then(Upload::take_refusal) {
                        Some(refusal) => Ok(refusal.map(R::from)),
                        None => response.map(with_proof),
                    });
                }
            };
            this.state.set(next);
        }
    }
}

/// Adds the proof to a response, if the body is proven by now.
fn with_proof<R>(mut response: Response<R>) -> Response<R> {
    let upload = response.extensions().get::<Upload>();
    if let Some(validated) = upload.and_then(Upload::validated).cloned() {
        response.extensions_mut().insert(validated);
    }
    response
}

impl<S: Service<Request<StreamedBody<B>>>, B> fmt::Debug for ValidateStreamFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateStreamFuture")
            .finish_non_exhaustive()
    }
}
