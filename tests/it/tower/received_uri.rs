//! Routers and middleware that change the URI before a layer sees it.
//!
//! What was signed for `/orders` is sent to another path. Where nothing says which URI counts, a
//! [`RecordUriLayer`] around everything makes the layer refuse it.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::{OriginalUri, Request},
    http::Uri,
    routing::any,
};
use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind,
    tower::{RecordUriLayer, ValidateAuthLayer, received_uri},
};
use http::{Extensions, Response};
use tower::{
    Layer, ServiceExt, service_fn,
    util::{BoxCloneSyncService, MapRequestLayer},
};
use tower_http::normalize_path::NormalizePathLayer;

use crate::support::{
    capture::reason,
    layers::{layer, whole},
    request::{get, signed},
};

type App = BoxCloneSyncService<Request, Response<Body>, Infallible>;

/// Where the layer stands, and what stands around it.
struct Place {
    name: &'static str,
    /// With the layer inside of what changes the URI.
    inside: fn(ValidateAuthLayer) -> App,
    /// With the layer outside of it.
    outside: fn(ValidateAuthLayer) -> App,
    /// What the client calls, and what the layer inside sees.
    called: &'static str,
    seen: &'static str,
    /// Whether axum itself has stored what was received.
    axum_knows: bool,
}

fn orders() -> Router {
    Router::new()
        .route("/orders", any("orders"))
        .route("/all", any("orders"))
}

fn boxed<S>(service: S) -> App
where
    S: tower::Service<Request, Response = axum::response::Response, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(service)
}

/// As the pages of axum about middleware show it.
fn rewrite_request_uri<B>(mut request: http::Request<B>) -> http::Request<B> {
    if request.uri().path() == "/old" {
        *request.uri_mut() = Uri::from_static("https://host.example/orders");
    }
    request
}

/// As `express` does, and services of other crates.
fn strip_prefix<B>(mut request: http::Request<B>) -> http::Request<B> {
    let text = request.uri().to_string().replacen("/mounted/", "/", 1);
    *request.uri_mut() = text.parse().unwrap();
    request
}

const PLACES: [Place; 6] = [
    Place {
        name: "nest",
        inside: |layer| boxed(Router::new().nest("/admin", orders().layer(layer))),
        outside: |layer| boxed(Router::new().nest("/admin", orders()).layer(layer)),
        called: "/admin/orders",
        seen: "/orders",
        axum_knows: true,
    },
    Place {
        name: "nest in nest",
        inside: |layer| {
            let inner = Router::new().nest("/v1", orders().layer(layer));
            boxed(Router::new().nest("/admin", inner))
        },
        outside: |layer| {
            let inner = Router::new().nest("/v1", orders());
            boxed(Router::new().nest("/admin", inner).layer(layer))
        },
        called: "/admin/v1/orders",
        seen: "/orders",
        axum_knows: true,
    },
    Place {
        name: "nest_service",
        inside: |layer| boxed(Router::new().nest_service("/admin", layer.layer(orders()))),
        outside: |layer| boxed(Router::new().nest_service("/admin", orders()).layer(layer)),
        called: "/admin/orders",
        seen: "/orders",
        axum_knows: true,
    },
    Place {
        name: "NormalizePath",
        inside: |layer| {
            boxed(NormalizePathLayer::trim_trailing_slash().layer(orders().layer(layer)))
        },
        outside: |layer| {
            boxed(layer.layer(NormalizePathLayer::trim_trailing_slash().layer(orders())))
        },
        called: "/orders/",
        seen: "/orders",
        axum_knows: false,
    },
    Place {
        name: "rewrite_request_uri",
        inside: |layer| {
            boxed(MapRequestLayer::new(rewrite_request_uri).layer(orders().layer(layer)))
        },
        outside: |layer| {
            boxed(layer.layer(MapRequestLayer::new(rewrite_request_uri).layer(orders())))
        },
        called: "/old",
        seen: "/orders",
        axum_knows: false,
    },
    Place {
        name: "strip_prefix",
        inside: |layer| boxed(MapRequestLayer::new(strip_prefix).layer(layer.layer(orders()))),
        outside: |layer| boxed(layer.layer(MapRequestLayer::new(strip_prefix).layer(orders()))),
        called: "/mounted/orders",
        seen: "/orders",
        axum_knows: false,
    },
];

/// The refusal of a request that is signed for one path and sent to another one.
async fn outcome(app: App, signed_for: &str, sent_to: &str) -> Option<Kind> {
    let uri = |path: &str| -> Uri { format!("https://host.example{path}").parse().unwrap() };
    let mut request = get();
    *request.uri_mut() = uri(signed_for);
    let mut request = signed(request);
    *request.uri_mut() = uri(sent_to);
    let response = app.oneshot(request.map(Body::from)).await.unwrap();
    let kind = response.extensions().get().copied();
    assert_eq!(
        response.status().is_success(),
        kind.is_none(),
        "{response:?}"
    );
    kind
}

fn original(extensions: &Extensions) -> Option<&Uri> {
    Some(&extensions.get::<OriginalUri>()?.0)
}

fn recorded(app: App) -> App {
    boxed(RecordUriLayer::new().layer(app))
}

#[tokio::test]
async fn outside_of_what_changes_the_uri_the_layer_needs_nothing() {
    for Place {
        name,
        outside,
        called,
        seen,
        ..
    } in PLACES
    {
        for app in [outside(layer()), recorded(outside(layer()))] {
            assert_eq!(outcome(app.clone(), called, called).await, None, "{name}");
            let forged = outcome(app, seen, called).await;
            assert_eq!(forged, Some(Kind::WrongMac), "{name}");
        }
    }
}

