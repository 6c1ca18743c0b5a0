//! CORS for routes where the access token is the gate, and not the origin of the page.

use std::time::Duration;

use http::{HeaderName, Method};
use tower_http::cors::AllowOrigin;
use tower_layer::Layer;

use super::{
    Cors,
    permissions::{Permissions, VariesWithOrigin},
};

/// Allows every page of the web to call a route, so that only the access token protects the route.
///
/// See [`AnyOriginCorsLayer`].
#[must_use]
pub fn cors_for_any_origin() -> AnyOriginCorsLayer {
    AnyOriginCorsLayer {
        permissions: Permissions::default(),
    }
}

/// Makes [`Cors`] services, which let browsers call a route from every page of the web. Create it
/// with [`cors_for_any_origin`].
///
/// The widgets of your app run on the domains of your customers, and Wix publishes no list of these
/// domains. There the access token of the visitor is the gate: a page of somebody else has none for
/// your app. So put this layer only around routes that ask for such a token in `Authorization`, and
/// use [`cors`](super::cors()) for all others.
///
/// Every response has `Access-Control-Allow-Origin: *`, as it stands here. The layer never echoes
/// the origin of a page, so its responses need no `Vary: origin`.
///
/// ```
/// use axum::{Router, routing::get};
/// use hmac_auth::wix;
/// use http::Method;
///
/// let any_origin = wix::cors_for_any_origin().methods([Method::GET]);
/// let only_app = wix::cors("the id of your app").methods([Method::GET]);
/// let app: Router = Router::new()
///     .route("/products", get(async || "products").layer(any_origin))
///     .route("/settings", get(async || "settings").layer(only_app));
/// ```
///
/// # Security
///
/// A browser gives no response with `*` to a page that asks with credentials, such as cookies. This
/// type can allow no credentials either, so the two cannot be combined:
///
/// ```compile_fail,E0599
/// hmac_auth::wix::cors_for_any_origin().allow_credentials(true);
/// ```
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`methods`](Self::methods) | `GET`, `POST`, `PUT`, `DELETE` and `OPTIONS`, as Wix lists them |
/// | [`headers`](Self::headers) | none beyond those that the clients of Wix set |
/// | [`max_age`](Self::max_age) | none: the browser decides, mostly for 5 s |
#[derive(Clone, Debug)]
pub struct AnyOriginCorsLayer {
    permissions: Permissions,
}

impl AnyOriginCorsLayer {
    /// Allows only these methods. See [`CorsLayer::methods`](super::CorsLayer::methods).
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.permissions.set_methods(methods);
        self
    }

    /// Allows these headers too. See [`CorsLayer::headers`](super::CorsLayer::headers).
    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.permissions.set_headers(headers);
        self
    }

    /// Lets browsers remember the answer to a preflight request for this time. See
    /// [`CorsLayer::max_age`](super::CorsLayer::max_age).
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.permissions.set_max_age(max_age);
        self
    }
}

impl<S> Layer<S> for AnyOriginCorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Cors<S> {
        let layer = self
            .permissions
            .layer(AllowOrigin::any(), VariesWithOrigin::No);
        Cors {
            inner: layer.layer(inner),
        }
    }
}
