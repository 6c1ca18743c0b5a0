//! The layer of a consumer that signs each request and requires a signed response.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::Response,
    routing::{any, get as route_get},
};
use bytes::Bytes;
use hmac_auth::{
    ResponseError, ResponseErrorKind as Kind, SignOptions, ValidateOptions,
    ValidateResponseOptions, ValidatedResponse,
    signature::{ACCEPT_SIGNATURE, SIGNATURE, SIGNATURE_INPUT},
    tower::{SignRequestLayer, SignResponseLayer, SignedExchangeLayer, ValidateAuthLayer},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, ServiceExt, util::MapResponseLayer};

use crate::support::{
    exchange::{response_options, sign_response_options},
    layers::BoxError,
    request::{options, secrets, sign_options},
};

fn host_with(options: ValidateOptions) -> Router {
    let answer = async |request: Request| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        ([(header::ETAG, "\"7\"")], body)
    };
    Router::new()
        .route("/orders", route_get(async || "none").post(answer))
        .layer(ValidateAuthLayer::new(secrets(), options))
        .layer(SignResponseLayer::new().options(sign_response_options()))
}

fn host() -> Router {
    host_with(options())
}

fn layer() -> SignedExchangeLayer {
    requiring(response_options())
}

fn requiring(responses: ValidateResponseOptions) -> SignedExchangeLayer {
    SignRequestLayer::new(secrets(), sign_options()).require_signed_response(responses)
}

fn post() -> Request {
    Request::post("https://host.example/orders")
        .header("content-type", "text/plain")
        .header("x-tenant", "7")
        .body(Body::from("text"))
        .unwrap()
}

async fn send(
    layer: &SignedExchangeLayer,
    host: Router,
    request: Request,
) -> Result<http::Response<Bytes>, BoxError> {
    let response = layer.layer(host).oneshot(request).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Ok(http::Response::from_parts(parts, body))
}

async fn refusal(layer: &SignedExchangeLayer, host: Router, request: Request) -> ResponseError {
    let error = send(layer, host, request).await.unwrap_err();
    *error.downcast().expect("an error of the response")
}

