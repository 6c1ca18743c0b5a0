//! The observing layer: it says what the enforcing one would do, and does nothing.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, Validated,
    tower::{Observed, ObservedBody, StreamedBody, ValidateAuthLayer},
};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Collected};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    directory::TestDirectory,
    layers::{
        LEN, Script, Step, ask, chunked, data, declared, guard, layer, layer_with, stale, trailers,
        uncovered, whole, with_body, with_wrong_mac,
    },
    recorder::{EVENTS, Recorder, TRACES},
    request::{get, options, post, sign_options, signed, signed_with, with_header},
};

/// What was known when the service was called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    NotObserved,
    Open,
    Decided(Result<(), Kind>),
}

/// What comes of a request behind the observing layer: the body that the service has read, and what
/// was observed before and after that.
struct Seen {
    body: Result<Bytes, String>,
    before: Before,
    response: Response<Bytes>,
}

impl Seen {
    fn after(&self) -> Option<Result<(), Kind>> {
        self.response
            .extensions()
            .get::<Observed>()
            .unwrap()
            .outcome()
    }

    fn consumer(&self) -> Option<String> {
        let observed = self.response.extensions().get::<Observed>().unwrap();
        observed.consumer().map(str::to_owned)
    }
}

async fn observe(layer: &ValidateAuthLayer, request: Request<Script>) -> Seen {
    Recorder::install();
    EVENTS.with_borrow_mut(Vec::clear);
    TRACES.with_borrow_mut(Vec::clear);
    let taken = std::sync::Mutex::new(None);
    let service = service_fn(async |request: Request<ObservedBody<Script>>| {
        let (parts, body) = request.into_parts();
        assert!(parts.extensions.get::<Validated>().is_none(), "no proof");
        let before = match parts.extensions.get().map(Observed::outcome) {
            None => Before::NotObserved,
            Some(None) => Before::Open,
            Some(Some(outcome)) => Before::Decided(outcome),
        };
        let body = match body.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => Err(error.to_string()),
        };
        *taken.lock().unwrap() = Some((body, before));
        Ok::<_, Infallible>(Response::new(Bytes::from_static(b"served")))
    });
    let response = layer.clone().observing().layer(service).oneshot(request);
    let response = response.await.unwrap();
    let (body, before) = taken.lock().unwrap().take().expect("the service is called");
    Seen {
        body,
        before,
        response,
    }
}

/// The kinds of the events that say what would be refused.
fn would_refuse() -> Vec<String> {
    EVENTS.with_borrow(|events| {
        let observed = events
            .iter()
            .filter(|event| event["message"] == "request would be refused");
        observed.map(|event| event["kind"].clone()).collect()
    })
}

#[tokio::test]
async fn it_says_what_the_enforcing_layer_does() {
    type Make = fn() -> Request<Script>;
    let requests: [(&str, Make); 12] = [
        ("signed", || whole(signed(post()))),
        ("in pieces", || chunked(signed(post()), 5)),
        ("no body", || whole(signed(get()))),
        ("unsigned", || whole(post())),
        ("stale", || whole(stale())),
        ("wrong MAC", || whole(with_wrong_mac())),
        ("uncovered", || whole(uncovered())),
        ("trailers", || {
            let request = signed(post());
            let body = Bytes::from(request.body().clone());
            with_body(request, [Step::Data(body), trailers(&["x-a"])])
        }),
        ("broken", || {
            with_body(signed(post()), [data("a"), Step::Fail("gone")])
        }),
        ("too short", || {
            declared(with_body(signed(post()), [data("a")]), LEN)
        }),
        ("announced as too large", || {
            declared(whole(signed(post())), 1 << 30)
        }),
        ("wrong digest", || {
            with_body(signed(post()), [data("another body of another length")])
        }),
    ];
    for (what, request) in requests {
        let layer = layer();
        let enforced = ask(&layer, request()).await.refusal();
        let plain = request().into_body().collect().await;
        let seen = observe(&layer, request()).await;
        let expected = enforced.map_or(Ok(()), Err);
        assert_eq!(seen.after(), Some(expected), "{what}");
        // Whatever it is, the service gets it as it came, and its answer stands.
        let plain = plain
            .map(Collected::to_bytes)
            .map_err(|error| error.to_string());
        assert_eq!(seen.body, plain, "{what}");
        assert_eq!(seen.response.body(), "served");
        assert_eq!(seen.response.status(), 200);
        assert!(seen.response.headers().is_empty(), "{what}");
        let kinds: Vec<_> = enforced
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect();
        assert_eq!(would_refuse(), kinds, "{what}");
    }
}

