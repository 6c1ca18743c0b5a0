//! The layer for app instances: requests that reach the service, and refusals.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
};

use axum::body::Body;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_executor::block_on;
use hmac_auth::{
    MemorySecrets, Secret,
    wix::{
        AppInstance, AppInstanceErrorKind as Kind, AppInstanceOptions, DEFAULT_APP_SECRET_NAME,
        ValidateAppInstanceLayer,
    },
};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const SECRET: &str = "d245bbf8-57eb-49d6-aeff-beff6d82cd39";

fn layer(secret_name: &str) -> ValidateAppInstanceLayer {
    let secrets = MemorySecrets::new();
    secrets.insert(secret_name, Secret::from_text(SECRET).unwrap());
    ValidateAppInstanceLayer::new(secrets, AppInstanceOptions::new())
}

/// A request with an app instance that is signed now.
fn request(fields: Value) -> Request<Body> {
    let mut payload = fields;
    payload["instanceId"] = json!("i1");
    payload["signDate"] = json!(jiff::Timestamp::now().to_string());
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let mac = Secret::from_text(SECRET)
        .unwrap()
        .mac(payload.as_bytes())
        .into_bytes();
    let text = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(mac));
    let request = Request::builder().header(AUTHORIZATION, text);
    request.body(Body::empty()).unwrap()
}

/// The response of a service that names the instance id in a header, behind the layer.
fn call(layer: &ValidateAppInstanceLayer, request: Request<Body>) -> Response<Body> {
    let service = service_fn(async |request: Request<Body>| {
        let instance = request.extensions().get::<AppInstance>().unwrap();
        let response = Response::builder().header("instance-id", instance.instance_id());
        response.body(Body::empty())
    });
    let service = ServiceBuilder::new().layer(layer.clone()).service(service);
    block_on(service.oneshot(request)).unwrap()
}

#[track_caller]
fn assert_accepted(response: &Response<Body>) {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["instance-id"], "i1");
    assert_eq!(response.extensions().get::<Kind>(), None);
}

#[track_caller]
fn assert_refused(response: &Response<Body>, status: StatusCode, kind: Kind) {
    assert_eq!(response.status(), status);
    assert_eq!(response.extensions().get(), Some(&kind));
    assert!(!response.headers().contains_key("instance-id"), "reached");
}

#[test]
fn the_service_gets_a_valid_app_instance_and_nothing_else() {
    let layer = layer(DEFAULT_APP_SECRET_NAME);
    assert_accepted(&call(&layer, request(json!({}))));
    let mut changed = request(json!({}));
    let text = changed.headers()[AUTHORIZATION].to_str().unwrap();
    let text = format!("{text}A").parse().unwrap();
    changed.headers_mut().insert(AUTHORIZATION, text);
    let unauthorized = StatusCode::UNAUTHORIZED;
    assert_refused(&call(&layer, changed), unauthorized, Kind::WrongMac);
    let without = Request::new(Body::empty());
    assert_refused(&call(&layer, without), unauthorized, Kind::Missing);
}

#[test]
fn only_the_owner_passes_where_the_owner_is_required() {
    let (everybody, owner) = (
        layer(DEFAULT_APP_SECRET_NAME),
        layer(DEFAULT_APP_SECRET_NAME).require_owner(),
    );
    for (fields, is_owner) in [
        (json!({"uid": "u", "permissions": "OWNER"}), true),
        (json!({"uid": "u"}), false),
        (json!({"aid": "a"}), false),
        (json!({"permissions": "OWNER"}), false),
    ] {
        assert_accepted(&call(&everybody, request(fields.clone())));
        let response = call(&owner, request(fields));
        if is_owner {
            assert_accepted(&response);
        } else {
            assert_refused(&response, StatusCode::FORBIDDEN, Kind::NotOwner);
        }
    }
}

#[test]
fn without_the_app_secret_nothing_is_accepted() {
    let response = call(&layer("another name"), request(json!({})));
    let kind = Kind::SecretUnavailable;
    assert_refused(&response, StatusCode::SERVICE_UNAVAILABLE, kind);

    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_APP_SECRET_NAME, Secret::from_text(SECRET).unwrap());
    let layer = ValidateAppInstanceLayer::new(secrets.clone(), AppInstanceOptions::new());
    assert_accepted(&call(&layer, request(json!({}))));
    secrets.revoke(DEFAULT_APP_SECRET_NAME);
    let response = call(&layer, request(json!({})));
    assert_refused(&response, StatusCode::UNAUTHORIZED, Kind::Revoked);
}

