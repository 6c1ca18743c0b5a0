//! Extractors of axum: what a layer has proven, and an error where no layer stands.

use axum::{Router, body::Body, routing::get};
use hmac_auth::{
    MemorySecrets, Secret, Validated,
    wix::{AppInstance, AppInstanceOptions, DEFAULT_APP_SECRET_NAME, ValidateAppInstanceLayer},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{
    instance,
    layers::layer,
    recorder::{EVENTS, Recorder},
    request::{get as request, signed, with_header},
};

async fn consumer(validated: Validated) -> String {
    validated.consumer().to_owned()
}

async fn perhaps(validated: Option<Validated>) -> String {
    validated.map_or("nobody".to_owned(), |one| one.consumer().to_owned())
}

async fn site(instance: AppInstance) -> String {
    instance.instance_id().to_owned()
}

async fn call(app: &Router, request: Request<Vec<u8>>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request.map(Body::from)).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn ok(text: &str) -> (StatusCode, String) {
    (StatusCode::OK, text.to_owned())
}

const NAME: &str = hmac_auth::DEFAULT_SECRET_NAME;

#[tokio::test]
async fn the_proof_is_an_argument_of_the_handler() {
    let app: Router = Router::new().route("/orders", get(consumer)).layer(layer());
    assert_eq!(call(&app, signed(request())).await, ok(NAME));
    assert_eq!(call(&app, request()).await.0, StatusCode::UNAUTHORIZED);

    let app: Router = Router::new()
        .route("/orders", get(perhaps))
        .layer(layer().allow_unsigned());
    assert_eq!(call(&app, signed(request())).await, ok(NAME));
    assert_eq!(call(&app, request()).await, ok("nobody"));
    let bad = with_header(request(), "signature", "sig1=:AA==:");
    assert_eq!(call(&app, bad).await.0, StatusCode::UNAUTHORIZED);

    let secrets = MemorySecrets::new();
    secrets.insert(
        DEFAULT_APP_SECRET_NAME,
        Secret::from_text(instance::SECRET).unwrap(),
    );
    let options = AppInstanceOptions::new().at(instance::at(instance::NOW));
    let app: Router = Router::new()
        .route("/orders", get(site))
        .layer(ValidateAppInstanceLayer::new(secrets, options));
    let text = instance::signed(instance::payload(&[]));
    let with_instance = with_header(request(), "authorization", &text);
    assert_eq!(
        call(&app, with_instance).await,
        ok("130db01f-83b1-17c8-1803-c27217800b45")
    );
}

/// A forgotten layer is an error of the server, and never an open door.
#[tokio::test]
async fn without_a_layer_the_answer_is_500() {
    Recorder::install();
    let app: Router = Router::new()
        .route("/consumer", get(consumer))
        .route("/perhaps", get(perhaps))
        .route("/site", get(site));
    let routes = [
        (
            "/consumer",
            "hmac_auth::validate::validated::Validated",
            "ValidateAuthLayer",
        ),
        (
            "/perhaps",
            "hmac_auth::validate::validated::Validated",
            "ValidateAuthLayer",
        ),
        (
            "/site",
            "hmac_auth::wix::app_instance::AppInstance",
            "ValidateAppInstanceLayer",
        ),
    ];
    for (path, wanted, layer) in routes {
        let mut request = signed(request());
        *request.uri_mut() = path.parse().unwrap();
        EVENTS.with_borrow_mut(Vec::clear);
        let (status, body) = call(&app, request).await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::INTERNAL_SERVER_ERROR, "")
        );
        let events = EVENTS.with_borrow(|events| format!("{events:?}"));
        for part in [wanted, layer, path, "stands around its route"] {
            assert!(events.contains(part), "{part}: {events}");
        }
    }
    // A route outside of the layer, as a fallback or a later `route`, has none either.
    let app: Router = Router::new()
        .route("/orders", get(perhaps))
        .layer(layer().allow_unsigned())
        .route("/late", get(perhaps));
    let mut late = request();
    *late.uri_mut() = "/late".parse().unwrap();
    assert_eq!(call(&app, late).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

/// An unprotected route has no mark: nobody has looked whether it is signed.
#[tokio::test]
async fn an_unprotected_route_proves_nothing() {
    let layer = layer().unprotected([(http::Method::GET, "/orders")]);
    let app: Router = Router::new().route("/orders", get(perhaps)).layer(layer);
    for request in [request(), signed(request())] {
        assert_eq!(
            call(&app, request).await.0,
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
