//! The layer that notes which URI the server has received.

use std::task::{Context, Poll};

use http::{Extensions, Request, Uri};
use tower_layer::Layer;
use tower_service::Service;

/// Notes the URI of each request as the server has received it. Put this layer outside of
/// everything that changes the URI.
///
/// Routers such as axum's `nest` cut the path. A validating layer inside of them sees `/orders`
/// where the client has called `/admin/orders`. Without more, it accepts at `/admin/orders` what
/// was signed for `/orders`. With this layer outside, a validating layer refuses each request whose
/// URI was changed in between, as [`Misconfigured`], until you say which URI counts:
///
/// ```
/// use axum::{Router, routing::get};
/// use hmac_auth::{
///     MemorySecrets, ValidateOptions,
///     tower::{RecordUriLayer, ValidateAuthLayer, received_uri},
/// };
///
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// let validate =
///     ValidateAuthLayer::new(secrets, options).original_uri(received_uri);
/// let admin = Router::new()
///     .route("/orders", get(async || "all orders"))
///     .layer(validate);
/// let app: Router = Router::new()
///     .nest("/admin", admin)
///     .layer(RecordUriLayer::new());
/// ```
///
/// The layers of a `Router` of axum run after everything that wraps the whole `Router`, such as
/// `NormalizePathLayer`. If something wraps it, put this layer around that:
/// `RecordUriLayer::new().layer(…)`.
///
/// [`Misconfigured`]: crate::AuthErrorKind::Misconfigured
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordUriLayer(());

impl RecordUriLayer {
    /// A layer without options.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for RecordUriLayer {
    type Service = RecordUri<S>;

    fn layer(&self, inner: S) -> RecordUri<S> {
        RecordUri { inner }
    }
}

/// The service of [`RecordUriLayer`].
#[derive(Clone, Copy, Debug)]
pub struct RecordUri<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for RecordUri<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        // The outermost layer is the one that has seen what was received.
        if received_uri(request.extensions()).is_none() {
            let uri = request.uri().clone();
            request.extensions_mut().insert(Received(uri));
        }
        self.inner.call(request)
    }
}

/// The URI that a [`RecordUriLayer`] has noted in the extensions of a request, for
/// [`original_uri`](super::ValidateAuthLayer::original_uri).
#[must_use]
pub fn received_uri(extensions: &Extensions) -> Option<&Uri> {
    let Received(uri) = extensions.get()?;
    Some(uri)
}

/// The URI as the server has received it.
#[derive(Clone)]
pub(crate) struct Received(pub(crate) Uri);
