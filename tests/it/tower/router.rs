//! The layers in a router of axum.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use axum::{Extension, Router, extract::OriginalUri, middleware, routing};
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, Validated,
    tower::{Upload, ValidateAuthLayer},
};
use http::Request;
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::{limit::RequestBodyLimitLayer, map_request_body::MapRequestBodyLayer};

use crate::support::{
    layers::{ask, chunked, layer, whole},
    recorder::EVENTS,
    request::{post, signed},
};

async fn hello(Extension(validated): Extension<Validated>, body: String) -> String {
    format!("{} {body}", validated.consumer())
}

async fn hello_upload(Extension(upload): Extension<Upload>, body: String) -> String {
    format!(
        "{} {body}",
        upload.validated().expect("the body has ended").consumer()
    )
}

async fn pass(request: axum::extract::Request, next: middleware::Next) -> axum::response::Response {
    next.run(request).await
}

/// The status and the text, and why it was refused.
async fn ask_axum(
    app: Router,
    request: Request<impl Into<axum::body::Body>>,
) -> (u16, String, Option<Kind>) {
    let response = app.oneshot(request.map(Into::into)).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    (parts.status.as_u16(), text, parts.extensions.get().copied())
}

#[tokio::test]
async fn axum_takes_the_layers_wherever_layers_go() {
    let app = || Router::new().route("/orders", routing::post(hello));
    let uploads = || Router::new().route("/orders", routing::post(hello_upload));
    let stack = ServiceBuilder::new()
        .layer(middleware::from_fn(pass))
        .layer(layer())
        .layer(middleware::from_fn(pass));
    let own_body = MapRequestBodyLayer::new(axum::body::Body::new);
    let upload_stack = ServiceBuilder::new()
        .layer(middleware::from_fn(pass))
        .layer(layer().streaming());
    let upload_stack = upload_stack
        .layer(own_body)
        .layer(middleware::from_fn(pass));
    for app in [
        app().layer(layer()),
        Router::new().route("/orders", routing::post(hello).layer(layer())),
        app().layer(stack.clone()),
        Router::new().route("/orders", routing::post(hello).layer(stack)),
        uploads().layer(layer().streaming()),
        Router::new().route(
            "/orders",
            routing::post(hello_upload).layer(layer().streaming()),
        ),
        uploads().layer(upload_stack),
    ] {
        let expected = format!(r#"{DEFAULT_SECRET_NAME} {{"month":11,"site":"a"}}"#);
        assert_eq!(
            ask_axum(app.clone(), signed(post())).await,
            (200, expected, None)
        );
        let refused = (
            401,
            r#"{"error":"Invalid authentication token"}"#.to_owned(),
            Some(Kind::WrongDigest),
        );
        assert_eq!(
            ask_axum(app, signed(post()).map(|_| "forged")).await,
            refused
        );
    }
}

#[tokio::test]
async fn a_limit_outside_of_the_layer_is_told_as_such() {
    let buffered = Router::new()
        .route("/orders", routing::post(hello))
        .layer(layer());
    let streamed = Router::new()
        .route("/orders", routing::post(hello_upload))
        .layer(layer().streaming());
    for app in [buffered, streamed] {
        let limited = |len| app.clone().layer(RequestBodyLimitLayer::new(len));
        let request = || chunked(signed(post()), 4).map(axum::body::Body::new);
        assert_eq!(ask_axum(limited(23), request()).await.0, 200);
        let refused = (
            413,
            r#"{"error":"Payload too large"}"#.to_owned(),
            Some(Kind::BodyTooLarge),
        );
        assert_eq!(ask_axum(limited(22), request()).await, refused);
    }
}

#[tokio::test]
async fn a_router_that_cuts_the_path_has_to_tell_it() {
    let reason = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&reason);
    let layer = layer().map_refusal(move |response, error, _| {
        *told.lock().unwrap() = error.to_string();
        response
    });
    let orders = || Router::new().route("/orders", routing::post(hello));
    let nested =
        |inside: &ValidateAuthLayer| Router::new().nest("/api", orders().layer(inside.clone()));
    let to = |path: &str| {
        let mut request = post();
        *request.uri_mut() = format!("https://host.example{path}").parse().unwrap();
        request
    };
    let outside = Router::new().nest("/api", orders()).layer(layer.clone());
    assert_eq!(ask_axum(outside, signed(to("/api/orders"))).await.0, 200);

    assert_eq!(
        ask_axum(nested(&layer), signed(to("/api/orders"))).await.2,
        Some(Kind::WrongMac)
    );
    let hint = mem::take(&mut *reason.lock().unwrap());
    assert!(
        hint.contains(
            "seen here: POST host.example /orders; if a router has cut the path, set \
             `original_uri`; if a proxy has, `path_prefix`"
        ),
        "{hint}"
    );

    let layer = layer.original_uri(|extensions| Some(&extensions.get::<OriginalUri>()?.0));
    assert_eq!(
        ask_axum(nested(&layer), signed(to("/api/orders"))).await.0,
        200
    );
    let mut for_the_cut_path = signed(to("/orders"));
    *for_the_cut_path.uri_mut() = to("/api/orders").uri().clone();
    assert_eq!(
        ask_axum(nested(&layer), for_the_cut_path).await.2,
        Some(Kind::WrongMac)
    );
    let hint = mem::take(&mut *reason.lock().unwrap());
    assert!(
        hint.contains("seen here: POST host.example /api/orders; if a proxy"),
        "{hint}"
    );
    assert_eq!(
        EVENTS.take().pop().expect("an event")["path"],
        "/api/orders"
    );
    // Where nobody has put the URI that was received, none can be validated.
    assert_eq!(
        ask(&layer, whole(signed(post()))).await.refusal(),
        Some(Kind::Misconfigured)
    );
}

/// Axum's extractors have a limit of their own, which the docs of `max_body_len` name.
#[tokio::test]
async fn axums_own_limit_is_raised_beside_ours() {
    use axum::{Router, body::Bytes, extract::DefaultBodyLimit, routing::post as route_post};
    use tower::ServiceExt;

    use crate::support::{layers, request};

    const LEN: usize = 3 << 20;
    let router = || Router::new().route("/orders", route_post(async |_: Bytes| ()));
    let validate = || layers::layer().max_body_len(8 << 20);
    for (app, status) in [
        (router().layer(validate()), 413),
        (
            router()
                .layer(validate())
                .layer(DefaultBodyLimit::max(8 << 20)),
            200,
        ),
    ] {
        let request = request::signed(request::post().map(|_| vec![7; LEN]));
        let response = app.oneshot(request.map(axum::body::Body::from)).await;
        assert_eq!(response.unwrap().status(), status);
    }
}
