//! A host with one check taken out fails, and what gets through is named.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::OriginalUri, response::IntoResponse, routing};
use hmac_auth::{
    MemoryReplayGuard, ReplayId, UseOnce, ValidateOptions,
    testing::{assert_protected, fixed_time, sign_options},
    tower::ValidateAuthLayer,
};
use http::{Method, Request, Response, StatusCode, header::HOST};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{map_request_body::MapRequestBodyLayer, normalize_path::NormalizePathLayer};

use crate::support::{
    kit::{failure, kit, layer, named, options, orders, request, routes},
    request::secrets,
};

#[tokio::test]
async fn a_host_without_a_replay_guard_is_named() {
    let unguarded = || routes().layer(layer().without_replay_guard());
    let message = failure(unguarded(), request(), kit()).await;
    assert_eq!(
        named(&message),
        [
            "- replay: the same request again (accepted, 200 OK)",
            "- replay: the same request again, after its changed copies (accepted, 200 OK)",
        ]
    );
    assert_protected(unguarded(), request(), &kit().host_accepts_replays()).await;
}

/// Something between the layer and the peer makes the body what it was: here, it puts back what
/// was signed.
#[tokio::test]
async fn a_host_that_ignores_the_body_is_named() {
    let ignores = MapRequestBodyLayer::new(|_: Body| Body::from(r#"{"month":11,"site":"a"}"#));
    let app = routes().layer(layer()).layer(ignores);
    let message = failure(app, request(), kit()).await;
    let named = named(&message);
    assert!(
        named.contains(&"- body: one bit flipped in the middle (accepted, 200 OK)"),
        "{message}"
    );
    assert!(
        named.contains(&"- body: emptied (accepted, 200 OK)"),
        "{message}"
    );
    assert!(
        named.iter().all(|item| item.starts_with("- body: ")),
        "{message}"
    );
    assert!(named.len() >= 12, "{message}");
}

#[tokio::test]
async fn a_wide_window_is_named() {
    let with =
        |options: ValidateOptions| routes().layer(ValidateAuthLayer::new(secrets(), options));
    let hour = Duration::from_secs(3_600);
    // The guard must not know better than the window.
    let guard = MemoryReplayGuard::new().accept_replays_across_restarts();
    let old = ValidateAuthLayer::new(secrets(), options().max_time_diff(hour)).replay_guard(guard);
    let message = failure(routes().layer(old), request(), kit()).await;
    assert_eq!(
        named(&message),
        ["- time: well signed, a second older than the host accepts (accepted, 200 OK)"]
    );
    let message = failure(with(options().max_clock_skew(hour)), request(), kit()).await;
    assert_eq!(
        named(&message),
        ["- time: well signed, further in the future than the host accepts (accepted, 200 OK)"]
    );
    let ten = Duration::from_secs(10);
    assert_protected(
        with(options().max_time_diff(ten)),
        request(),
        &kit().max_time_diff(ten),
    )
    .await;
    let wide = with(options().max_clock_skew(hour));
    assert_protected(wide, request(), &kit().max_clock_skew(hour)).await;
}

#[tokio::test]
async fn a_host_for_any_authority_is_named() {
    let any = || {
        let options = ValidateOptions::new().clock(fixed_time);
        routes().layer(ValidateAuthLayer::new(secrets(), options))
    };
    let message = failure(any(), request(), kit()).await;
    assert_eq!(
        named(&message),
        ["- authority: well signed, for another host (accepted, 200 OK)"]
    );
    assert_protected(any(), request(), &kit().host_accepts_any_authority()).await;
}

#[tokio::test]
async fn an_uncovered_content_type_is_named() {
    let lenient = || {
        let options = options().accept_uncovered_content_type();
        routes().layer(ValidateAuthLayer::new(secrets(), options))
    };
    let message = failure(lenient(), request(), kit()).await;
    assert!(
        named(&message)
            .iter()
            .all(|item| item.contains("content-type")),
        "{message}"
    );
    let untyped = || {
        let mut request = request();
        request.headers_mut().remove("content-type");
        request
    };
    let message = failure(lenient(), untyped(), kit()).await;
    assert_eq!(
        named(&message),
        ["- uncovered Content-Type: added (accepted, 200 OK)"]
    );
    let kit = kit().host_accepts_uncovered_content_type();
    assert_protected(lenient(), request(), &kit).await;
    assert_protected(lenient(), untyped(), &kit).await;
}

#[tokio::test]
async fn a_field_that_is_not_required_is_named() {
    let with = |options| routes().layer(ValidateAuthLayer::new(secrets(), options));
    let with_field = || {
        let mut request = request();
        request
            .headers_mut()
            .insert("prefer", "safe".parse().unwrap());
        request
    };
    let kit = || kit().sign_options(sign_options().cover("prefer").cover("@target-uri"));
    assert_protected(with(options()), with_field(), &kit()).await;
    let requires = || kit().host_requires("prefer").host_requires("@target-uri");
    let message = failure(with(options()), with_field(), requires()).await;
    assert_eq!(
        named(&message),
        [
            "- components: well signed, without \"prefer\" (accepted, 200 OK)",
            "- components: well signed, with \"prefer\";bs in place of \"prefer\" (accepted, 200 OK)",
            "- components: well signed, without \"@target-uri\" (accepted, 200 OK)",
        ]
    );
    for strict in [
        options().require("prefer").require("@target-uri"),
        options()
            .require_if_present("prefer")
            .require("@target-uri"),
    ] {
        assert_protected(with(strict), with_field(), &requires()).await;
    }
}

#[tokio::test]
async fn an_open_route_is_named() {
    let open = || Router::new().route("/open", routing::post(orders));
    let to_open = || {
        let mut request = request();
        *request.uri_mut() = "https://host.example/open".parse().unwrap();
        request
    };
    // Added behind `.layer`, and beside the one route that has a layer.
    let behind = routes().layer(layer()).merge(open());
    let one_route = routing::post(orders).layer(layer());
    let beside = open().route("/shop/orders", one_route);
    for router in [behind, beside] {
        assert_protected(router.clone(), request(), &kit()).await;
        let message = failure(router, to_open(), kit()).await;
        assert_eq!(
            message,
            "POST /open: the signed request was answered with 200 OK, but no layer of hmac-auth has \
             validated it: the route stands outside of the layer, or was added after it; or, if the \
             host validates by itself, set `TamperOptions::handler_calls`"
        );
    }
    // Another method of the same path.
    let post = routing::post(orders)
        .layer(layer())
        .get(async || "all orders");
    let router = Router::new().route("/shop/orders", post);
    assert_eq!(
        named(&failure(router, request(), kit()).await),
        [
            "- method: GET (200 OK, not from a layer of hmac-auth)",
            "- method: HEAD (200 OK, not from a layer of hmac-auth)",
        ]
    );
    let unprotected = layer().unprotected([(Method::PUT, "/shop/orders")]);
    let router = Router::new()
        .route("/shop/orders", routing::any(orders))
        .layer(unprotected);
    assert_eq!(
        named(&failure(router, request(), kit()).await),
        ["- method: PUT (200 OK, not from a layer of hmac-auth)"]
    );
}

#[tokio::test]
async fn a_layer_that_enforces_nothing_is_named() {
    let message = failure(routes().layer(layer().observing()), request(), kit()).await;
    assert!(
        message.contains("an `ObserveAuthLayer` refuses nothing"),
        "{message}"
    );
    let message = failure(routes().layer(layer().allow_unsigned()), request(), kit()).await;
    assert_eq!(
        named(&message),
        ["- signature fields: both removed (200 OK, not from a layer of hmac-auth)"]
    );
    let unsigned = routes().layer(layer().allow_unsigned());
    assert_protected(unsigned, request(), &kit().host_accepts_unsigned()).await;
}

/// Decompression outside of the layer: the layer sees what was signed, and the peer sent other
/// bytes.
#[tokio::test]
async fn decompression_outside_of_the_layer_is_named() {
    use tower_http::decompression::RequestDecompressionLayer;

    let outside = ServiceBuilder::new()
        .layer(RequestDecompressionLayer::new())
        .map_request(|request: Request<_>| request.map(Body::new))
        .service(routes().layer(layer()));
    let message = failure(outside, request(), kit()).await;
    assert_eq!(
        named(&message),
        ["- uncovered Content-Encoding: the body in the coding `gzip` (accepted, 200 OK)"]
    );
    let inside = ServiceBuilder::new()
        .layer(RequestDecompressionLayer::new())
        .map_request(|request: Request<_>| request.map(Body::new))
        .service(routes());
    let inside = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .service(inside);
    assert_protected(layer().layer(inside), request(), &kit()).await;
}

#[tokio::test]
async fn a_path_that_is_changed_outside_of_the_layer_is_named() {
    let trimmed = NormalizePathLayer::trim_trailing_slash().layer(routes().layer(layer()));
    let message = failure(trimmed, request(), kit()).await;
    assert!(
        message.contains("- path: a slash at the end (accepted, 200 OK)"),
        "{message}"
    );
    assert!(
        named(&message).iter().all(|item| item.contains("slash")),
        "{message}"
    );
    // Inside of a router that cuts the path, by a host that trusts the path as it is cut.
    let shop = Router::new()
        .route("/orders", routing::post(orders))
        .layer(layer());
    let nested = Router::new().nest("/shop", shop);
    let message = failure(nested, request(), kit()).await;
    assert!(message.contains("refused as `wrong_mac`"), "{message}");
    let original = layer().original_uri(|extensions| Some(&extensions.get::<OriginalUri>()?.0));
    let shop = Router::new()
        .route("/orders", routing::post(orders))
        .layer(original);
    assert_protected(Router::new().nest("/shop", shop), request(), &kit()).await;
}

/// A guard that is asked before the MAC: whoever changes a request uses up its signature.
#[tokio::test]
async fn a_guard_that_is_asked_too_early_is_named() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let inner = ServiceBuilder::new()
        .map_request(move |request| {
            calls.fetch_add(1, Ordering::Relaxed);
            request
        })
        .service(routes());
    let inner = layer().layer(inner);
    let early = service_fn(move |request: Request<Body>| {
        let signature = request.headers().get("signature").cloned();
        let is_new = seen.lock().unwrap().insert(signature);
        let inner = inner.clone();
        async move {
            if is_new {
                inner.oneshot(request).await
            } else {
                Ok(StatusCode::CONFLICT.into_response())
            }
        }
    });
    let kit = kit().handler_calls(move || counted.load(Ordering::Relaxed));
    assert_eq!(
        failure(early, request(), kit).await,
        "POST /shop/orders: the signed request, sent after its changed copies, was answered with 409 \
         Conflict, and called the handler 0 times, not once"
    );
}

/// A guard of one's own that says yes to everything.
#[derive(Debug)]
struct NoGuard;

impl hmac_auth::ReplayGuard for NoGuard {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::ready(Ok(()))
    }
}

