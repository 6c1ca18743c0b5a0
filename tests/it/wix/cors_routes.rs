//! CORS for single routes: what each of them allows, and what a cache may know of it.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    routing::{get, post, put},
};
use futures_executor::block_on;
use hmac_auth::{
    MemorySecrets,
    wix::{self, AppInstanceOptions, ValidateAppInstanceLayer},
};
use http::{
    HeaderMap, HeaderName, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use tower::ServiceExt;

use crate::support::oauth::APP_ID;

const SHOP: &str = "https://www.shop.example";

fn call(app: &Router, method: Method, path: &str) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(ORIGIN, SHOP);
    let request = request.body(Body::empty()).unwrap();
    block_on(app.clone().oneshot(request)).unwrap()
}

/// As a browser asks before `fetchWithAuth`.
fn preflight(app: &Router, path: &str, method: &str) -> Response<Body> {
    let request = Request::options(path)
        .header(ORIGIN, SHOP)
        .header(ACCESS_CONTROL_REQUEST_METHOD, method)
        .header(
            ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization,content-type,x-wix-consistent,x-wix-linguist",
        );
    let request = request.body(Body::empty()).unwrap();
    block_on(app.clone().oneshot(request)).unwrap()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

/// The origin and the methods that a response allows.
fn allowed(response: &Response<Body>) -> (Option<&str>, Option<&str>) {
    let headers = response.headers();
    (
        text(headers, ACCESS_CONTROL_ALLOW_ORIGIN),
        text(headers, ACCESS_CONTROL_ALLOW_METHODS),
    )
}

#[test]
fn each_route_allows_its_own_origins_and_methods() {
    let shop = wix::cors(APP_ID).allow_origin(SHOP).unwrap();
    let app: Router = Router::new()
        .route(
            "/settings",
            put(async || "saved").layer(wix::cors(APP_ID).methods([Method::PUT])),
        )
        .route(
            "/visit",
            get(async || "hello").layer(shop.methods([Method::GET, Method::DELETE])),
        )
        .route(
            "/products",
            post(async || "tea").layer(wix::cors_for_any_origin().methods([Method::POST])),
        );
    for (path, method, origin, methods) in [
        ("/settings", "PUT", None, "PUT"),
        ("/visit", "GET", Some(SHOP), "GET,DELETE"),
        ("/products", "POST", Some("*"), "POST"),
    ] {
        // The answer does not depend on what the browser asks for.
        for asked in [method, "PATCH"] {
            let answer = preflight(&app, path, asked);
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(allowed(&answer), (origin, Some(methods)), "{path}");
        }
        let answer = call(&app, method.parse().unwrap(), path);
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(allowed(&answer), (origin, None), "{path}");
        let other = call(&app, Method::PATCH, path);
        assert_eq!(other.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(allowed(&other).0, origin, "the page may see why");
    }
}

#[test]
fn a_layer_of_all_routes_of_a_router_answers_the_preflight_too() {
    let app: Router = Router::new()
        .route("/products", get(async || "tea"))
        .route_layer(wix::cors_for_any_origin().methods([Method::GET]));
    let answer = preflight(&app, "/products", "GET");
    assert_eq!(allowed(&answer), (Some("*"), Some("GET")));
    assert_eq!(
        allowed(&preflight(&app, "/nowhere", "GET")),
        (None, None),
        "there is no such route"
    );
}

#[test]
fn the_outermost_layer_answers_alone() {
    let app: Router = Router::new()
        .route(
            "/products",
            get(async || "tea").layer(wix::cors_for_any_origin()),
        )
        .layer(wix::cors(APP_ID));
    assert_eq!(allowed(&preflight(&app, "/products", "GET")).0, None);
}

#[test]
fn for_any_origin_the_answer_is_a_literal_star_and_the_same_for_all() {
    let app: Router = Router::new()
        .route("/products", get(async || ([(VARY, "accept")], "tea")))
        .route("/tea", get(async || "tea"))
        .layer(wix::cors_for_any_origin());
    let mut answers = Vec::new();
    for origin in [Some(SHOP), Some("null"), Some("https://evil.com"), None] {
        for method in [Method::OPTIONS, Method::GET] {
            for (path, vary) in [("/products", Some("accept")), ("/tea", None)] {
                let mut request = Request::builder().method(&method).uri(path);
                if let Some(origin) = origin {
                    request = request.header(ORIGIN, origin);
                }
                let request = request.body(Body::empty()).unwrap();
                let answer = block_on(app.clone().oneshot(request)).unwrap();
                let headers = answer.headers();
                assert_eq!(text(headers, ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
                assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
                let own = vary.filter(|_| method == Method::GET);
                assert_eq!(text(headers, VARY), own, "nothing depends on the origin");
                answers.push((method.clone(), path, headers.clone()));
            }
        }
    }
    for (method, path, headers) in &answers[4..] {
        let first = answers.iter().find(|one| (&one.0, one.1) == (method, path));
        assert_eq!(&first.unwrap().2, headers);
    }
}

#[test]
fn the_headers_of_wix_stay_allowed_beside_others() {
    let more = HeaderName::from_static("x-request-id");
    let authorization = HeaderName::from_static("authorization");
    let more = [more, authorization];
    let shop = wix::cors(APP_ID).allow_origin(SHOP).unwrap();
    let app: Router = Router::new()
        .route("/shop", get(async || "").layer(shop.headers(more.clone())))
        .route(
            "/any",
            get(async || "").layer(wix::cors_for_any_origin().headers(more)),
        )
        .route("/none", get(async || "").layer(wix::cors_for_any_origin()));
    let of_wix = "authorization,content-type,x-wix-linguist,x-wix-consistent";
    for (path, headers) in [
        ("/shop", format!("{of_wix},x-request-id")),
        ("/any", format!("{of_wix},x-request-id")),
        ("/none", of_wix.to_owned()),
    ] {
        let answer = preflight(&app, path, "GET");
        let allowed = text(answer.headers(), ACCESS_CONTROL_ALLOW_HEADERS);
        assert_eq!(allowed, Some(&*headers), "{path}");
    }
}

#[test]
fn browsers_remember_the_answer_for_as_long_as_they_are_told() {
    let hour = Duration::from_secs(3_600);
    let shop = wix::cors(APP_ID).allow_origin(SHOP).unwrap();
    let app: Router = Router::new()
        .route("/shop", get(async || "").layer(shop.max_age(hour)))
        .route(
            "/any",
            get(async || "").layer(wix::cors_for_any_origin().max_age(hour)),
        )
        .route("/none", get(async || "").layer(wix::cors(APP_ID)));
    for (path, seconds) in [
        ("/shop", Some("3600")),
        ("/any", Some("3600")),
        ("/none", None),
    ] {
        let answer = preflight(&app, path, "GET");
        assert_eq!(text(answer.headers(), ACCESS_CONTROL_MAX_AGE), seconds);
        let answer = call(&app, Method::GET, path);
        assert!(!answer.headers().contains_key(ACCESS_CONTROL_MAX_AGE));
    }
}

#[test]
fn a_refusal_can_be_read_by_the_page() {
    let validate = ValidateAppInstanceLayer::new(MemorySecrets::new(), AppInstanceOptions::new());
    let shop = wix::cors(APP_ID).allow_origin(SHOP).unwrap();
    let app: Router = Router::new()
        .route("/shop", get(async || "").layer((shop, validate.clone())))
        .route(
            "/any",
            get(async || "").layer((wix::cors_for_any_origin(), validate)),
        );
    for (path, origin) in [("/shop", SHOP), ("/any", "*")] {
        let answer = call(&app, Method::GET, path);
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(allowed(&answer).0, Some(origin));
        assert_eq!(preflight(&app, path, "GET").status(), StatusCode::OK);
    }
}
