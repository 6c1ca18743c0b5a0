//! The layer of a host that signs the answers to validated requests.

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get as route_get};
use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind, ResponseError, ResponseErrorKind as Kind, SentRequest, SignResponseOptions,
    ValidatedResponse,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    tower::{AnswerBody, LeaveUnsigned, SignResponseLayer, StreamedBody, ValidateAuthLayer},
    validate_response,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    exchange::{response_options, sent, sent_with, sign_response_options},
    layers::{Script, Step},
    request::{TestRequest, get, options, post, secrets, sign_options, signed_as, with_header},
};

fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

fn script(steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    Response::new(Script {
        steps: steps.into_iter().collect(),
        ..Script::default()
    })
}

/// Asks a host that answers so.
async fn ask(request: TestRequest, response: Response<Script>) -> Response<AnswerBody<Script>> {
    let layer = SignResponseLayer::new().options(sign_response_options());
    ask_with(&layer, request, response).await
}

async fn ask_with(
    layer: &SignResponseLayer,
    request: TestRequest,
    response: Response<Script>,
) -> Response<AnswerBody<Script>> {
    let response = Arc::new(Mutex::new(Some(response)));
    let service = service_fn(move |_: Request<Script>| {
        let response = response.lock().unwrap().take().expect("asked once");
        ready(Ok::<_, Infallible>(response))
    });
    let validate =
        ValidateAuthLayer::new(secrets(), options()).unprotected([(Method::GET, "/open")]);
    let host = layer.layer(validate.layer(service));
    let request = request.map(|body| Script::from(Bytes::from(body)));
    host.oneshot(request).await.unwrap()
}

/// What the consumer says about it.
async fn check(
    response: Response<AnswerBody<Script>>,
    request: &SentRequest,
) -> Result<ValidatedResponse, ResponseError> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    validate_response(
        &Response::from_parts(parts, body),
        request,
        &response_options(),
    )
}

fn is_signed<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    assert_eq!(
        headers.contains_key(SIGNATURE),
        headers.contains_key(SIGNATURE_INPUT)
    );
    headers.contains_key(SIGNATURE)
}

#[tokio::test]
async fn the_answer_to_a_validated_request_is_signed() {
    for request in [get(), post()] {
        for steps in [
            vec![],
            vec![data("whole")],
            vec![data("in "), Step::Wait, data(""), data("pieces")],
        ] {
            let (sent, request) = sent(request.clone());
            let response = ask(request, script(steps)).await;
            check(response, &sent).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_body_that_was_read_says_how_long_it_is() {
    let (_, request) = sent(get());
    let response = ask(request, script([data("in "), data("pieces")])).await;
    assert_eq!(response.body().size_hint().exact(), Some(9));
}

#[tokio::test]
async fn a_refusal_is_never_signed() {
    let (_, signed) = sent(get());
    let unsigned = get();
    let mut changed = signed.clone();
    *changed.uri_mut() = "https://host.example/orders?page=3".parse().unwrap();
    let mut too_large = post();
    *too_large.body_mut() = vec![b'x'; 3 << 20];
    let (_, too_large) = sent(too_large);
    for (request, status) in [(unsigned, 401), (changed, 401), (too_large, 413)] {
        let response = ask(request, script([data("secret")])).await;
        assert_eq!(response.status(), status);
        assert!(response.extensions().get::<AuthErrorKind>().is_some());
        assert!(!is_signed(&response));
        assert!(!response.headers().contains_key(CONTENT_DIGEST));
    }
}

#[tokio::test]
async fn the_second_use_of_a_request_gets_an_unsigned_refusal() {
    let validate = ValidateAuthLayer::new(secrets(), options());
    let app = Router::new().route("/orders", route_get(async || "none"));
    let app = app.layer(validate.sign_responses());
    let (_, request) = sent(get());
    let request = || request.clone().map(axum::body::Body::from);
    let first = app.clone().oneshot(request()).await.unwrap();
    assert!(first.status().is_success() && is_signed(&first));
    let second = app.oneshot(request()).await.unwrap();
    assert!(second.status() == 401 && !is_signed(&second));
}

#[tokio::test]
async fn a_route_without_protection_is_not_signed() {
    let request = Request::get("https://host.example/open").body(Vec::new());
    let response = ask(request.unwrap(), script([data("open")])).await;
    assert!(response.status().is_success() && !is_signed(&response));
}

#[tokio::test]
async fn a_request_without_a_nonce_gets_an_unsigned_answer() {
    let input = "(\"@method\" \"@authority\" \"@path\" \"@query\");created=1700000000";
    let response = ask(signed_as(get(), input), script([data("text")])).await;
    assert!(response.status().is_success() && !is_signed(&response));
    assert!(!response.headers().contains_key(CONTENT_DIGEST));
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "text"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_passes_unsigned_and_whole() {
    let layer = SignResponseLayer::new()
        .options(sign_response_options())
        .max_body_len(4);
    for (pieces, signed) in [
        (vec!["1234"], true),
        (vec!["12", "34"], true),
        (vec!["12345"], false),
        (vec!["12", "34", "5", "6"], false),
    ] {
        let (_, request) = sent(get());
        let steps = pieces.iter().copied().map(data);
        let response = ask_with(&layer, request, script(steps)).await;
        assert_eq!(is_signed(&response), signed, "{pieces:?}");
        assert_eq!(response.headers().contains_key(CONTENT_DIGEST), signed);
        assert!(!response.body().is_end_stream());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, pieces.concat());
    }
}

/// Each byte in a piece of its own, and empty pieces, would take many times their bytes.
#[tokio::test]
async fn what_was_read_of_many_small_pieces_is_one_piece() {
    let trailers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"7\""))]);
    let read = || "12345".split("").map(data);
    for (rest, whole) in [
        (vec![data("6"), data("7")], "1234567"),
        (vec![Step::Fail("gone")], "12345"),
        (vec![Step::Trailers(trailers)], "12345"),
    ] {
        let is_larger = whole.len() > 5;
        let layer = SignResponseLayer::new().max_body_len(if is_larger { 4 } else { 5 });
        let (_, request) = sent(get());
        let steps = script(read().chain(rest));
        let mut body = ask_with(&layer, request, steps).await.into_body();
        assert!(body.size_hint().lower() >= 5);
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "12345");
        if is_larger {
            assert_eq!(body.collect().await.unwrap().to_bytes(), "67");
        }
    }
}

