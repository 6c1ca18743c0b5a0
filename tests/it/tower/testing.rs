//! The kit for the tests of others: a protected service passes, and one with a check taken out is
//! named with what gets through.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router, body::Body, extract::OriginalUri, middleware, routing};
use bytes::Bytes;
use hmac_auth::{
    MemoryReplayGuard, MemorySecrets, ReplayId, SignOptions, UseOnce, ValidateOptions, Validated,
    testing::{TamperOptions, assert_protected, fixed_time, sign_options, signed, signed_with},
    tower::{SignRequestLayer, Upload, ValidateAuthLayer},
    validate_auth,
};
use http::{Method, Request, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{map_request_body::MapRequestBodyLayer, normalize_path::NormalizePathLayer};

use crate::support::request::{secret, secrets};

/// Of every test here.
fn options() -> ValidateOptions {
    ValidateOptions::new()
        .authorities(["host.example"])
        .clock(fixed_time)
}

fn layer() -> ValidateAuthLayer {
    ValidateAuthLayer::new(secrets(), options())
}

async fn orders(body: Bytes) -> Bytes {
    body
}

fn routes() -> Router {
    Router::new().route("/shop/orders", routing::post(orders))
}

fn request() -> Request<Body> {
    Request::post("https://host.example/shop/orders?page=2&page=3&q=a%20b")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"month":11,"site":"a"}"#))
        .unwrap()
}

fn kit() -> TamperOptions {
    TamperOptions::new(secret())
}

/// The message of the panic.
async fn failure<S, R>(service: S, request: Request<Body>, options: TamperOptions) -> String
where
    S: Service<Request<Body>, Response = Response<R>, Future: Send> + Send + 'static,
    S::Error: std::error::Error + Send + Sync,
    R: Send + 'static,
{
    let test = async move { assert_protected(service, request, &options).await };
    let panic = tokio::spawn(test).await.unwrap_err().into_panic();
    *panic.downcast::<String>().expect("a text")
}

/// What gets through, without the first line, which counts.
fn named(message: &str) -> Vec<&str> {
    let (count, list) = message.split_once(":\n").expect(message);
    let named: Vec<&str> = list.lines().collect();
    let expected = format!("the host must refuse {} of ", named.len());
    assert!(count.contains(&expected), "{message}");
    named
}

#[tokio::test]
async fn a_protected_router_passes_wherever_the_layer_stands() {
    let on_the_method = routing::post(orders).layer(layer());
    for router in [
        routes().layer(layer()),
        routes().route_layer(layer()),
        Router::new().route("/shop/orders", on_the_method),
        Router::new()
            .nest(
                "/shop",
                Router::new().route("/orders", routing::post(orders)),
            )
            .layer(layer()),
    ] {
        assert_protected(router, request(), &kit()).await;
    }
}

#[tokio::test]
async fn each_kind_of_request_is_tested() {
    let any = Router::new()
        .route("/shop/orders", routing::any(orders))
        .layer(layer());
    let get = Request::get("https://host.example/shop/orders")
        .body(Body::empty())
        .unwrap();
    assert_protected(any.clone(), get, &kit()).await;
    let mut origin_form = request();
    *origin_form.uri_mut() = "/shop/orders".parse().unwrap();
    origin_form
        .headers_mut()
        .insert(HOST, "host.example".parse().unwrap());
    assert_protected(any.clone(), origin_form, &kit()).await;
    let mut with_length = request();
    with_length
        .headers_mut()
        .insert("content-length", 23.into());
    assert_protected(any.clone(), with_length, &kit()).await;
    let untyped = Request::put("https://host.example/shop/orders")
        .body(Body::from("x"))
        .unwrap();
    assert_protected(any, untyped, &kit()).await;
}

#[tokio::test]
async fn consumers_sign_as_the_host_asks() {
    let keyed = ValidateAuthLayer::new(
        secrets(),
        options()
            .key_ids([("site-a", hmac_auth::DEFAULT_SECRET_NAME)])
            .require("x-site"),
    );
    let mut with_field = request();
    with_field
        .headers_mut()
        .append("x-site", "a".parse().unwrap());
    with_field
        .headers_mut()
        .append("x-site", "b".parse().unwrap());
    let signing = sign_options().key_id("site-a").cover("x-site");
    assert_protected(
        routes().layer(keyed),
        with_field,
        &kit().sign_options(signing),
    )
    .await;
}

