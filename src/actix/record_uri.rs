//! The middleware that notes which URI the server has received.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};
use http::Uri;

use super::head;
use crate::tower::Received;

/// Notes the URI of each request as the server has received it. Wrap the app with it last, so that it
/// is outside of everything that changes the URI.
///
/// `NormalizePath` changes the path. A [`ValidateAuth`](super::ValidateAuth) inside of it sees
/// `/orders` where the client has called `/orders/`. With this middleware outside, it refuses each
/// request whose URI was changed in between, as
/// [`Misconfigured`](crate::AuthErrorKind::Misconfigured), until you say which URI counts:
///
/// ```
/// # use std::sync::Arc;
/// # use hmac_auth::{MemoryReplayGuard, MemorySecrets, ValidateOptions};
/// use actix_web::{App, middleware::NormalizePath, web};
/// use hmac_auth::{
///     actix::{RecordUri, ValidateAuth},
///     tower::received_uri,
/// };
///
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// # let guard = Arc::new(MemoryReplayGuard::new());
/// let validate = ValidateAuth::new(secrets, options, guard)
///     .original_uri(received_uri);
/// let orders = web::scope("/orders")
///     .route("", web::get().to(async || "all orders"))
///     .wrap(validate);
/// let app = App::new()
///     .service(orders)
///     .wrap(NormalizePath::trim())
///     .wrap(RecordUri::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordUri(());

impl RecordUri {
    /// A middleware without options.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl<S, B> Transform<S, ServiceRequest> for RecordUri
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = RecordUriMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(RecordUriMiddleware { inner }))
    }
}

/// The service of [`RecordUri`].
#[derive(Clone, Copy, Debug)]
pub struct RecordUriMiddleware<S> {
    inner: S,
}

impl<S, B> Service<ServiceRequest> for RecordUriMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = S::Future;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> S::Future {
        // The outermost one is the one that has seen what was received.
        let is_noted = request.extensions().contains::<Received>();
        if !is_noted {
            // One that cannot be copied is noted as one that nobody has signed: its authority cannot
            // exist (RFC 2606), and it has no path.
            let uri =
                head::uri(request.uri()).unwrap_or_else(|_| Uri::from_static("uncopied.invalid"));
            request.extensions_mut().insert(Received(uri));
        }
        self.inner.call(request)
    }
}
