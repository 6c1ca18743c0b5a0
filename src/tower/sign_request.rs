//! The layer of a consumer that signs each request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{Request, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Collected, combinators::Collect};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

#[cfg(feature = "tracing")]
use super::events;
use super::{BoxError, take_ready};
use crate::{
    eventual::POLLED_AFTER_END,
    secret::SecretStore,
    sign::{SentRequest, SignOptions, sign_parts},
};

/// Signs each request on its way to a client, such as the client of hyper-util.
///
/// The layer reads the whole body, signs the request, and passes the body on as the same type.
/// While it hashes a large body, it keeps its thread busy.
///
/// # Where in the stack
///
/// Put this layer directly around the client. A layer between the two that changes the request
/// would make the signature wrong. Put a retry layer outside of this one: each try then gets a
/// signature of its own, with a new `created` and `nonce`.
///
/// ```
/// use bytes::{Buf, Bytes};
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, generate_secret,
///     tower::SignRequestLayer,
/// };
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
///
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
/// let options = SignOptions::new().key_id("site-a");
///
/// let client =
///     Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
/// let client = ServiceBuilder::new()
///     .layer(SignRequestLayer::new(secrets, options))
///     .service(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # In tests
///
/// Around the router of a host, the layer signs each request of a test. The module `testing` shows
/// how both sides get a fixed time.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions,
///     ValidateOptions, generate_secret,
///     tower::{SignRequestLayer, ValidateAuthLayer},
/// };
/// use http::Request;
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
/// let options = ValidateOptions::new().authorities(["host.example"]);
/// let router: Router = Router::new()
///     .route("/orders", get(async || "none"))
///     .layer(ValidateAuthLayer::new(secrets.clone(), options));
///
/// let client = ServiceBuilder::new()
///     .layer(SignRequestLayer::new(secrets, SignOptions::new()))
///     .service(router);
/// let request = Request::get("https://host.example/orders");
/// let response = client.oneshot(request.body(Body::empty())?).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// # Redirects
///
/// The client of hyper-util follows no redirect. With a layer that does, such as tower-http's
/// `FollowRedirect`:
///
/// - *inside* of this layer, it sends one signature to another URL. The host refuses it, and the
///   operator of that URL has seen it. Do not do that.
/// - *outside* of this layer, each request of it is signed anew, for whatever host a `Location`
///   names. List yours in [`SignOptions::authorities`]: for all others, the service fails with
///   [`SignError::UnlistedAuthority`](crate::SignError::UnlistedAuthority) and sends nothing.
///
/// # Errors
///
/// The services of this layer fail with a boxed [`SignError`](crate::SignError), with the error of
/// the body, or with the error of the client. They never send an unsigned request.
#[derive(Clone)]
pub struct SignRequestLayer {
    pub(super) signer: Arc<Signer>,
}

pub(super) struct Signer {
    secrets: Box<dyn SecretStore>,
    pub(super) options: SignOptions,
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
        SignRequestFuture {
            signer: Arc::clone(&self.signer),
            state: State::Reading {
                waiting: Some((service, parts)),
                body: body.collect(),
            },
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
        Reading {
            // Until the service is called.
            waiting: Option<(S, Parts)>,
            #[pin] body: Collect<B>,
        },
        Calling { #[pin] response: S::Future },
        Finished,
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
        let result = loop {
            match this.state.as_mut().project() {
                StateProjection::Reading { waiting, body } => {
                    let body = ready!(body.poll(cx)).map_err(Into::into);
                    let (mut service, parts) = waiting.take().expect(POLLED_AFTER_END);
                    match body.and_then(|body| this.signer.sign(parts, body)) {
                        Ok(request) => {
                            let response = service.call(request);
                            this.state.set(State::Calling { response });
                        }
                        Err(error) => break Err(error),
                    }
                }
                StateProjection::Calling { response } => {
                    break ready!(response.poll(cx)).map_err(Into::into);
                }
                StateProjection::Finished => panic!("{POLLED_AFTER_END}"),
            }
        };
        this.state.set(State::Finished);
        Poll::Ready(result)
    }
}

impl Signer {
    fn sign<B: Body + From<Bytes>>(
        &self,
        parts: Parts,
        body: Collected<B::Data>,
    ) -> Result<Request<B>, BoxError> {
        let body = whole_body(body)?;
        let (request, _) = self.sign_with(parts, body, &self.options)?;
        Ok(request)
    }

    pub(super) fn sign_with<B: Body + From<Bytes>>(
        &self,
        mut parts: Parts,
        body: Bytes,
        options: &SignOptions,
    ) -> Result<(Request<B>, SentRequest), BoxError> {
        let sent = sign_parts(&mut parts, &body, &*self.secrets, options)?;
        #[cfg(feature = "tracing")]
        events::request_signed(&parts);
        Ok((Request::from_parts(parts, B::from(body)), sent))
    }
}

/// The bytes of a body that can be signed.
pub(super) fn whole_body<D: Buf>(body: Collected<D>) -> Result<Bytes, BoxError> {
    if body.trailers().is_some_and(|trailers| !trailers.is_empty()) {
        return Err("a request with trailers cannot be signed: no signature covers them".into());
    }
    Ok(body.to_bytes())
}

impl<S: Service<Request<B>>, B: Body> fmt::Debug for SignRequestFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequestFuture").finish_non_exhaustive()
    }
}