#[tokio::test]
async fn a_host_may_live_at_the_present() {
    let present = ValidateAuthLayer::new(
        secrets(),
        ValidateOptions::new().authorities(["host.example"]),
    );
    let kit = kit().sign_options(SignOptions::new());
    assert_protected(routes().layer(present), request(), &kit).await;
}

#[tokio::test]
async fn a_streaming_host_passes_if_its_handler_reads_the_body() {
    let upload = async |Extension(upload): Extension<Upload>, body: Body| {
        let body = body.collect().await.map_err(|_| StatusCode::BAD_REQUEST)?;
        assert!(upload.validated().is_some());
        Ok::<_, StatusCode>(body.to_bytes())
    };
    let router = |handler| {
        Router::new()
            .route("/shop/orders", handler)
            .layer(layer().streaming())
    };
    assert_protected(router(routing::post(upload)), request(), &kit()).await;
    let careless = router(routing::post(async || "done"));
    let message = failure(careless, request(), kit()).await;
    for item in named(&message) {
        let of_body = ["body", "Content-Digest", "uncovered"];
        assert!(
            of_body.iter().any(|part| item[2..].starts_with(part)),
            "{item}"
        );
    }
}

#[tokio::test]
async fn any_service_can_be_tested() {
    let service = service_fn(|request: Request<Full<Bytes>>| async {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    });
    let request = request().map(|_| Full::new(Bytes::from_static(b"hello")));
    assert_protected(layer().layer(service), request, &kit()).await;
}