#[tokio::test]
async fn a_guard_that_accepts_everything_is_named() {
    let app = routes().layer(layer().replay_guard(NoGuard));
    assert_eq!(named(&failure(app, request(), kit()).await).len(), 2);
}

/// Something outside of the layer puts one part right again, so that the layer never sees its
/// change.
#[tokio::test]
async fn each_part_that_is_put_right_outside_of_the_layer_is_named() {
    type Repair = fn(&mut Request<Body>);
    let repairs: [(&str, Repair, usize); 5] = [
        ("method", |request| *request.method_mut() = Method::POST, 7),
        (
            "authority",
            |request| {
                let target = request.uri().path_and_query().unwrap().clone();
                *request.uri_mut() = format!("https://host.example{target}").parse().unwrap();
                request.headers_mut().remove(HOST);
            },
            10,
        ),
        (
            "query",
            |request| {
                let path = request.uri().path();
                let uri = format!("https://host.example{path}?page=2&page=3&q=a%20b");
                if request
                    .uri()
                    .authority()
                    .is_some_and(|one| one == "host.example")
                {
                    *request.uri_mut() = uri.parse().unwrap();
                }
            },
            30,
        ),
        (
            "field",
            |request| {
                let json = "application/json".parse().unwrap();
                request.headers_mut().insert("content-type", json);
            },
            12,
        ),
        (
            "uncovered Content-Encoding",
            |request| drop(request.headers_mut().remove("content-encoding")),
            2,
        ),
    ];
    for (part, repair, least) in repairs {
        let repaired = ServiceBuilder::new()
            .map_request(move |mut request| {
                repair(&mut request);
                request
            })
            .service(routes().layer(layer()));
        let message = failure(repaired, request(), kit()).await;
        let named = named(&message);
        assert!(named.len() >= least, "{message}");
        let is_of_part = |item: &&str| item.strip_prefix("- ").unwrap().starts_with(part);
        assert!(named.iter().all(is_of_part), "{message}");
    }
}

/// Of a host that checks nothing, all is named that was sent.
#[tokio::test]
async fn all_gets_through_a_host_that_checks_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let open = service_fn(move |_: Request<Body>| {
        calls.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new("done")) }
    });
    let kit = kit().handler_calls(move || counted.load(Ordering::Relaxed));
    let message = failure(open, request(), kit).await;
    let named = named(&message);
    assert!(named.len() > 300, "{message}");
    assert!(
        message.contains(&format!("must refuse {0} of {0} requests", named.len())),
        "{message}"
    );
}