#[tokio::test]
async fn the_signed_answer_arrives_whole_and_proven() {
    let get = Request::get("https://host.example/orders").body(Body::empty());
    for (request, text) in [(get.unwrap(), "none"), (post(), "text")] {
        let response = send(&layer(), host(), request).await.unwrap();
        assert_eq!(response.body(), text);
        let proof = response.extensions().get::<ValidatedResponse>().unwrap();
        assert_eq!(proof.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn an_answer_that_nobody_has_signed_is_refused() {
    let unsigned = Router::new().route("/orders", any(async || "none"));
    let error = refusal(&layer(), unsigned, post()).await;
    assert_eq!(error.kind(), Kind::Unsigned);
}

/// With the status that nobody has proven.
#[tokio::test]
async fn a_refusal_of_the_host_is_an_unsigned_refusal() {
    for (options, status) in [
        (options().require("x-other"), 401),
        (options().authorities(["other.example"]), 401),
        (options().authorities([""; 0]), 503),
    ] {
        let error = refusal(&layer(), host_with(options), post()).await;
        assert_eq!(error.kind(), Kind::UnsignedRefusal);
        assert_eq!(error.unproven_status(), status);
    }
}

#[tokio::test]
async fn what_changes_an_answer_on_the_way_is_found_out() {
    type Change = fn(Response) -> Response;
    let changes: [(Change, Kind); 6] = [
        (
            |mut response| {
                *response.status_mut() = StatusCode::CREATED;
                response
            },
            Kind::WrongStatus,
        ),
        (
            |response| response.map(|_| Body::from("Text")),
            Kind::WrongDigest,
        ),
        (
            |response| response.map(|_| Body::empty()),
            Kind::WrongDigest,
        ),
        (
            |mut response| {
                let value = HeaderValue::from_static("/elsewhere");
                response.headers_mut().insert(header::LOCATION, value);
                response
            },
            Kind::NotCovered,
        ),
        (
            |mut response| {
                response.headers_mut().remove(SIGNATURE);
                response
            },
            Kind::UnpairedLabel,
        ),
        (
            |mut response| {
                response.headers_mut().clear();
                response
            },
            Kind::Unsigned,
        ),
    ];
    for (change, kind) in changes {
        let host = host().layer(MapResponseLayer::new(change));
        assert_eq!(refusal(&layer(), host, post()).await.kind(), kind);
    }
}

/// The answer to the first request comes again as that to the second.
#[tokio::test]
async fn a_replayed_answer_is_refused() {
    let first = Arc::new(Mutex::new(None));
    let replay = MapResponseLayer::new(move |response: Response| {
        let (parts, _) = response.into_parts();
        let mut first = first.lock().unwrap();
        let kept: &mut http::response::Parts = first.get_or_insert(parts);
        Response::from_parts(kept.clone(), Body::from("text"))
    });
    let host = host().layer(replay);
    send(&layer(), host.clone(), post()).await.unwrap();
    let error = refusal(&layer(), host, post()).await;
    assert_eq!(error.kind(), Kind::OtherRequest);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    for (max, accepted) in [(4, true), (3, false)] {
        let layer = layer().max_body_len(max);
        match send(&layer, host(), post()).await {
            Ok(response) => assert!(accepted && response.body() == "text"),
            Err(error) => {
                assert!(!accepted);
                let error = error.downcast::<ResponseError>().unwrap();
                assert_eq!(error.kind(), Kind::BodyTooLarge);
                assert!(error.to_string().contains("3 bytes"), "{error}");
            }
        }
    }
}

fn then(end: Result<Frame<Bytes>, BoxError>) -> impl Fn(Response) -> Response + Clone {
    let end = Arc::new(Mutex::new(Some(end)));
    move |response| {
        let end = end.lock().unwrap().take().expect("asked once");
        let frames = [Ok(Frame::data(Bytes::from_static(b"text"))), end];
        response.map(|_| Body::new(StreamBody::new(Frames(frames.into_iter()))))
    }
}

/// A stream that is ready.
struct Frames(std::array::IntoIter<Result<Frame<Bytes>, BoxError>, 2>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, BoxError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn trailers_and_a_body_that_breaks_off_are_refused() {
    let trailers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"7\""))]);
    for (end, expected) in [
        (Ok(Frame::trailers(HeaderMap::new())), None),
        (
            Ok(Frame::trailers(trailers)),
            Some(Kind::TrailersNotCovered),
        ),
        (Err("gone".into()), Some(Kind::BodyUnreadable)),
    ] {
        let host = host().layer(MapResponseLayer::new(then(end)));
        let result = send(&layer(), host, post()).await;
        let kind = result
            .err()
            .map(|error| error.downcast::<ResponseError>().unwrap().kind());
        assert_eq!(kind, expected);
    }
}

#[tokio::test]
async fn further_fields_are_asked_for_and_checked() {
    let layer = requiring(response_options().cover(header::ETAG));
    let response = send(&layer, host(), post()).await.unwrap();
    let input = response.headers()[SIGNATURE_INPUT].to_str().unwrap();
    assert!(input.contains("\"etag\""), "{input}");
    assert!(input.contains("\"accept-signature\";req"), "{input}");

    let changed = MapResponseLayer::new(|mut response: Response| {
        let value = HeaderValue::from_static("\"8\"");
        response.headers_mut().insert(header::ETAG, value);
        response
    });
    let error = refusal(&layer, host().layer(changed), post()).await;
    assert_eq!(error.kind(), Kind::WrongMac);
}

/// A host that requires `x-tenant`, and counts how often it is asked.
fn strict(asked: &Arc<AtomicUsize>) -> Router {
    counting(options().require("x-tenant"), asked)
}

fn counting(options: ValidateOptions, asked: &Arc<AtomicUsize>) -> Router {
    let asked = Arc::clone(asked);
    host_with(options).layer(MapResponseLayer::new(move |response: Response| {
        asked.fetch_add(1, Ordering::Relaxed);
        response
    }))
}

