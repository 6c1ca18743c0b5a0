use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{
    HeaderName, HeaderValue, Method, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN},
    request::Parts,
};
use pin_project_lite::pin_project;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_layer::Layer;
use tower_service::Service;

/// Allows the pages of a Wix app, which are at `https://<app-id>.wix.run`, to call its backend.
///
/// See [`Cors`].
#[must_use]
pub fn cors(app_id: &str) -> Cors {
    // Browsers write host names in lower case.
    Cors {
        app_origin: format!("https://{}.wix.run", app_id.to_ascii_lowercase()).into(),
        allows_localhost: false,
    }
}

/// Tells browsers that the pages of an app, and of no other origin, may call its backend. Made by [`cors`].
///
/// It allows what Wix lists for
/// [an app with its own backend](https://dev.wix.com/docs/build-apps/develop-your-app/frameworks/wix-cli/app-development/integrate-your-own-backend):
/// the methods `GET`, `POST`, `PUT`, `DELETE` and `OPTIONS`, and the headers that Wix's own clients send: `authorization`,
/// `content-type`, `x-wix-linguist` and `x-wix-consistent`. Answers have `Vary: origin`, so that a cache keeps them apart.
/// Credentials of the browser, such as cookies, are not allowed; `Authorization` as set by the page needs none.
///
/// Every `OPTIONS` request is answered here and never reaches the service, so put this outside of what authenticates: browsers
/// ask first, without any token.
///
/// ```
/// use axum::{Router, routing::get};
/// use hmac_auth::{MemorySecrets, wix::{self, AppInstanceLayer, AppInstanceOptions}};
///
/// let app_id = "the id of your app";
/// let app: Router = Router::new()
///     .route("/settings", get(async || "settings"))
///     .layer(AppInstanceLayer::new(MemorySecrets::new(), AppInstanceOptions::new().app_id(app_id)))
///     .layer(wix::cors(app_id));
/// ```
///
/// # Security
///
/// CORS only tells browsers which pages may read answers; it authenticates nobody, and other clients ignore it. Widgets on sites
/// run under the domains of these sites, which this does not allow: there, too, the token is the gate.
#[derive(Clone)]
pub struct Cors {
    app_origin: Box<str>,
    allows_localhost: bool,
}

impl Cors {
    /// Allows `http://localhost` and `https://localhost` with any port as well, for development.
    ///
    /// # Security
    ///
    /// Then any page that the user's own machine serves may call; do not set it in production. Only the host `localhost` itself
    /// is meant: a test for a part of the text, as in some samples, would let `http://localhost.evil.com` in.
    #[must_use]
    pub fn allow_localhost(mut self) -> Self {
        self.allows_localhost = true;
        self
    }

    fn allows(&self, origin: &HeaderValue, parts: &Parts) -> bool {
        // Which of several is the real one must not depend on who reads them.
        let is_only = parts.headers.get_all(ORIGIN).iter().nth(1).is_none();
        let is_allowed = origin.as_bytes() == self.app_origin.as_bytes()
            || self.allows_localhost && origin.to_str().is_ok_and(is_localhost);
        is_only && is_allowed
    }
}

/// Whether a serialised origin (RFC 6454 section 6.2), all of it, is `localhost`: scheme, host, and perhaps a port.
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
            // `parse` alone would take `+80` and `080`, which no browser writes.
            let is_number =
                port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
            host == "localhost" && is_number && port.parse::<u16>().is_ok()
        }
    }
}

impl<S> Layer<S> for Cors {
    type Service = CorsService<S>;

    fn layer(&self, inner: S) -> CorsService<S> {
        let cors = self.clone();
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, parts| {
                cors.allows(origin, parts)
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
        CorsService {
            inner: layer.layer(inner),
        }
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cors")
            .field("app_origin", &self.app_origin)
            .field("allows_localhost", &self.allows_localhost)
            .finish()
    }
}

/// The service of [`Cors`].
#[derive(Clone, Debug)]
pub struct CorsService<S> {
    inner: tower_http::cors::Cors<S>,
}

impl<S, B, R> Service<Request<B>> for CorsService<S>
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
            response: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The response of the service, or the answer to a browser that asks first.
    pub struct CorsFuture<F> {
        #[pin]
        response: tower_http::cors::ResponseFuture<F>,
    }
}

impl<F, R, E> Future for CorsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().response.poll(cx)
    }
}

impl<F> fmt::Debug for CorsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsFuture").finish_non_exhaustive()
    }
}
