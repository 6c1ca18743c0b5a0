//! A protected host passes, whatever its kind, and a test that proves nothing fails.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request as AxumRequest,
    middleware::{self, Next},
    response::IntoResponse,
    routing,
};
use bytes::Bytes;
use hmac_auth::{
    MemoryReplayGuard, MemorySecrets, SignOptions, ValidateOptions, Validated,
    testing::{assert_protected, fixed_time, sign_options, signed, signed_with},
    tower::{SignRequestLayer, Upload, ValidateAuthLayer},
    validate_auth,
};
use http::{Request, Response, StatusCode, header::HOST};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{
    kit::{failure, kit, layer, named, options, orders, request, routes},
    request::{secret, secrets},
};

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

/// A service of another kind answers 401 by itself: the status alone proves nothing.
#[tokio::test]
async fn a_status_alone_is_no_refusal() {
    let by_itself = |signed_only: bool| {
        routes().layer(middleware::from_fn(
            move |request: AxumRequest, next: Next| async move {
                if signed_only && !request.headers().contains_key("signature") {
                    return StatusCode::UNAUTHORIZED.into_response();
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
    let kit_of_own = || kit().handler_calls(counted.clone());
    let unsuccessful = own(true).map_response(|mut response| {
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    });
    let message = failure(unsuccessful, request(), kit_of_own()).await;
    assert!(
        message.contains("was accepted, but answered with 404 Not Found"),
        "{message}"
    );
    calls.store(0, Ordering::Relaxed);
    assert_protected(own(true), request(), &kit_of_own()).await;
    assert_eq!(counted(), 2, "once for each signature that was not changed");
    let message = failure(own(false), request(), kit_of_own()).await;
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