/// It says so itself, and nothing of it is read ahead.
#[tokio::test]
async fn a_body_that_announces_more_than_the_limit_is_not_read() {
    let layer = SignResponseLayer::new().max_body_len(4);
    let (_, request) = sent(get());
    let mut response = script([data("12345")]);
    response.body_mut().hint = 5;
    let polls = Arc::clone(&response.body().polls);
    let response = ask_with(&layer, request, response).await;
    assert!(!is_signed(&response));
    assert_eq!(polls.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn trailers_pass_unsigned() {
    let trailers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"7\""))]);
    let (_, request) = sent(get());
    let steps = [data("text"), Step::Trailers(trailers.clone())];
    let response = ask(request, script(steps)).await;
    assert!(!is_signed(&response));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&trailers));
    assert_eq!(body.to_bytes(), "text");

    let (sent, request) = sent_with(get(), &sign_options());
    let response = ask(
        request,
        script([data("text"), Step::Trailers(HeaderMap::new())]),
    )
    .await;
    check(response, &sent).await.unwrap();
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_unsigned() {
    let (_, request) = sent(get());
    let response = ask(request, script([data("text"), Step::Fail("gone")])).await;
    assert!(!is_signed(&response));
    assert_eq!(response.body().size_hint().lower(), 4);
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "text");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "gone");
    assert!(body.frame().await.is_none() && body.is_end_stream());
}

/// As a file that became shorter while it was sent. The server has to see that, so it must not take
/// the length of the body for granted.
#[tokio::test]
async fn a_body_of_another_length_than_its_head_says_passes_unsigned() {
    for (announced, is_right) in [("3", false), ("4", true), ("5", false)] {
        let (sent, request) = sent(get());
        let mut response = script([data("te"), Step::Wait, data("xt")]);
        let value = HeaderValue::from_static(announced);
        response.headers_mut().insert(header::CONTENT_LENGTH, value);
        let response = ask(request, response).await;
        assert_eq!(is_signed(&response), is_right, "{announced}");
        let has_digest = response.headers().contains_key(CONTENT_DIGEST);
        assert_eq!(has_digest, is_right, "{announced}");
        if is_right {
            check(response, &sent).await.unwrap();
            continue;
        }
        let mut body = response.into_body();
        assert_eq!(body.size_hint().exact(), None);
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "text");
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
        assert!(body.frame().await.is_none() && body.is_end_stream());
    }
}

/// Their bodies may never end.
#[tokio::test]
async fn of_what_is_sent_as_it_comes_nothing_is_read_ahead() {
    for (status, content_type) in [
        (200, "text/event-stream"),
        (200, "Text/Event-Stream; charset=utf-8"),
        (200, "application/grpc"),
        (200, "application/grpc+proto"),
        (101, "text/plain"),
    ] {
        let (_, request) = sent(get());
        let mut response = script([data("event"), Step::Wait]);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let value = HeaderValue::from_static(content_type);
        response.headers_mut().insert(header::CONTENT_TYPE, value);
        let polls = Arc::clone(&response.body().polls);
        let response = ask(request, response).await;
        assert!(!is_signed(&response), "{status} {content_type}");
        let polls = polls.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(polls, 0, "{status} {content_type}");
    }
}