#[tokio::test]
async fn the_head_decides_at_once_and_the_body_at_its_end() {
    let layer = layer();
    let seen = observe(&layer, whole(signed(post()))).await;
    assert_eq!((seen.before, seen.after()), (Before::Open, Some(Ok(()))));
    assert_eq!(
        seen.consumer().as_deref(),
        Some(hmac_auth::DEFAULT_SECRET_NAME)
    );
    let accepted = TRACES.with_borrow(|events| {
        let mut events = events.iter();
        events.any(|event| event["message"] == "request would be accepted")
    });
    assert!(accepted);
    let seen = observe(&layer, with_body(signed(get()), [])).await;
    assert_eq!(seen.before, Before::Decided(Ok(())));
    let seen = observe(&layer, whole(with_wrong_mac())).await;
    assert_eq!(seen.before, Before::Decided(Err(Kind::WrongMac)));
    assert_eq!(seen.consumer(), None);
    // Longer than the layer accepts, without an announcement.
    let seen = observe(
        &layer.clone().max_body_len(LEN - 1),
        chunked(signed(post()), 5),
    )
    .await;
    assert_eq!(
        (seen.before, seen.after()),
        (Before::Open, Some(Err(Kind::BodyTooLarge)))
    );
    assert_eq!(seen.body.unwrap().len(), 23);
}

/// It looks into the guard, and uses nothing up, whether there is a body or not.
#[tokio::test]
async fn it_claims_no_signature() {
    for request in [signed(post()), signed(get())] {
        let guard = Arc::new(guard());
        let layer = layer().replay_guard(Arc::clone(&guard));
        for _ in 0..3 {
            let seen = observe(&layer, whole(request.clone())).await;
            assert_eq!(seen.after(), Some(Ok(())));
        }
        assert!(guard.is_empty());
        assert_eq!(ask(&layer, whole(request.clone())).await.refusal(), None);
        let seen = observe(&layer, whole(request)).await;
        assert_eq!(seen.after(), Some(Err(Kind::Replayed)));
        assert_eq!(would_refuse(), ["replayed"]);
        assert_eq!(guard.len(), 1);
    }
}

/// One guard is enough for a layer that observes with new options, and one that enforces the old
/// ones inside of it: in both modes, and with a body or without.
#[tokio::test]
async fn it_stands_around_an_enforcing_layer_with_the_same_guard() {
    let layer = layer().replay_guard(guard());
    for request in [signed(post()), signed(get())] {
        let service = service_fn(async |request: Request<ObservedBody<Script>>| {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let request = Request::from_parts(parts, body.to_vec());
            assert_eq!(ask(&layer, whole(request)).await.refusal(), None);
            Ok::<_, Infallible>(Response::new(Bytes::new()))
        });
        let observing = layer.clone().observing().layer(service);
        let response = observing.oneshot(whole(request)).await.unwrap();
        let observed = response.extensions().get::<Observed>().unwrap();
        assert_eq!(observed.outcome(), Some(Ok(())));
    }
    // The streaming layer asks the guard before it reads the body.
    let streaming = layer.clone().streaming();
    let service = service_fn(async |request: Request<ObservedBody<Script>>| {
        let served = streaming.layer(service_fn(
            async |request: Request<StreamedBody<ObservedBody<Script>>>| {
                request.into_body().collect().await.unwrap();
                Ok::<_, Infallible>(Response::new(Bytes::new()))
            },
        ));
        served.oneshot(request).await
    });
    let observing = layer.clone().observing().layer(service);
    let response = observing.oneshot(chunked(signed(post()), 5)).await.unwrap();
    assert_eq!(response.status(), 200);
    let observed = response.extensions().get::<Observed>().unwrap();
    assert_eq!(observed.outcome(), Some(Ok(())));
}

