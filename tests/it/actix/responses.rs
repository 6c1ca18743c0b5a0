//! Signed answers: what the middleware signs, and what passes as it is.

use std::{
    cell::RefCell,
    future::{poll_fn, ready},
    pin::pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};

use actix_web::{
    App, Error, Handler, HttpResponse, Responder,
    body::{BodySize, BodyStream, BoxBody, MessageBody, SizedStream, to_bytes},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    middleware::Compress,
    test::{init_service, read_body},
    web,
};
use bytes::Bytes;
use hmac_auth::{
    ResponseError, SentRequest, ValidatedResponse, actix::ValidateAuth, tower::LeaveUnsigned,
    validate_response,
};
use http::{HeaderName, HeaderValue, Request, Response};

use crate::support::{
    actix::{Scripted, head_of, middleware},
    exchange::{response_options, sent, sign_response_options},
    layers::{Script, Step},
    request::{TestRequest, get},
};

fn signing() -> ValidateAuth {
    middleware().sign_responses(sign_response_options())
}

/// What the consumer says about it.
async fn check(
    response: ServiceResponse<impl MessageBody>,
    request: &SentRequest,
) -> Result<ValidatedResponse, ResponseError> {
    let mut received = Response::builder().status(response.status().as_u16());
    for (name, value) in response.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).unwrap();
        received = received.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let received = received.body(read_body(response).await).unwrap();
    validate_response(&received, request, &response_options())
}

fn is_signed<B>(response: &ServiceResponse<B>) -> bool {
    response.headers().contains_key("signature")
}

#[tokio::test]
async fn the_answer_to_a_validated_request_is_signed() {
    let app = App::new()
        .route("/orders", web::get().to(async || "none"))
        .route("/orders", web::head().to(HttpResponse::Ok))
        .route(
            "/gone",
            web::get().to(async || HttpResponse::Gone().json([1])),
        )
        .route("/empty", web::get().to(HttpResponse::NoContent))
        .wrap(signing());
    let app = init_service(app).await;
    for (method, path, status) in [
        ("GET", "/orders", 200),
        ("HEAD", "/orders", 200),
        ("GET", "/gone", 410),
        ("GET", "/empty", 204),
        ("GET", "/other", 404),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://host.example{path}"))
            .body(Vec::new());
        let (sent, request) = sent(request.unwrap());
        let response = head_of(&request).send_request(&app).await;
        assert!(is_signed(&response), "{method} {path}");
        let proof = check(response, &sent).await.unwrap();
        assert_eq!(proof.status(), status);
    }
}

#[tokio::test]
async fn a_refusal_passes_unsigned() {
    let app = App::new().wrap(signing());
    let app = init_service(app).await;
    let refused = head_of(&get()).send_request(&app).await;
    assert!(refused.status() == 401 && !is_signed(&refused));
    assert!(!refused.headers().contains_key("content-digest"));
}

/// What comes of a request whose handler answers so.
async fn ask_for(
    validate: &ValidateAuth,
    request: TestRequest,
    answer: HttpResponse,
) -> (SentRequest, ServiceResponse<impl MessageBody + use<>>) {
    let answer = Rc::new(RefCell::new(Some(answer)));
    let handler = fn_service(move |request: ServiceRequest| {
        let answer = answer.borrow_mut().take().expect("asked once");
        ready(Ok::<_, Error>(request.into_response(answer)))
    });
    let service = validate.new_transform(handler).await.unwrap();
    let (sent, request) = sent(request);
    let response = service.call(head_of(&request).to_srv_request()).await;
    (sent, response.unwrap())
}

async fn ask(
    validate: &ValidateAuth,
    answer: HttpResponse,
) -> (SentRequest, ServiceResponse<impl MessageBody + use<>>) {
    ask_for(validate, get(), answer).await
}

fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

fn script(steps: impl IntoIterator<Item = Step>) -> Script {
    Script {
        steps: steps.into_iter().collect(),
        ..Script::default()
    }
}

fn stream(steps: impl IntoIterator<Item = Step>) -> BoxBody {
    BoxBody::new(BodyStream::new(Scripted(script(steps))))
}

/// As a file comes.
fn sized(len: u64, steps: impl IntoIterator<Item = Step>) -> BoxBody {
    BoxBody::new(SizedStream::new(len, Scripted(script(steps))))
}

fn ok(body: BoxBody) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

#[tokio::test]
async fn a_stream_is_read_and_signed() {
    let pieces = || [data("in "), Step::Wait, data(""), data("pieces")];
    for (body, len) in [
        (stream(pieces()), 9),
        (sized(9, pieces()), 9),
        (stream([data("whole")]), 5),
        (stream([]), 0),
    ] {
        let (sent, response) = ask(&signing(), ok(body)).await;
        assert!(is_signed(&response), "{len}");
        assert_eq!(response.response().body().size(), BodySize::Sized(len));
        check(response, &sent).await.unwrap();
    }
}

/// As for a file: the server drops the body.
#[tokio::test]
async fn the_answer_to_head_is_signed_without_its_body() {
    let head = Request::head("https://host.example/orders").body(Vec::new());
    let body = sized(3 << 20, [data("of a GET")]);
    let (sent, response) = ask_for(&signing(), head.unwrap(), ok(body)).await;
    assert!(is_signed(&response));
    assert_eq!(response.response().body().size(), BodySize::Sized(3 << 20));
    let (request, response) = response.into_parts();
    let response = ServiceResponse::new(request, response.set_body(()));
    check(response, &sent).await.unwrap();
}

