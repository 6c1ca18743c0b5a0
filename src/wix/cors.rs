//! CORS for the pages of a Wix app: a layer around that of `tower-http`, behind types of this
//! crate.

use std::{
    fmt,
    future::Future,
    iter,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method, Request, Response, header::ORIGIN, request::Parts};
use pin_project_lite::pin_project;
use tower_http::cors::AllowOrigin;
use tower_layer::Layer;
use tower_service::Service;

pub use self::{
    any_origin::{AnyOriginCorsLayer, cors_for_any_origin},
    origin::OriginError,
};

use self::{
    origin::{check_origin, is_localhost},
    permissions::{Permissions, VariesWithOrigin},
};
use crate::eventual::POLLED_AFTER_END;

mod any_origin;
mod origin;
mod permissions;

/// Allows the pages of a Wix app, at `https://<app-id>.wix.run`, to call its backend.
///
/// See [`CorsLayer`].
#[must_use]
pub fn cors(app_id: &str) -> CorsLayer {
    // Browsers write host names in lower case.
    CorsLayer {
        app_origin: format!("https://{}.wix.run", app_id.to_ascii_lowercase()).into(),
        more_origins: Vec::new(),
        allows_localhost: false,
        permissions: Permissions::default(),
    }
}

/// Makes [`Cors`] services, which let browsers call the backend from the pages of one app. Create
/// it with [`cors`].
///
/// By default, the layer allows what Wix lists for
/// [an app with its own backend](https://dev.wix.com/docs/build-apps/develop-your-app/frameworks/wix-cli/app-development/integrate-your-own-backend).
/// Wix also says: allow only the methods that your app requires. So give each route its
/// [`methods`](Self::methods).
///
/// Responses have `Vary: origin`, so that a cache keeps the responses to several origins apart. The
/// layer allows no credentials of the browser, such as cookies. A page that sets `Authorization`
/// itself needs none.
///
/// The layer answers every `OPTIONS` request, and the inner service never sees one. Put the layer
/// outside of all authentication: a preflight request has no token. Of several such layers, the
/// outermost one answers alone. So if routes differ, set the layer for each route, and none around
/// the router:
///
/// ```
/// use axum::{Router, routing::{get, put}};
/// use hmac_auth::{
///     MemorySecrets,
///     wix::{self, AppInstanceOptions, ValidateAppInstanceLayer},
/// };
/// use http::Method;
///
/// let app_id = "the id of your app";
/// let options = AppInstanceOptions::new().app_id(app_id);
/// let validate = ValidateAppInstanceLayer::new(MemorySecrets::new(), options);
/// let shop = wix::cors(app_id)
///     .allow_origin("https://www.shop.example")?
///     .allow_origin("https://user.wixsite.com")?;
/// let (shop, only_app) = (
///     shop.methods([Method::GET]),
///     wix::cors(app_id).methods([Method::PUT]),
/// );
/// // The first layer of a pair is the outer one.
/// let save = put(async || "saved").layer((only_app, validate.clone()));
/// let visit = get(async || "hello").layer((shop, validate));
/// let app: Router = Router::new()
///     .route("/settings", save)
///     .route("/visit", visit);
/// # Ok::<(), wix::OriginError>(())
/// ```
///
/// In axum, `MethodRouter::layer` and `Router::route_layer` fit. `MethodRouter::route_layer` does
/// not: the layer does not get the `OPTIONS` request of a route without such a method.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`allow_origin`](Self::allow_origin) | only `https://<app-id>.wix.run` |
/// | [`allow_localhost`](Self::allow_localhost) | not allowed |
/// | [`methods`](Self::methods) | `GET`, `POST`, `PUT`, `DELETE` and `OPTIONS`, as Wix lists them |
/// | [`headers`](Self::headers) | none beyond those that the clients of Wix set |
/// | [`max_age`](Self::max_age) | none: the browser decides, mostly for 5 s |
///
/// # Security
///
/// CORS says only to browsers which pages may read responses. It authenticates nobody, and other
/// clients ignore it. Only the token protects the backend. The widgets on a site run under the
/// domain of that site. Allow the domains that you know with [`allow_origin`](Self::allow_origin).
/// For a route that asks for an access token, [`cors_for_any_origin`] allows all of them.
#[derive(Clone, Debug)]
pub struct CorsLayer {
    app_origin: Box<str>,
    more_origins: Vec<Box<str>>,
    allows_localhost: bool,
    permissions: Permissions,
}

impl CorsLayer {
    /// Also allows this origin, such as `https://www.shop.example` or `https://user.wixsite.com`.
    /// Call it once for each origin.
    ///
    /// An origin is the beginning of a URL as browsers write it: the scheme, the host in lower
    /// case, and the port unless it is the default one. Nothing follows, not even a `/`.
    ///
    /// # Errors
    ///
    /// [`OriginError`], which says what to write instead. No browser would send such an origin, or
    /// it would stand for more than one.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, OriginError> {
        check_origin(origin)?;
        self.more_origins.push(origin.into());
        Ok(self)
    }

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

    /// Allows only these methods. Wix advises to allow those that the route requires.
    ///
    /// Browsers never ask whether `GET`, `HEAD` and `POST` are allowed: the router must refuse them
    /// where a route has no use for them.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.permissions.set_methods(methods);
        self
    }

    /// Allows these headers too. `authorization`, `content-type`, `x-wix-linguist` and
    /// `x-wix-consistent` are always allowed, because the clients of Wix set them.
    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.permissions.set_headers(headers);
        self
    }

    /// Lets browsers remember the answer to a preflight request for this time, in whole seconds.
    ///
    /// Browsers have limits of their own: Chromium remembers it for two hours at most.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.permissions.set_max_age(max_age);
        self
    }

    fn allows(&self, origin: &HeaderValue, parts: &Parts) -> bool {
        // Two readers of several origins could choose different ones.
        let is_only = parts.headers.get_all(ORIGIN).iter().nth(1).is_none();
        let is_allowed = iter::once(&self.app_origin)
            .chain(&self.more_origins)
            .any(|allowed| origin.as_bytes() == allowed.as_bytes())
            || self.allows_localhost && origin.to_str().is_ok_and(is_localhost);
        is_only && is_allowed
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        let policy = self.clone();
        let origins = AllowOrigin::predicate(move |origin, parts| policy.allows(origin, parts));
        let layer = self.permissions.layer(origins, VariesWithOrigin::Yes);
        Cors {
            inner: layer.layer(inner),
        }
    }
}

/// A service that browsers may call from other origins. Made by [`CorsLayer`] and
/// [`AnyOriginCorsLayer`].
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
