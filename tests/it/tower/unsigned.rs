//! A layer in a live service: requests without a signature, and routes without a layer's check.

use std::convert::Infallible;

use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, Validated,
    tower::{StreamedBody, Unsigned, ValidateAuthLayer},
};
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Collected};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{
    layers::{Script, ask_both, chunked, data, layer, layer_with, trailers, whole, with_body},
    request::{TestRequest, get, options, post, signed, with_header, with_signature},
};

/// What a service sees: whether the request is proven, marked as unsigned, and its body.
#[derive(Debug, PartialEq)]
struct Seen {
    is_proven: bool,
    is_marked: bool,
    body: Result<Bytes, ()>,
}

async fn see<B>(request: Request<B>) -> Result<Response<Bytes>, Infallible>
where
    B: Body<Data = Bytes>,
{
    let (parts, body) = request.into_parts();
    let seen = Seen {
        is_proven: parts.extensions.get::<Validated>().is_some(),
        is_marked: parts.extensions.get::<Unsigned>().is_some(),
        body: body.collect().await.map(Collected::to_bytes).map_err(drop),
    };
    let mut response = Response::new(Bytes::from(format!("{seen:?}")));
    response
        .headers_mut()
        .insert("x-seen", "1".parse().unwrap());
    Ok(response)
}

/// The answers in both modes.
async fn answers(
    layer: &ValidateAuthLayer,
    request: impl Fn() -> Request<Script>,
) -> [Response<Bytes>; 2] {
    let buffered = layer.layer(service_fn(see::<Script>));
    let streamed = layer.clone().streaming();
    let streamed = streamed.layer(service_fn(see::<StreamedBody<Script>>));
    [
        buffered.oneshot(request()).await.unwrap(),
        streamed.oneshot(request()).await.unwrap(),
    ]
}

fn text(is_proven: bool, is_marked: bool, body: &'static [u8]) -> String {
    let seen = Seen {
        is_proven,
        is_marked,
        body: Ok(Bytes::from_static(body)),
    };
    format!("{seen:?}")
}

#[tokio::test]
async fn a_request_without_a_signature_passes_with_a_mark() {
    let lenient = layer().allow_unsigned();
    for answer in answers(&lenient, || chunked(post(), 5)).await {
        let expected = text(false, true, br#"{"month":11,"site":"a"}"#);
        assert_eq!(*answer.body(), expected);
        // It is an answer of a route that others sign for.
        assert_eq!(answer.headers()["cache-control"], "private");
        assert!(answer.extensions().get::<Validated>().is_none());
        assert!(answer.extensions().get::<Kind>().is_none());
    }
    // One that is signed is proven, and not marked.
    let [answer, _] = answers(&lenient, || whole(signed(get()))).await;
    assert_eq!(*answer.body(), text(true, false, b""));
    // By default, it is refused.
    for seen in ask_both(&layer(), || whole(post())).await {
        assert_eq!(
            (seen.refusal(), seen.calls),
            (Some(Kind::MissingSignature), 0)
        );
    }
}

#[tokio::test]
async fn a_bad_signature_and_one_of_a_stranger_are_refused() {
    let lenient = layer_with(options().key_ids([("site-a", "hmac-authentication-secret-key")]));
    let lenient = lenient.allow_unsigned();
    let changed = |mut request: TestRequest| {
        request.body_mut().push(b' ');
        request
    };
    for (request, kind) in [
        (
            with_header(post(), "signature", "sig1=:AA==:"),
            Kind::UnpairedLabel,
        ),
        (
            with_header(post(), "signature", ""),
            Kind::MalformedSignature,
        ),
        (
            with_header(post(), "signature-input", ""),
            Kind::MalformedSignatureInput,
        ),
        (
            with_header(post(), "signature-input", "sig1=()"),
            Kind::UnpairedLabel,
        ),
        (signed(post()), Kind::UnknownKeyId),
        (
            with_signature(post(), "a", r#"("date");alg="ed25519""#, &[7; 64]),
            Kind::UnknownKeyId,
        ),
    ] {
        for seen in ask_both(&lenient, || whole(request.clone())).await {
            assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0), "{request:?}");
        }
    }
    let lenient = layer().allow_unsigned();
    let request = changed(signed(post()));
    let [buffered, _] = ask_both(&lenient, || whole(request.clone())).await;
    assert_eq!(
        (buffered.refusal(), buffered.calls),
        (Some(Kind::WrongDigest), 0)
    );
}

