//! A host with one route, and what the kit for tests says about it.

use axum::{Router, body::Body, routing};
use bytes::Bytes;
use hmac_auth::{
    ValidateOptions,
    testing::{TamperOptions, assert_protected, fixed_time},
    tower::ValidateAuthLayer,
};
use http::{Request, Response};
use tower::Service;

use crate::support::request::{secret, secrets};

/// Of every test here.
pub(crate) fn options() -> ValidateOptions {
    ValidateOptions::new()
        .authorities(["host.example"])
        .clock(fixed_time)
}

pub(crate) fn layer() -> ValidateAuthLayer {
    ValidateAuthLayer::new(secrets(), options())
}

pub(crate) async fn orders(body: Bytes) -> Bytes {
    body
}

pub(crate) fn routes() -> Router {
    Router::new().route("/shop/orders", routing::post(orders))
}

pub(crate) fn request() -> Request<Body> {
    Request::post("https://host.example/shop/orders?page=2&page=3&q=a%20b")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"month":11,"site":"a"}"#))
        .unwrap()
}

pub(crate) fn kit() -> TamperOptions {
    TamperOptions::new(secret())
}

/// The message of the panic.
pub(crate) async fn failure<S, R>(
    service: S,
    request: Request<Body>,
    options: TamperOptions,
) -> String
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
pub(crate) fn named(message: &str) -> Vec<&str> {
    let (count, list) = message.split_once(":\n").expect(message);
    let named: Vec<&str> = list.lines().collect();
    let expected = format!("the host must refuse {} of ", named.len());
    assert!(count.contains(&expected), "{message}");
    named
}
