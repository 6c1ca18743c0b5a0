//! CORS for a Wix app: which pages may call, what browsers are told, and that they are told before
//! anything is authenticated.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, routing::any};
use futures_executor::block_on;
use hmac_auth::{
    MemorySecrets, Secret,
    wix::{self, AppInstanceOptions, CorsLayer, DEFAULT_APP_SECRET_NAME, ValidateAppInstanceLayer},
};
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
    },
};
use tower::{Layer, Service, ServiceExt};

const APP_ID: &str = "1B3A6E2C-05F5-4E0F-9D6B-6A4E0D9C1F77";

const APP_ORIGIN: &str = "https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run";

/// A backend whose handler counts its calls.
fn backend() -> (Router, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        "answer"
    };
    (Router::new().route("/", any(handler)), calls)
}

fn call(app: &Router, request: Request<Body>) -> Response<Body> {
    block_on(app.clone().oneshot(request)).unwrap()
}

fn get(origins: &[&[u8]]) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    for origin in origins {
        request
            .headers_mut()
            .append(ORIGIN, origin.to_vec().try_into().unwrap());
    }
    request
}

/// As a browser asks before `fetchWithWixInstance`.
fn preflight(origins: &[&[u8]]) -> Request<Body> {
    let mut request = get(origins);
    *request.method_mut() = Method::OPTIONS;
    request
        .headers_mut()
        .insert(ACCESS_CONTROL_REQUEST_METHOD, "POST".parse().unwrap());
    request.headers_mut().insert(
        ACCESS_CONTROL_REQUEST_HEADERS,
        "authorization,content-type".parse().unwrap(),
    );
    request
}

/// What a header lists, in order and in lower case.
fn list(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let mut items: Vec<_> = headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.to_str().unwrap().split(','))
        .map(|item| item.trim().to_ascii_lowercase())
        .collect();
    items.sort();
    items
}

fn allowed_origin(response: &Response<Body>) -> Option<&str> {
    response
        .headers()
        .get(ACCESS_CONTROL_ALLOW_ORIGIN)
        .map(|value| value.to_str().unwrap())
}

/// Whether both kinds of request from these origins are allowed; whatever else holds is asserted.
fn allows(cors: &CorsLayer, origins: &[&[u8]]) -> bool {
    let (app, calls) = backend();
    let app = app.layer(cors.clone());
    let asked = call(&app, preflight(origins));
    assert_eq!(
        calls.load(Ordering::Relaxed),
        0,
        "a preflight reaches nobody"
    );
    let answer = call(&app, get(origins));
    assert_eq!(calls.load(Ordering::Relaxed), 1, "CORS is no gate");
    for response in [&asked, &answer] {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(list(response.headers(), VARY), ["origin"]);
        assert!(
            !response
                .headers()
                .contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS)
        );
    }
    assert_eq!(allowed_origin(&asked), allowed_origin(&answer));
    if let Some(allowed) = allowed_origin(&asked) {
        assert_eq!(
            [allowed.as_bytes()],
            origins,
            "the origin that asks, and no other"
        );
    }
    allowed_origin(&asked).is_some()
}

#[test]
fn only_the_origin_of_the_app_is_allowed() {
    let cors = wix::cors(APP_ID);
    assert!(allows(&cors, &[APP_ORIGIN.as_bytes()]));
    let refused: [&[u8]; 18] = [
        b"",
        b"null",
        b"*",
        b"https://wix.run",
        b"https://.wix.run",
        b"https://other.wix.run",
        b"http://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run:443",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run:8443",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run/",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run.",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run.evil.com",
        b"https://x1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run@evil.com",
        b"https://1B3A6E2C-05F5-4E0F-9D6B-6A4E0D9C1F77.wix.run",
        b"https://1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77.wix.run\xff",
        b"http://localhost",
        b"http://localhost:5173",
    ];
    for origin in refused {
        assert!(!allows(&cors, &[origin]), "{}", origin.escape_ascii());
    }
    assert!(!allows(&cors, &[]), "no browser");
}

#[test]
fn localhost_is_allowed_for_development_only_as_a_whole() {
    let cors = wix::cors(APP_ID).allow_localhost();
    let allowed: [&[u8]; 8] = [
        APP_ORIGIN.as_bytes(),
        b"http://localhost",
        b"https://localhost",
        b"http://localhost:5173",
        b"https://localhost:5173",
        b"http://localhost:1",
        b"http://localhost:80",
        b"http://localhost:65535",
    ];
    for origin in allowed {
        assert!(allows(&cors, &[origin]), "{}", origin.escape_ascii());
    }
    let refused: [&[u8]; 40] = [
        b"",
        b"null",
        b"*",
        b"localhost",
        b"//localhost",
        b"localhost:5173",
        b"http:localhost",
        b"http://",
        b"http://localhost.",
        b"http://LOCALHOST",
        b"http://LOCALHOST.",
        b"HTTP://localhost",
        b"http://localhost.evil.com",
        b"http://localhost:5173.evil.com",
        b"http://localhost.evil.com:5173",
        b"http://localhost.:5173",
        b"http://LOCALHOST:5173",
        b"http://localhost@evil.com",
        b"http://localhost:5173@evil.com",
        b"http://evil.com@localhost",
        b"http://evil.com#localhost",
        b"http://evil.com?localhost",
        b"http://evil.com/localhost",
        b"http://evil.localhost",
        b"http://xlocalhost",
        b"http://localhostx",
        b"http://localhost/",
        b"http://localhost:",
        b"http://localhost:0",
        b"http://localhost:080",
        b"http://localhost:+80",
        b"http://localhost:-80",
        b"http://localhost:65536",
        b"http://localhost:5173:5173",
        b"http://localhost:5173/",
        b"http://localhost:51 73",
        b"http://127.0.0.1",
        b"file://localhost",
        b"ws://localhost",
        b"http://localhost\xff",
    ];
    for origin in refused {
        assert!(!allows(&cors, &[origin]), "{}", origin.escape_ascii());
    }
}