/// The same signature in each run, and a client that signs.
#[tokio::test]
async fn a_request_is_signed_in_one_line() {
    let app = || routes().layer(layer());
    let request = || {
        Request::post("https://host.example/shop/orders")
            .header("content-type", "text/plain")
            .body("hello".to_owned())
            .unwrap()
    };
    let one = signed(request(), &secret());
    assert_eq!(one.headers(), signed(request(), &secret()).headers());
    assert_eq!(app().oneshot(one).await.unwrap().status(), 200);
    let keyed = signed_with(request(), &secret(), &sign_options().key_id("a"));
    assert_eq!(app().oneshot(keyed).await.unwrap().status(), 200);
    let other = SignOptions::new()
        .clock(fixed_time)
        .predictable_nonces(|| [9; 16]);
    let other = signed_with(request(), &secret(), &other);
    assert!(
        other.headers()["signature-input"]
            .to_str()
            .unwrap()
            .contains("CQkJCQkJCQkJCQkJCQkJCQ")
    );

    let signing = SignRequestLayer::new(secrets(), SignOptions::new().clock(fixed_time));
    let client = ServiceBuilder::new().layer(signing).service(app());
    for _ in 0..2 {
        let response = client.clone().oneshot(self::request()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

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

/// A route that does not exist is refused well, and proves nothing.
#[tokio::test]
async fn the_signed_request_has_to_succeed() {
    let wrapped = routes().layer(layer());
    let mut mistyped = request();
    *mistyped.uri_mut() = "https://host.example/shop/order".parse().unwrap();
    let message = failure(wrapped, mistyped, kit()).await;
    assert!(
        message.starts_with(
            "POST /shop/order: the signed request was accepted, but answered with 404 Not Found"
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_refusal_of_the_signed_request_comes_with_its_reason() {
    let with =
        |options: ValidateOptions| routes().layer(ValidateAuthLayer::new(secrets(), options));
    let present = ValidateOptions::new().authorities(["host.example"]);
    let keyed = options().key_ids([("site-a", hmac_auth::DEFAULT_SECRET_NAME)]);
    let other_secret = ValidateAuthLayer::new(MemorySecrets::new(), options());
    for (router, words) in [
        (with(present), ["`in_future`", "testing::fixed_time"]),
        (
            with(keyed),
            ["`unknown_key_id`", "TamperOptions::sign_options"],
        ),
        (
            with(options().authorities(["a.example"])),
            ["`unlisted_authority`", "lists"],
        ),
        (
            with(options().require("x-site")),
            ["`not_covered`", "cover"],
        ),
        (
            routes().layer(other_secret),
            ["`secret_unavailable`", "not available"],
        ),
    ] {
        let message = failure(router, request(), kit()).await;
        assert!(
            message.contains("the signed request was refused as"),
            "{message}"
        );
        for word in words {
            assert!(message.contains(word), "{word} is not in {message}");
        }
    }
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

/// A guard that is asked too early, or that is asked with the wrong thing.
#[tokio::test]
async fn a_guard_that_takes_the_word_of_anybody_is_named() {
    let seen = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    let claims_before = middleware::from_fn(
        move |request: axum::extract::Request, next: middleware::Next| {
            let input = request.headers().get("signature").cloned();
            let is_new = seen.lock().unwrap().insert(input);
            async move {
                if is_new {
                    next.run(request).await
                } else {
                    axum::response::IntoResponse::into_response(StatusCode::CONFLICT)
                }
            }
        },
    );
    let app = routes().layer(layer()).layer(claims_before);
    let message = failure(app, request(), kit()).await;
    assert!(message.contains("409 Conflict"), "{message}");
}

/// A service of another kind answers 401 by itself: the status alone proves nothing.
#[tokio::test]
async fn a_status_alone_is_no_refusal() {
    let by_itself = |signed_only: bool| {
        routes().layer(middleware::from_fn(
            move |request: axum::extract::Request, next: middleware::Next| async move {
                if signed_only && !request.headers().contains_key("signature") {
                    return axum::response::IntoResponse::into_response(StatusCode::UNAUTHORIZED);
                }
                next.run(request).await
            },
        ))
    };
    let message = failure(by_itself(true), request(), kit()).await;
    assert!(
        message.contains("no layer of hmac-auth has validated it"),
        "{message}"
    );
    // The handler counts, and the answers have no mark.
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = {
        let calls = Arc::clone(&calls);
        move || calls.load(Ordering::Relaxed)
    };
    let own = |checks_replays: bool| {
        let guard = Arc::new(MemoryReplayGuard::with_clock(fixed_time));
        let calls = Arc::clone(&calls);
        service_fn(move |request: Request<Body>| {
            let (guard, calls) = (Arc::clone(&guard), Arc::clone(&calls));
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let request = Request::from_parts(parts, body);
                let proven = validate_auth(&request, &secrets(), &options());
                let proven = match proven {
                    Ok(proven) if checks_replays => guard.first_use(proven),
                    proven => proven,
                };
                Ok::<_, Infallible>(match proven {
                    Ok(_) => {
                        calls.fetch_add(1, Ordering::Relaxed);
                        Response::new("done")
                    }
                    Err(error) => error.to_response(&options()),
                })
            }
        })
    };
    assert_protected(own(true), request(), &kit().handler_calls(counted.clone())).await;
    assert_eq!(counted(), 2, "once for each signature that was not changed");
    let message = failure(own(false), request(), kit().handler_calls(counted)).await;
    assert_eq!(
        named(&message),
        [
            "- replay: the same request again (200 OK, and the handler was called)",
            "- replay: the same request again, after its changed copies (200 OK, and the handler was \
             called)",
        ]
    );
}

/// The handler runs only for what is not changed.
#[tokio::test]
async fn the_handler_of_a_protected_host_runs_twice() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = {
        let calls = Arc::clone(&calls);
        async move |_: Extension<Validated>| {
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    let router = Router::new()
        .route("/shop/orders", routing::post(counting))
        .layer(layer());
    let counted = Arc::clone(&calls);
    let kit = kit().handler_calls(move || counted.load(Ordering::Relaxed));
    assert_protected(router, request(), &kit).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_proxy_stands_before_the_host() {
    let behind = ValidateAuthLayer::new(
        secrets(),
        options().trust_forwarded_host("x-forwarded-host".parse().unwrap()),
    );
    let app = routes().layer(behind.path_prefix("/api"));
    let mut to_proxy = request();
    *to_proxy.uri_mut() = "/api/shop/orders?page=2".parse().unwrap();
    to_proxy
        .headers_mut()
        .insert(HOST, "host.example".parse().unwrap());
    let kit = kit().proxied_by(|mut request| {
        let hosts: Vec<_> = request.headers().get_all(HOST).iter().cloned().collect();
        request
            .headers_mut()
            .insert(HOST, "10.0.0.1".parse().unwrap());
        for host in hosts {
            request.headers_mut().append("x-forwarded-host", host);
        }
        let cut = request.uri().to_string().replacen("/api", "", 1);
        if let Ok(cut) = cut.parse() {
            *request.uri_mut() = cut;
        }
        request
    });
    assert_protected(app, to_proxy, &kit).await;
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