#[tokio::test]
pub(crate) async fn pitfall_39_a_difference_that_nobody_explains_is_refused() {
    for Place {
        name,
        inside,
        called,
        seen,
        ..
    } in PLACES
    {
        // Nothing tells this layer that the path was cut.
        assert_eq!(outcome(inside(layer()), seen, called).await, None, "{name}");

        let app = recorded(inside(layer()));
        for signed_for in [seen, called] {
            let refusal = outcome(app.clone(), signed_for, called).await;
            assert_eq!(refusal, Some(Kind::Misconfigured), "{name}: {signed_for}");
        }
        let whole = layer().original_uri(received_uri);
        let app = recorded(inside(whole));
        assert_eq!(outcome(app.clone(), called, called).await, None, "{name}");
        let forged = outcome(app, seen, called).await;
        assert_eq!(forged, Some(Kind::WrongMac), "{name}");
    }
}

/// axum stores the URI that its outermost router has seen.
#[tokio::test]
async fn what_axum_stores_counts_if_nothing_outside_of_axum_has_changed_it() {
    for Place {
        name,
        inside,
        called,
        seen,
        axum_knows,
        ..
    } in PLACES
    {
        let with_original = || inside(layer().original_uri(original));
        let plain = outcome(with_original(), seen, called).await;
        let [genuine, forged] = [
            outcome(recorded(with_original()), called, called).await,
            outcome(recorded(with_original()), seen, called).await,
        ];
        if axum_knows {
            assert_eq!(plain, Some(Kind::WrongMac), "{name}");
            assert_eq!((genuine, forged), (None, Some(Kind::WrongMac)), "{name}");
        } else {
            assert_ne!(forged, None, "{name}");
            assert_eq!(
                (genuine, forged),
                (Some(Kind::Misconfigured), Some(Kind::Misconfigured))
            );
        }
    }
}

#[tokio::test]
async fn a_prefix_explains_what_was_cut_before_the_server_or_within_and_nothing_else() {
    let app = || recorded((PLACES[0].inside)(layer().path_prefix("/admin")));
    assert_eq!(outcome(app(), "/admin/orders", "/admin/orders").await, None);
    let forged = outcome(app(), "/orders", "/admin/orders").await;
    assert_eq!(forged, Some(Kind::WrongMac));

    let cut_by_a_proxy = || recorded((PLACES[0].outside)(layer().path_prefix("/api")));
    let seen = outcome(cut_by_a_proxy(), "/api/admin/orders", "/admin/orders").await;
    assert_eq!(seen, None);

    let other = recorded((PLACES[1].inside)(layer().path_prefix("/admin")));
    let seen = outcome(other, "/admin/orders", "/admin/v1/orders").await;
    assert_eq!(seen, Some(Kind::Misconfigured));
}

#[tokio::test]
async fn a_trusted_uri_explains_every_difference() {
    let trusting = layer()
        .trust_client_uri(|_| Some(Uri::from_static("https://host.example/prod/admin/orders")));
    let app = recorded((PLACES[0].inside)(trusting));
    let seen = outcome(app, "/prod/admin/orders", "/admin/orders").await;
    assert_eq!(seen, None);
}

#[tokio::test]
async fn where_original_uri_finds_nothing_the_request_is_refused() {
    for layer in [
        layer().original_uri(original),
        layer().original_uri(received_uri),
        layer().original_uri(|_| None),
    ] {
        let service = layer.layer(service_fn(async |_: Request| {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
        let seen = outcome(boxed(service), "/orders", "/orders").await;
        assert_eq!(seen, Some(Kind::Misconfigured));
        let reason = reason(layer, whole(signed(get()))).await;
        assert!(
            reason.contains("`original_uri` has found no URI"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn the_reason_names_both_paths_and_the_remedy_but_no_query() {
    let request = |received: &'static str| {
        let mut request = signed(get());
        *request.uri_mut() = Uri::from_static(received);
        let rewrite = MapRequestLayer::new(|mut request: http::Request<_>| {
            *request.uri_mut() = Uri::from_static("/orders?token=hidden");
            request
        });
        (rewrite, request)
    };
    for (received, says) in [
        (
            "/admin/orders?token=hidden",
            "the path `/admin/orders` was changed to `/orders`",
        ),
        (
            "/orders?page=2",
            "the URI of `/orders` was changed in its query or its authority",
        ),
    ] {
        let (rewrite, request) = request(received);
        let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let told = std::sync::Arc::clone(&seen);
        let layer = layer().map_refusal(move |response, error, _| {
            *told.lock().unwrap() = error.to_string();
            response
        });
        let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Bytes::new())));
        let app = RecordUriLayer::new().layer(rewrite.layer(layer.layer(service)));
        let response = app.oneshot(whole(request)).await.unwrap();
        assert_eq!(response.status(), 503);
        let reason = seen.lock().unwrap().clone();
        assert!(reason.contains(says), "{reason}");
        assert!(
            reason.contains("set `original_uri(received_uri)`"),
            "{reason}"
        );
        assert!(!reason.contains("hidden"), "{reason}");
    }
}

/// Of two such layers, the outer one has seen what was received.
#[tokio::test]
async fn the_outermost_record_counts() {
    let inner = recorded((PLACES[0].inside)(layer()));
    let rewritten = MapRequestLayer::new(strip_prefix).layer(inner);
    let app = recorded(boxed(rewritten));
    let seen = outcome(app, "/orders", "/mounted/admin/orders").await;
    assert_eq!(seen, Some(Kind::Misconfigured));
}
