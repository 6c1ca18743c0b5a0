use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, combinators::Collect};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxError, UNFINISHED, take_ready};
use crate::{
    secret::SecretStore,
    sign::{SignOptions, sign_parts},
};

/// Signs each request on its way to a client, such as that of hyper-util.
///
/// The body is read whole, signed, and passed on as the same type; a large one keeps the thread busy while it is hashed. Put it next
/// to the client: a layer inside of it that changes the request would make the signature wrong, and a retry layer outside of it has
/// each try signed anew, with a new `created` and `nonce`. A client that follows redirects would carry the signature along; that of
/// hyper-util does not follow any.
///
/// ```
/// use bytes::Bytes;
/// use hmac_auth::{DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, generate_secret, tower::SignRequestLayer};
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
///
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
/// let client = ServiceBuilder::new().layer(SignRequestLayer::new(secrets, SignOptions::new().key_id("site-a"))).service(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The error of its services is a boxed [`SignError`](crate::SignError), that of the body, or that of the client. Nothing unsigned is
/// sent.
#[derive(Clone)]
pub struct SignRequestLayer {
    signer: Arc<Signer>,
}

struct Signer {
    secrets: Box<dyn SecretStore>,
    options: SignOptions,
}

impl SignRequestLayer {
    /// A layer that signs with these secrets and options.
    #[must_use]
    pub fn new(secrets: impl SecretStore + 'static, options: SignOptions) -> Self {
        Self {
            signer: Arc::new(Signer {
                secrets: Box::new(secrets),
                options,
            }),
        }
    }
}

impl<S> Layer<S> for SignRequestLayer {
    type Service = SignRequest<S>;

    fn layer(&self, inner: S) -> SignRequest<S> {
        SignRequest {
            inner,
            signer: Arc::clone(&self.signer),
        }
    }
}

impl fmt::Debug for SignRequestLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequestLayer")
            .field("options", &self.signer.options)
            .finish_non_exhaustive()
    }
}

/// The service of [`SignRequestLayer`].
#[derive(Clone)]
pub struct SignRequest<S> {
    inner: S,
    signer: Arc<Signer>,
}

impl<S, B> Service<Request<B>> for SignRequest<S>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = SignRequestFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> SignRequestFuture<S, B> {
        let service = take_ready(&mut self.inner);
        let (parts, body) = request.into_parts();
        let state = State::Reading {
            service: Some(service),
            parts: Some(parts),
            body: body.collect(),
        };
        SignRequestFuture {
            signer: Arc::clone(&self.signer),
            state,
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for SignRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequest")
            .field("inner", &self.inner)
            .field("options", &self.signer.options)
            .finish()
    }
}

pin_project! {
    /// The response to a signed request.
    pub struct SignRequestFuture<S: Service<Request<B>>, B: Body> {
        signer: Arc<Signer>,
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<B>>, B: Body> {
        Reading { service: Option<S>, parts: Option<Parts>, #[pin] body: Collect<B> },
        Calling { #[pin] response: S::Future },
    }
}

impl<S, B> Future for SignRequestFuture<S, B>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Reading {
                    service,
                    parts,
                    body,
                } => {
                    let body = ready!(body.poll(cx)).map_err(Into::into)?;
                    if body.trailers().is_some_and(|trailers| !trailers.is_empty()) {
                        return Poll::Ready(Err(
                            "a request with trailers cannot be signed: no signature covers them"
                                .into(),
                        ));
                    }
                    let body = body.to_bytes();
                    let mut parts = parts.take().expect(UNFINISHED);
                    sign_parts(
                        &mut parts,
                        &body,
                        &*this.signer.secrets,
                        &this.signer.options,
                    )?;
                    let request = Request::from_parts(parts, B::from(body));
                    let response = service.take().expect(UNFINISHED).call(request);
                    this.state.set(State::Calling { response });
                }
                StateProjection::Calling { response } => {
                    return response.poll(cx).map_err(Into::into);
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B: Body> fmt::Debug for SignRequestFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequestFuture").finish_non_exhaustive()
    }
}
