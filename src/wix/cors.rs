//! CORS for the pages of a Wix app: a layer around that of `tower-http`, behind types of this
//! crate.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderName, HeaderValue, Method, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN},
    request::Parts,
};
use pin_project_lite::pin_project;
use tower_http::cors::AllowOrigin;
use tower_layer::Layer;
use tower_service::Service;

use crate::replay::POLLED_AFTER_END;

/// Allows the pages of a Wix app, at `https://<app-id>.wix.run`, to call its backend.
///
/// See [`CorsLayer`].
#[must_use]
pub fn cors(app_id: &str) -> CorsLayer {
    // Browsers write host names in lower case.
    CorsLayer {
        app_origin: format!("https://{}.wix.run", app_id.to_ascii_lowercase()).into(),
        allows_localhost: false,
    }
}

/// Makes [`Cors`] services, which let browsers call the backend from the pages of one app. Create
/// it with [`cors`].
///
/// The layer allows what Wix lists for
/// [an app with its own backend](https://dev.wix.com/docs/build-apps/develop-your-app/frameworks/wix-cli/app-development/integrate-your-own-backend):
///
/// - the methods `GET`, `POST`, `PUT`, `DELETE` and `OPTIONS`;
/// - the headers that the clients of Wix send: `authorization`, `content-type`, `x-wix-linguist`
///   and `x-wix-consistent`.
///
/// Responses have `Vary: origin`, so that a cache keeps the responses to several origins apart. The
/// layer allows no credentials of the browser, such as cookies. A page that sets `Authorization`
/// itself needs none.
///
/// The layer answers every `OPTIONS` request, and the inner service never sees one. Put the layer
/// outside of all authentication: a preflight request has no token.
///
/// ```
/// use axum::{Router, routing::get};
/// use hmac_auth::{
///     MemorySecrets,
///     wix::{self, AppInstanceOptions, ValidateAppInstanceLayer},
/// };
///
/// let app_id = "the id of your app";
/// let options = AppInstanceOptions::new().app_id(app_id);
/// let secrets = MemorySecrets::new();
/// let app: Router = Router::new()
///     .route("/settings", get(async || "settings"))
///     .layer(ValidateAppInstanceLayer::new(secrets, options))
///     .layer(wix::cors(app_id));
/// ```
///
/// # Security
///
/// CORS says only to browsers which pages may read responses. It authenticates nobody, and other
/// clients ignore it. The widgets on a site run under the domain of that site, and this layer does
/// not allow these domains. For widgets too, only the token protects the backend.
#[derive(Clone)]
pub struct CorsLayer {
    app_origin: Box<str>,
    allows_localhost: bool,
}

impl CorsLayer {
    /// Also allows `http://localhost` and `https://localhost` with any port, for development.
    ///
    /// # Security
    ///
    /// Every page that the user's own machine serves may then call the backend, so do not use this
    /// in production. Only the whole host name `localhost` is allowed. Some samples look for a part
    /// of the text, and thus allow `http://localhost.evil.com`.
    #[must_use]
    pub fn allow_localhost(mut self) -> Self {
        self.allows_localhost = true;
        self
    }

    fn allows(&self, origin: &HeaderValue, parts: &Parts) -> bool {
        // Two readers of several origins could choose different ones.
        let is_only = parts.headers.get_all(ORIGIN).iter().nth(1).is_none();
        let is_allowed = origin.as_bytes() == self.app_origin.as_bytes()
            || self.allows_localhost && origin.to_str().is_ok_and(is_localhost);
        is_only && is_allowed
    }
}

/// Whether the whole of a serialised origin (RFC 6454 section 6.2) is `localhost`: the scheme, the
/// host, and perhaps a port.
fn is_localhost(origin: &str) -> bool {
    let Some(authority) = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
    else {
        return false;
    };
    match authority.split_once(':') {
        None => authority == "localhost",
        Some((host, port)) => {
            // `parse` alone would accept `+80` and `080`, which no browser writes.
            let is_number =
                port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
            host == "localhost" && is_number && port.parse::<u16>().is_ok()
        }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        let policy = self.clone();
        let layer = tower_http::cors::CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, parts| {
                policy.allows(origin, parts)
            }))
            .allow_methods([
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
            ])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                HeaderName::from_static("x-wix-linguist"),
                HeaderName::from_static("x-wix-consistent"),
            ])
            .vary([ORIGIN]);
        Cors {
            inner: layer.layer(inner),
        }
    }
}

impl fmt::Debug for CorsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsLayer")
            .field("app_origin", &self.app_origin)
            .field("allows_localhost", &self.allows_localhost)
            .finish()
    }
}

/// A service that browsers may call from the pages of one app. Made by [`CorsLayer`].
#[derive(Clone, Debug)]
pub struct Cors<S> {
    inner: tower_http::cors::Cors<S>,
}

impl<S, B, R> Service<Request<B>> for Cors<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CorsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        CorsFuture {
            response: Some(self.inner.call(request)),
        }
    }
}

pin_project! {
    /// The response of the inner service, or the response to a preflight request.
    pub struct CorsFuture<F> {
        #[pin]
        response: Option<tower_http::cors::ResponseFuture<F>>,
    }
}

impl<F, R, E> Future for CorsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let response = this.response.as_mut().as_pin_mut();
        // `tower-http` would answer a preflight request a second time, without its headers.
        let outcome = ready!(response.expect(POLLED_AFTER_END).poll(cx));
        this.response.set(None);
        Poll::Ready(outcome)
    }
}

impl<F> fmt::Debug for CorsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsFuture").finish_non_exhaustive()
    }
}