#[test]
fn the_options_name_the_app_secret() {
    let secrets = MemorySecrets::new();
    secrets.insert("another name", Secret::from_text(SECRET).unwrap());
    let options = AppInstanceOptions::new().secret_name("another name");
    let layer = ValidateAppInstanceLayer::new(secrets, options);
    assert!(format!("{layer:?}").contains("another name"), "{layer:?}");
    assert_accepted(&call(&layer, request(json!({}))));
}

/// Such as one with a limit of requests.
#[derive(Clone)]
struct Busy;

impl Service<Request<Body>> for Busy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        panic!("called before it was ready")
    }
}

#[test]
fn a_service_that_is_not_ready_is_waited_for() {
    let mut service = layer(DEFAULT_APP_SECRET_NAME).layer(Busy);
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_pending());
}

#[test]
fn no_shared_cache_stores_an_answer() {
    let cache_control = |response: &Response<Body>| {
        let lines = response.headers().get_all("cache-control").iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
        lines.join(", ")
    };
    let layer = layer(DEFAULT_APP_SECRET_NAME);
    assert_eq!(cache_control(&call(&layer, request(json!({})))), "private");
    let owner = layer.clone().require_owner();
    assert_eq!(cache_control(&call(&owner, request(json!({})))), "no-store");
    let without = call(&layer, Request::new(Body::empty()));
    assert_eq!(cache_control(&without), "no-store");

    for (said, expected) in [
        ("max-age=60", "max-age=60, private"),
        ("public, max-age=60", "public, max-age=60"),
    ] {
        let service = service_fn(async |_: Request<Body>| {
            Response::builder()
                .header("cache-control", said)
                .body(Body::empty())
        });
        let service = ServiceBuilder::new().layer(layer.clone()).service(service);
        let response = block_on(service.oneshot(request(json!({})))).unwrap();
        assert_eq!(cache_control(&response), expected);
    }
}

#[test]
fn a_future_panics_when_it_is_polled_after_its_end() {
    let end = |succeeds: bool| -> Ready<Result<Response<Body>, &str>> {
        ready(if succeeds {
            Ok(Response::default())
        } else {
            Err("no database")
        })
    };
    let refused = Request::new(Body::empty());
    for (succeeds, request) in [
        (true, request(json!({}))),
        (false, request(json!({}))),
        (true, refused),
    ] {
        let service = service_fn(move |_: Request<Body>| end(succeeds));
        let mut service = layer(DEFAULT_APP_SECRET_NAME).layer(service);
        let mut future = Box::pin(service.call(request));
        assert_eq!(block_on(future.as_mut()).is_ok(), succeeds);
        let again = AssertUnwindSafe(|| block_on(future.as_mut()).is_ok());
        let panic = catch_unwind(again).expect_err("it panics");
        assert_eq!(
            panic.downcast_ref::<String>().unwrap(),
            "a future must not be polled again after it was ready"
        );
    }
}

/// An app instance signs nothing of a request, so it cannot ask for an upgrade. The pages of an app
/// open their web sockets with it.
#[test]
fn upgrades_reach_the_service() {
    let mut request = request(json!({}));
    let headers = request.headers_mut();
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.insert("connection", "upgrade".parse().unwrap());
    let on_upgrade = hyper::upgrade::on(&mut request);
    request.extensions_mut().insert(on_upgrade);
    let service = service_fn(async |request: Request<Body>| {
        let headers = request.headers();
        assert!(headers.contains_key("upgrade") && headers.contains_key("connection"));
        let on_upgrade = request.extensions().get::<hyper::upgrade::OnUpgrade>();
        assert!(on_upgrade.is_some());
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let layer = layer(DEFAULT_APP_SECRET_NAME);
    let service = ServiceBuilder::new().layer(layer).service(service);
    let response = block_on(service.oneshot(request)).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