#[tokio::test]
async fn a_body_over_the_limit_passes_unsigned_and_whole() {
    let validate = signing().max_signed_body_len(4);
    let pieces = |pieces: &[&'static str]| stream(pieces.iter().copied().map(data));
    for (body, text, signed) in [
        (pieces(&["1234"]), "1234", true),
        (pieces(&["12", "34"]), "1234", true),
        (pieces(&["12345"]), "12345", false),
        (pieces(&["12", "34", "5", "6"]), "123456", false),
        (BoxBody::new("1234"), "1234", true),
        (BoxBody::new("12345"), "12345", false),
        (sized(5, [data("12345")]), "12345", false),
    ] {
        let (_, response) = ask(&validate, ok(body)).await;
        assert_eq!(is_signed(&response), signed, "{text}");
        let has_digest = response.headers().contains_key("content-digest");
        assert_eq!(has_digest, signed, "{text}");
        assert_eq!(to_bytes(response.into_body()).await.ok().unwrap(), text);
    }
    // The order of the setters does not matter.
    let validate = middleware()
        .max_signed_body_len(4)
        .sign_responses(sign_response_options());
    let (_, response) = ask(&validate, ok(BoxBody::new("12345"))).await;
    assert!(!is_signed(&response));
}

/// Nothing is read ahead of what announces more than the limit, and of what has no end.
#[tokio::test]
async fn of_what_cannot_be_signed_nothing_is_read_ahead() {
    let validate = signing().max_signed_body_len(4);
    let of_type = |content_type: &'static str| {
        let mut response = HttpResponse::Ok();
        response.content_type(content_type);
        response
    };
    let mut marked = of_type("application/x-ndjson");
    marked.extensions_mut().insert(LeaveUnsigned);
    for (name, mut response, len) in [
        ("events", of_type("text/event-stream"), None),
        ("gRPC", of_type("application/grpc+proto"), None),
        ("marked", marked, None),
        ("sized", of_type("text/plain"), Some(5)),
    ] {
        let script = script([Step::Wait, data("12345")]);
        let polls = Arc::clone(&script.polls);
        let scripted = Scripted(script);
        let body = match len {
            Some(len) => BoxBody::new(SizedStream::new(len, scripted)),
            None => BoxBody::new(BodyStream::new(scripted)),
        };
        let size = body.size();
        let (_, response) = ask(&validate, response.body(body)).await;
        assert!(!is_signed(&response), "{name}");
        assert_eq!(polls.load(Ordering::Relaxed), 0, "{name}");
        assert_eq!(response.response().body().size(), size, "{name}");
        let body = to_bytes(response.into_body()).await.ok().unwrap();
        assert_eq!(body, "12345", "{name}");
    }
}

/// A stream that does not know its length, which its head says.
fn announcing(len: u64, steps: impl IntoIterator<Item = Step>) -> HttpResponse {
    HttpResponse::Ok().no_chunking(len).body(stream(steps))
}

#[tokio::test]
async fn a_stream_with_a_length_in_its_head_is_signed() {
    let answer = announcing(9, [data("in "), Step::Wait, data("pieces")]);
    let (sent, response) = ask(&signing(), answer).await;
    assert!(is_signed(&response));
    check(response, &sent).await.unwrap();
}

async fn assert_signed_as_compressed<H>(handler: H)
where
    H: Handler<(), Output: Responder + 'static>,
{
    let app = App::new()
        .route("/orders", web::get().to(handler))
        .wrap(Compress::default())
        .wrap(signing());
    let app = init_service(app).await;
    let (sent, request) = sent(get());
    let request = head_of(&request).insert_header(("accept-encoding", "gzip"));
    let response = request.send_request(&app).await;
    assert_eq!(response.headers().get("content-encoding").unwrap(), "gzip");
    check(response, &sent).await.unwrap();
}

/// Actix does not send it either: the length was that of the body before its compression.
#[tokio::test]
async fn the_length_in_the_head_of_a_chunked_answer_does_not_count() {
    let handler = async || announcing(1_000, (0..200).map(|_| data("none ")));
    assert_signed_as_compressed(handler).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_unsigned() {
    for answer in [
        ok(stream([data("text"), Step::Fail("gone")])),
        ok(sized(9, [data("text"), Step::Fail("gone")])),
        // They have announced more: with a signature, they would pass for the whole.
        ok(sized(9, [data("text")])),
        announcing(9, [data("text")]),
    ] {
        let (_, response) = ask(&signing(), answer).await;
        assert!(!is_signed(&response));
        assert!(!response.headers().contains_key("content-digest"));
        let mut body = pin!(response.into_body());
        let mut next = async || poll_fn(|cx| body.as_mut().poll_next(cx)).await;
        assert_eq!(next().await.unwrap().ok().unwrap(), "text");
        assert!(next().await.unwrap().is_err());
    }
}

#[tokio::test]
async fn what_is_compressed_inside_is_signed() {
    assert_signed_as_compressed(async || "none ".repeat(200)).await;
}
