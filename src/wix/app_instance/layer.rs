//! The tower layer that lets only requests with a valid app instance through.

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

use super::{
    AppInstance, error::AppInstanceError, options::AppInstanceOptions, request::app_instance_of,
};
#[cfg(feature = "metrics")]
use crate::metrics;
#[cfg(feature = "tracing")]
use crate::{
    escape::escape,
    tower::{is_recording, record_on_span, refusal_event},
};
use crate::{
    secret::SecretStore,
    tower::{Reply, close_if_body_is_left},
};

/// Makes [`ValidateAppInstance`] services, which let only requests with a valid app instance
/// through.
///
/// The inner service finds the [`AppInstance`] in the extensions of the request. A refused request
/// never reaches the inner service: the peer gets [`AppInstanceError::to_response`], and the
/// extensions of this response hold the [`AppInstanceErrorKind`](super::AppInstanceErrorKind). With
/// the feature `tracing`, each refusal is an event.
///
/// The answers of the service say `Cache-Control: private`, unless they say `public`, `s-maxage`,
/// `private` or `no-store` themselves. A refusal says `no-store`. The layer does not read bodies, so
/// a refused request with a body ends its connection over HTTP/1.
///
/// Put [`cors`](crate::wix::cors()) outside of this layer: the preflight request of a browser has
/// no app instance.
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use hmac_auth::{
///     MemorySecrets, Secret,
///     wix::{
///         AppInstance, AppInstanceOptions, DEFAULT_APP_SECRET_NAME,
///         ValidateAppInstanceLayer,
///     },
/// };
///
/// async fn settings(Extension(instance): Extension<AppInstance>) -> String {
///     format!("the settings of {}", instance.instance_id())
/// }
///
/// let secrets = MemorySecrets::new();
/// # let app_secret = hmac_auth::generate_secret()?;
/// secrets.insert(DEFAULT_APP_SECRET_NAME, Secret::from_text(&app_secret)?);
/// let options = AppInstanceOptions::new().app_id("the id of your app");
/// let validate = ValidateAppInstanceLayer::new(secrets, options);
/// let owner_only = validate.clone().require_owner();
/// let app: Router = Router::new()
///     .route("/settings", get(settings).post(settings).layer(owner_only))
///     .route("/visit", get(settings).layer(validate));
/// # Ok::<(), hmac_auth::SecretError>(())
/// ```
#[derive(Clone)]
pub struct ValidateAppInstanceLayer {
    secrets: Arc<dyn SecretStore>,
    options: Arc<AppInstanceOptions>,
    requires_owner: bool,
}

impl ValidateAppInstanceLayer {
    /// Looks up the app secret in this store, under the
    /// [`secret_name`](AppInstanceOptions::secret_name) of the options.
    #[must_use]
    pub fn new(secrets: impl SecretStore + 'static, options: AppInstanceOptions) -> Self {
        Self {
            secrets: Arc::new(secrets),
            options: Arc::new(options),
            requires_owner: false,
        }
    }

    /// Lets only the owner of the site through. Others get 403.
    #[must_use]
    pub fn require_owner(mut self) -> Self {
        self.requires_owner = true;
        self
    }

    fn validate<B>(&self, request: &Request<B>) -> Result<AppInstance, AppInstanceError> {
        let text = app_instance_of(request)?;
        let secrets = self.secrets.lookup(&self.options.secret_name)?;
        let instance = AppInstance::parse(&text, &secrets, &self.options)?;
        if self.requires_owner {
            instance.require_owner()?;
        }
        Ok(instance)
    }
}

impl<S> Layer<S> for ValidateAppInstanceLayer {
    type Service = ValidateAppInstance<S>;

    fn layer(&self, inner: S) -> ValidateAppInstance<S> {
        ValidateAppInstance {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for ValidateAppInstanceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateAppInstanceLayer")
            .field("options", &self.options)
            .field("requires_owner", &self.requires_owner)
            .finish_non_exhaustive()
    }
}

/// A service that gets only requests with a valid app instance. Made by
/// [`ValidateAppInstanceLayer`].
#[derive(Clone, Debug)]
pub struct ValidateAppInstance<S> {
    inner: S,
    layer: ValidateAppInstanceLayer,
}

impl<S, B, R> Service<Request<B>> for ValidateAppInstance<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ValidateAppInstanceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let reply = match self.layer.validate(&request) {
            Ok(instance) => {
                #[cfg(feature = "metrics")]
                metrics::count(metrics::INSTANCES_ACCEPTED);
                #[cfg(feature = "tracing")]
                {
                    if is_recording() {
                        record_on_span("instance_id", instance.instance_id());
                    }
                    tracing::debug!(
                        target: "hmac_auth",
                        instance_id = escape(instance.instance_id()),
                        "app instance accepted"
                    );
                }
                request.extensions_mut().insert(instance.clone());
                Reply::service(self.inner.call(request), instance)
            }
            Err(error) => {
                #[cfg(feature = "metrics")]
                metrics::count_by(metrics::INSTANCES_REFUSED, "kind", error.kind().as_str());
                #[cfg(feature = "tracing")]
                refusal_event!(
                    error,
                    path = escape(request.uri().path()),
                    "app instance refused"
                );
                let mut response = refusal(&error);
                close_if_body_is_left(&mut response, &request);
                Reply::refusal(response)
            }
        };
        ValidateAppInstanceFuture { reply }
    }
}

fn refusal(error: &AppInstanceError) -> Response<Bytes> {
    let mut response = error
        .to_response()
        .map(|body| Bytes::from_static(body.as_bytes()));
    response.extensions_mut().insert(error.kind());
    response
}

pin_project! {
    /// The response of the inner service, or the response to a refused request.
    #[derive(Debug)]
    pub struct ValidateAppInstanceFuture<F> {
        #[pin]
        reply: Reply<F, AppInstance>,
    }
}

impl<F, R, E> Future for ValidateAppInstanceFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().reply.poll(cx)
    }
}