#[test]
fn several_origins_are_none() {
    let cors = wix::cors(APP_ID).allow_localhost();
    let app = APP_ORIGIN.as_bytes();
    for origins in [
        [app, b"https://evil.com"],
        [b"https://evil.com", app],
        [app, app],
        [b"http://localhost", b"null"],
    ] {
        assert!(!allows(&cors, &origins));
    }
    assert!(!allows(
        &cors,
        &[format!("{APP_ORIGIN}, https://evil.com").as_bytes()]
    ));
    assert!(!allows(
        &cors,
        &[format!("{APP_ORIGIN} https://evil.com").as_bytes()]
    ));
}

#[test]
fn browsers_are_told_the_documented_methods_and_headers() {
    let app = backend().0.layer(wix::cors(APP_ID));
    let response = call(&app, preflight(&[APP_ORIGIN.as_bytes()]));
    assert_eq!(
        list(response.headers(), ACCESS_CONTROL_ALLOW_METHODS),
        ["delete", "get", "options", "post", "put"]
    );
    assert_eq!(
        list(response.headers(), ACCESS_CONTROL_ALLOW_HEADERS),
        [
            "authorization",
            "content-type",
            "x-wix-consistent",
            "x-wix-linguist"
        ]
    );
}

#[test]
fn a_vary_of_the_service_is_kept() {
    let app: Router = Router::new()
        .route("/", any(async || ([(VARY, "accept-encoding")], "answer")))
        .layer(wix::cors(APP_ID));
    let response = call(&app, get(&[APP_ORIGIN.as_bytes()]));
    assert_eq!(
        list(response.headers(), VARY),
        ["accept-encoding", "origin"]
    );
}

#[test]
fn browsers_may_ask_without_an_app_instance_and_learn_of_refusals() {
    let secrets = MemorySecrets::new();
    secrets.insert(
        DEFAULT_APP_SECRET_NAME,
        Secret::from_text("d245bbf8-57eb-49d6-aeff-beff6d82cd39").unwrap(),
    );
    let (app, calls) = backend();
    let app = app
        .layer(ValidateAppInstanceLayer::new(
            secrets,
            AppInstanceOptions::new().app_id(APP_ID),
        ))
        .layer(wix::cors(APP_ID));

    for origin in [APP_ORIGIN, "https://evil.com"] {
        let asked = call(&app, preflight(&[origin.as_bytes()]));
        assert_eq!(
            asked.status(),
            StatusCode::OK,
            "not refused, and not passed on"
        );
        assert_eq!(
            allowed_origin(&asked),
            (origin == APP_ORIGIN).then_some(origin)
        );
        let answer = call(&app, get(&[origin.as_bytes()]));
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            allowed_origin(&answer),
            (origin == APP_ORIGIN).then_some(origin),
            "the page may see why"
        );
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

/// The panic of a future that is polled again after its end, as a text.
fn polled_again<F: Future>(future: F) -> String {
    let mut future = Box::pin(future);
    block_on(future.as_mut());
    let again = std::panic::AssertUnwindSafe(|| block_on(future.as_mut()));
    let panic = std::panic::catch_unwind(again).map(drop).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn futures_that_are_polled_again_panic_alike() {
    let service = || {
        tower::service_fn(async |_: Request<Body>| {
            Ok::<_, Infallible>(Response::new(Body::empty()))
        })
    };
    let mut cors = wix::cors(APP_ID).layer(service());
    let preflight = polled_again(cors.call(preflight(&[APP_ORIGIN.as_bytes()])));
    let answer = polled_again(cors.call(get(&[APP_ORIGIN.as_bytes()])));
    let options = AppInstanceOptions::new();
    let mut validate =
        ValidateAppInstanceLayer::new(MemorySecrets::new(), options).layer(service());
    let refusal = polled_again(validate.call(get(&[])));
    assert_eq!([&preflight, &answer], [&refusal; 2]);
    assert!(refusal.contains("polled"), "{refusal}");
}

#[test]
fn debug_shows_what_is_allowed() {
    let shown = format!("{:?}", wix::cors(APP_ID).allow_localhost());
    assert!(
        shown.contains(APP_ORIGIN) && shown.contains("allows_localhost: true"),
        "{shown}"
    );
}