/// A long poll, or lines of JSON that have no end.
#[tokio::test]
async fn of_what_a_handler_leaves_unsigned_nothing_is_read_ahead() {
    let (_, request) = sent(get());
    let mut response = script([Step::Wait, data("line\n")]);
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, ndjson);
    response.extensions_mut().insert(LeaveUnsigned);
    let polls = Arc::clone(&response.body().polls);
    let response = ask(request, response).await;
    assert!(response.status().is_success() && !is_signed(&response));
    assert!(!response.headers().contains_key(CONTENT_DIGEST));
    assert_eq!(polls.load(std::sync::atomic::Ordering::Relaxed), 0);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "line\n");
}

#[tokio::test]
async fn responses_without_content_are_signed_without_their_bodies() {
    for (method, status) in [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304)] {
        let request = Request::builder()
            .method(method)
            .uri("https://host.example/orders")
            .body(Vec::new());
        let (sent, request) = sent(request.unwrap());
        // The server drops it.
        let mut response = script([data("of a GET")]);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let response = ask(request, response).await;
        assert!(is_signed(&response), "{method} {status}");
        assert!(!response.headers().contains_key(CONTENT_DIGEST));
        let (parts, _) = response.into_parts();
        let received = Response::from_parts(parts, "");
        validate_response(&received, &sent, &response_options()).unwrap();
    }
}

/// A proxy of axum reads the upload, and answers then.
#[tokio::test]
async fn behind_the_streaming_layer_an_answer_after_the_upload_is_signed() {
    for reads in [true, false] {
        let service = service_fn(move |request: Request<StreamedBody<Script>>| async move {
            if reads {
                request.into_body().collect().await.unwrap();
            }
            Ok::<_, Infallible>(script([data("done")]))
        });
        let validate = ValidateAuthLayer::new(secrets(), options()).streaming();
        let sign = SignResponseLayer::new().options(sign_response_options());
        let host = sign.layer(validate.layer(service));
        let (sent, request) = sent(post());
        let request = request.map(|body| Script::from(Bytes::from(body)));
        let response = host.oneshot(request).await.unwrap();
        assert_eq!(is_signed(&response), reads);
        assert_eq!(check(response, &sent).await.is_ok(), reads);
    }
}

/// Compresses, as far as a test has to know.
fn compressed(mut response: axum::response::Response) -> axum::response::Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    *response.body_mut() = axum::body::Body::from("compressed");
    response
}

#[tokio::test]
async fn compression_belongs_between_the_two_layers() {
    let validate = || ValidateAuthLayer::new(secrets(), options());
    let sign = || SignResponseLayer::new().options(sign_response_options());
    let compress = || tower::util::MapResponseLayer::new(compressed);
    let routes = || Router::new().route("/orders", route_get(async || "text"));
    let inside = routes().layer(validate()).layer(compress()).layer(sign());
    let outside = routes().layer(validate()).layer(sign()).layer(compress());
    for (app, refused) in [(inside, None), (outside, Some(Kind::NotCovered))] {
        let (sent, request) = sent(get());
        let request = request.map(axum::body::Body::from);
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let response = Response::from_parts(parts, body);
        let result = validate_response(&response, &sent, &response_options());
        assert_eq!(result.err().map(|error| error.kind()), refused);
    }
}

/// `private` is in the signed answer, where the host covers the field.
#[tokio::test]
async fn the_field_for_caches_can_be_covered() {
    let options: SignResponseOptions = sign_response_options().cover(header::CACHE_CONTROL);
    let layer = SignResponseLayer::new().options(options);
    let (sent, request) = sent(get());
    let response = ask_with(&layer, request, script([data("text")])).await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "private");
    let input = response.headers()[SIGNATURE_INPUT].to_str().unwrap();
    assert!(input.contains("\"cache-control\""), "{input}");
    check(response, &sent).await.unwrap();
}

#[tokio::test]
async fn a_response_that_cannot_be_signed_passes_as_it_is() {
    for (name, value) in [
        (
            "content-digest",
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        ),
        ("signature", "sig1=:AAAA:"),
    ] {
        let (_, request) = sent(with_header(get(), "x-y", "z"));
        let mut response = script([data("text")]);
        let before = HeaderValue::from_static(value);
        response.headers_mut().insert(name, before.clone());
        let response = ask(request, response).await;
        assert!(response.status().is_success());
        assert_eq!(response.headers()[name], before);
        assert!(!response.headers().contains_key(SIGNATURE_INPUT));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "text");
    }
}