#[tokio::test]
async fn exceptions_are_those_of_the_enforcing_layer() {
    let lenient = layer()
        .allow_unsigned()
        .unprotected([(Method::GET, "/orders")]);
    let seen = observe(&lenient, whole(post())).await;
    assert_eq!(seen.after(), Some(Ok(())));
    let bad = with_header(post(), "signature", "sig1=:AA==:");
    let seen = observe(&lenient, whole(bad)).await;
    assert_eq!(seen.after(), Some(Err(Kind::UnpairedLabel)));
    let seen = observe(&lenient, whole(get())).await;
    assert_eq!(seen.before, Before::NotObserved);
    assert!(would_refuse().is_empty());
    assert!(seen.response.extensions().get::<Observed>().is_none());
    // Options that cannot be used refuse nothing here either.
    let seen = observe(
        &layer_with(options().authorities::<&str>([])),
        whole(signed(post())),
    )
    .await;
    assert_eq!(seen.after(), Some(Err(Kind::Misconfigured)));
}

#[tokio::test]
async fn a_directory_is_asked_as_by_the_enforcing_layer() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(2)] {
        let layer = ValidateAuthLayer::with_directory(Arc::clone(&directory), options());
        let by = |key_id: &str| whole(signed_with(post(), &sign_options().key_id(key_id)));
        for (key_id, expected) in [
            ("nobody", Err(Kind::UnknownKeyId)),
            ("gone", Err(Kind::Revoked)),
            ("down", Err(Kind::DirectoryUnavailable)),
        ] {
            let seen = observe(&layer, by(key_id)).await;
            assert_eq!(seen.after(), Some(expected), "{key_id}");
            assert_eq!(directory.take_asked(), 1);
        }
        let layer = layer.replay_guard(guard());
        let seen = observe(&layer, by("site-a")).await;
        assert_eq!(seen.after(), Some(Ok(())));
        assert_eq!(seen.consumer().as_deref(), Some("Shop A"));
    }
}

/// A body that nobody reads leaves its outcome open.
#[tokio::test]
async fn an_unread_body_decides_nothing() {
    Recorder::install();
    EVENTS.with_borrow_mut(Vec::clear);
    let service = service_fn(async |request: Request<ObservedBody<Script>>| {
        assert_eq!(format!("{:?}", request.body()), "ObservedBody { .. }");
        Ok::<_, Infallible>(Response::new(Bytes::new()))
    });
    let observing = layer().observing();
    let response = observing
        .layer(service)
        .oneshot(whole(signed(post())))
        .await
        .unwrap();
    let observed = response.extensions().get::<Observed>().unwrap();
    assert_eq!(observed.outcome(), None);
    assert!(would_refuse().is_empty());
    assert!(!format!("{observed:?} {observing:?}").contains("Secret::"));
}

/// axum's routes take its body directly.
#[tokio::test]
async fn it_stands_around_a_router_of_axum() {
    use axum::{Extension, Router, body::Body, routing};

    let handler = async |Extension(observed): Extension<Observed>, body: Bytes| {
        format!("{} {:?}", body.len(), observed.outcome())
    };
    let app: Router = Router::new()
        .route("/orders", routing::post(handler))
        .layer(layer().observing());
    for (request, expected) in [
        (signed(post()), "23 Some(Ok(()))"),
        (post(), "23 Some(Err(MissingSignature))"),
    ] {
        let response = app.clone().oneshot(request.map(Body::from)).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, expected);
    }
}
