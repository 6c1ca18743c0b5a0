use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{AppInstance, AppInstanceError, AppInstanceOptions, app_instance_of};
use crate::secret::SecretStore;
#[cfg(feature = "tracing")]
use crate::{escape::escape, tower::refusal_event};

/// Lets only requests with a valid app instance through to a service.
///
/// The service gets the [`AppInstance`] in the extensions of the request. Whatever is refused never
/// reaches it: the peer gets the answer of [`AppInstanceError::to_response`], and the
/// [`AppInstanceErrorKind`](super::AppInstanceErrorKind) stands in the extensions of the response.
/// With the feature `tracing`, each refusal is an event.
///
/// Put [`cors`](super::cors) outside of it: a browser asks first, without an app instance.
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use hmac_auth::{
///     MemorySecrets, Secret,
///     wix::{AppInstance, AppInstanceLayer, AppInstanceOptions, DEFAULT_APP_SECRET_NAME},
/// };
///
/// async fn settings(Extension(instance): Extension<AppInstance>) -> String {
///     format!("the settings of {}", instance.instance_id())
/// }
///
/// let secrets = MemorySecrets::new();
/// # let app_secret = hmac_auth::generate_secret()?;
/// secrets.insert(DEFAULT_APP_SECRET_NAME, Secret::from_text(&app_secret)?);
/// let instances = AppInstanceLayer::new(secrets, AppInstanceOptions::new().app_id("the id of your app"));
/// let app: Router = Router::new()
///     .route("/settings", get(settings).post(settings).layer(instances.clone().require_owner()))
///     .route("/visit", get(settings).layer(instances));
/// # Ok::<(), hmac_auth::SecretError>(())
/// ```
#[derive(Clone)]
pub struct AppInstanceLayer {
    secrets: Arc<dyn SecretStore>,
    options: Arc<AppInstanceOptions>,
    requires_owner: bool,
}

impl AppInstanceLayer {
    /// A layer that verifies with the app secret of this store, under the
    /// [name](AppInstanceOptions::secret_name) in the options.
    #[must_use]
    pub fn new(secrets: impl SecretStore + 'static, options: AppInstanceOptions) -> Self {
        Self {
            secrets: Arc::new(secrets),
            options: Arc::new(options),
            requires_owner: false,
        }
    }

    /// Lets only the owner of the site through; others get 403.
    #[must_use]
    pub fn require_owner(mut self) -> Self {
        self.requires_owner = true;
        self
    }

    fn verify<B>(&self, request: &Request<B>) -> Result<AppInstance, AppInstanceError> {
        let text = app_instance_of(request)?;
        let instance = AppInstance::parse(
            &text,
            &self.secrets.lookup(&self.options.secret_name)?,
            &self.options,
        )?;
        if self.requires_owner {
            instance.require_owner()?;
        }
        Ok(instance)
    }
}

impl<S> Layer<S> for AppInstanceLayer {
    type Service = AppInstanceService<S>;

    fn layer(&self, inner: S) -> AppInstanceService<S> {
        AppInstanceService {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for AppInstanceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppInstanceLayer")
            .field("options", &self.options)
            .field("requires_owner", &self.requires_owner)
            .finish_non_exhaustive()
    }
}

/// The service of [`AppInstanceLayer`].
#[derive(Clone, Debug)]
pub struct AppInstanceService<S> {
    inner: S,
    layer: AppInstanceLayer,
}

impl<S, B, R> Service<Request<B>> for AppInstanceService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = AppInstanceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let state = match self.layer.verify(&request) {
            Ok(instance) => {
                request.extensions_mut().insert(instance);
                State::Calling {
                    response: self.inner.call(request),
                }
            }
            Err(error) => {
                #[cfg(feature = "tracing")]
                refusal_event!(
                    error,
                    path = escape(request.uri().path()),
                    "app instance refused"
                );
                let mut response = error
                    .to_response()
                    .map(|body| Bytes::from_static(body.as_bytes()));
                response.extensions_mut().insert(error.kind());
                State::Refused {
                    response: Some(response),
                }
            }
        };
        AppInstanceFuture { state }
    }
}

pin_project! {
    /// The response of the service, or that to a refused request.
    #[derive(Debug)]
    pub struct AppInstanceFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjection]
    enum State<F> {
        Calling { #[pin] response: F },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<F, R, E> Future for AppInstanceFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().state.project() {
            StateProjection::Calling { response } => response.poll(cx),
            StateProjection::Refused { response } => {
                let response = response.take().expect(crate::replay::POLLED_AFTER_END);
                Poll::Ready(Ok(response.map(R::from)))
            }
        }
    }
}