#[tokio::test]
async fn a_body_without_a_signature_comes_as_it_is() {
    let lenient = layer().allow_unsigned().max_body_len(3);
    // Trailers, and more than a signed body may have.
    let request = || with_body(post(), [data("long "), data("enough"), trailers(&["x-a"])]);
    for answer in answers(&lenient, request).await {
        assert_eq!(*answer.body(), text(false, true, b"long enough"));
    }
    let broken = || {
        with_body(
            post(),
            [data("a"), crate::support::layers::Step::Fail("gone")],
        )
    };
    for answer in answers(&lenient, broken).await {
        assert!(
            std::str::from_utf8(answer.body())
                .unwrap()
                .contains("Err(())")
        );
    }
}

#[tokio::test]
async fn an_unprotected_route_is_exactly_that_one() {
    let layer = layer().unprotected([(Method::GET, "/health"), (Method::POST, "/ping")]);
    layer.check().unwrap();
    let request = |method: Method, uri: &str| {
        let request = Request::builder().method(method);
        request.uri(uri).body(Vec::new()).unwrap()
    };
    for uri in ["/health", "/health?verbose", "https://host.example/health"] {
        for answer in answers(&layer, || whole(request(Method::GET, uri))).await {
            assert_eq!(*answer.body(), text(false, false, b""), "{uri}");
            // Nobody has asked for it to be private.
            assert!(!answer.headers().contains_key("cache-control"));
        }
    }
    for answer in answers(&layer, || whole(request(Method::POST, "/ping"))).await {
        assert_eq!(*answer.body(), text(false, false, b""));
    }
    for (method, uri) in [
        (Method::HEAD, "/health"),
        (Method::POST, "/health"),
        (Method::GET, "/ping"),
        (Method::GET, "/health/"),
        (Method::GET, "//health"),
        (Method::GET, "/Health"),
        (Method::GET, "/%68ealth"),
        (Method::GET, "/health%3f"),
        (Method::GET, "/health/../orders"),
        (Method::GET, "/orders?/health"),
    ] {
        let request = request(method.clone(), &format!("https://host.example{uri}"));
        for seen in ask_both(&layer, || whole(request.clone())).await {
            assert_eq!(
                (seen.refusal(), seen.calls),
                (Some(Kind::MissingSignature), 0),
                "{method} {uri}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_options_let_nothing_through() {
    for path in ["health", "/health?a", "", "/a#b"] {
        let error = layer()
            .unprotected([(Method::GET, path)])
            .check()
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
        assert!(error.to_string().contains("`unprotected`"), "{error}");
    }
    let contradictory = layer_with(options().authorities::<&str>([]));
    let contradictory = contradictory
        .allow_unsigned()
        .unprotected([(Method::POST, "/orders")]);
    for seen in ask_both(&contradictory, || whole(post())).await {
        assert_eq!((seen.refusal(), seen.calls), (Some(Kind::Misconfigured), 0));
    }
}

/// Each route may have options of its own, around one guard.
#[tokio::test]
async fn routes_have_options_of_their_own() {
    use std::sync::Arc;

    use axum::{Router, routing};

    let guard = Arc::new(crate::support::layers::guard());
    let of = |options| layer_with(options).replay_guard(Arc::clone(&guard));
    let strict = of(options().require("@scheme"));
    let app: Router = Router::new()
        .route(
            "/orders",
            routing::post(async || "orders").layer(of(options())),
        )
        .route("/strict", routing::post(async || "strict").layer(strict));
    let call = async |request: TestRequest| {
        let request = request.map(axum::body::Body::from);
        let response = app.clone().oneshot(request).await.unwrap();
        response.status().as_u16()
    };
    let first = signed(post());
    assert_eq!(call(first.clone()).await, 200);
    assert_eq!(call(first).await, 401);
    let mut elsewhere = post();
    *elsewhere.uri_mut() = "https://host.example/strict".parse().unwrap();
    assert_eq!(call(signed(elsewhere)).await, 401);
}

/// A layer is asked for readiness before each call, whatever the request is.
#[tokio::test]
async fn the_ready_service_is_called() {
    let lenient = layer().allow_unsigned();
    let mut service = lenient.layer(crate::support::layers::Handler::default());
    for _ in 0..2 {
        let ready = ServiceExt::<Request<Script>>::ready(&mut service);
        let response = ready.await.unwrap().call(whole(post())).await.unwrap();
        assert_eq!(response.status(), 201);
    }
}