#[tokio::test]
async fn a_request_is_repeated_once_as_the_host_asks() {
    let asked = Arc::new(AtomicUsize::new(0));
    let error = refusal(&layer(), strict(&asked), post()).await;
    assert_eq!(error.kind(), Kind::UnsignedRefusal);
    assert_eq!(asked.swap(0, Ordering::Relaxed), 1, "only if it is set");

    let again = layer().retry_as_asked();
    let response = send(&again, strict(&asked), post()).await.unwrap();
    assert_eq!(response.body(), "text");
    assert_eq!(asked.swap(0, Ordering::Relaxed), 2);

    // The field is not there, so nothing can be added.
    let mut without = post();
    without.headers_mut().remove("x-tenant");
    let error = refusal(&again, strict(&asked), without).await;
    assert_eq!(error.unproven_status(), 401);
    assert_eq!(asked.swap(0, Ordering::Relaxed), 1);

    // The second refusal is the last one.
    let never = options().require("x-tenant").authorities(["other.example"]);
    let error = refusal(&again, counting(never, &asked), post()).await;
    assert_eq!(error.unproven_status(), 401);
    assert_eq!(asked.swap(0, Ordering::Relaxed), 2);

    // What it requires only where it is present counts alike.
    let present = || counting(options().require_if_present("x-tenant"), &asked);
    let response = send(&again, present(), post()).await.unwrap();
    assert_eq!(response.body(), "text");
    assert_eq!(asked.swap(0, Ordering::Relaxed), 2);
    let mut without = post();
    without.headers_mut().remove("x-tenant");
    send(&again, present(), without).await.unwrap();
    assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
}

/// What a host asks for is added, and nothing else changes.
#[test]
fn an_accept_signature_adds_and_takes_nothing_away() {
    let mine = || SignOptions::new().key_id("a").tag("t").cover("x-mine");
    let asked = |value: &'static str| {
        let request = http::Request::get("https://host.example/?id=1")
            .header("x-mine", "1")
            .header("x-tenant", "7")
            .header("x-name", &b"\xe9"[..])
            .header("content-type", "a/b")
            .body(())
            .unwrap();
        let value = HeaderValue::from_static(value);
        let refusal = HeaderMap::from_iter([(ACCEPT_SIGNATURE, value)]);
        mine().cover_asked(&request, &refusal).map(|options| {
            let mut request = request;
            hmac_auth::sign_empty(&mut request, &secrets(), &options).unwrap();
            request.headers()[SIGNATURE_INPUT]
                .to_str()
                .unwrap()
                .to_owned()
        })
    };
    let start = "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-type\" \"x-mine\"";
    for (value, added) in [
        ("sig1=(\"x-tenant\")", " \"x-tenant\""),
        (
            "other=(\"@method\" \"x-tenant\");created;nonce=\"n\"",
            " \"x-tenant\"",
        ),
        (
            "a=(\"x-tenant\";bs);alg=\"hmac-sha256\"",
            " \"x-tenant\";bs",
        ),
        (
            "a=(\"@scheme\" \"@target-uri\")",
            " \"@scheme\" \"@target-uri\"",
        ),
        (
            "a=(\"@query-param\";name=\"id\")",
            " \"@query-param\";name=\"id\"",
        ),
        // What the request does not have, or what cannot be signed, is no reason to give up.
        (
            "a=(\"@query-param\";name=\"absent\" \"x-name\" \"x-name\";bs)",
            " \"x-name\";bs",
        ),
        (
            "a=(\"x-tenant\"), b=(\"@scheme\")",
            " \"x-tenant\" \"@scheme\"",
        ),
        ("a=(\"x-tenant\");keyid=\"a\";tag=\"t\"", " \"x-tenant\""),
        (
            "a=(\"x-tenant\" \"x-tenant\"), b=(\"@scheme\")",
            " \"@scheme\"",
        ),
    ] {
        let input = asked(value).unwrap_or_else(|| panic!("{value}"));
        assert!(
            input.starts_with(&format!("{start}{added});")),
            "{value}: {input}"
        );
        assert!(input.ends_with(";keyid=\"a\";tag=\"t\""), "{input}");
        assert!(!input.contains("nonce=\"n\""), "{input}");
    }
    for value in [
        "sig1=()",
        "sig1=(\"@method\" \"content-digest\" \"content-type\" \"x-mine\")",
        "sig1=(\"x-absent\")",
        "sig1=(\"@query-param\";name=\"absent\" \"x-name\")",
        "sig1=(\"@status\" \"x-tenant\";req \"@unknown\" \"X\" \"x-tenant\";sf)",
        "sig1=(\"signature\" \"signature-input\")",
        "sig1=(\"x-tenant\");keyid=\"b\"",
        "sig1=(\"x-tenant\");tag=\"other\"",
        "sig1=(\"x-tenant\");alg=\"ed25519\"",
        "sig1=1",
        "\"",
        "",
    ] {
        assert_eq!(asked(value), None, "{value}");
    }
}
