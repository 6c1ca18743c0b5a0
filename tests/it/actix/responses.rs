//! Signed answers: what the middleware signs, and what passes as it is.

use actix_web::{
    App, HttpResponse,
    body::{BodyStream, MessageBody},
    dev::ServiceResponse,
    test::{init_service, read_body},
    web,
};
use hmac_auth::{
    ResponseError, SentRequest, ValidatedResponse, actix::ValidateAuth, validate_response,
};
use http::{HeaderName, HeaderValue, Request, Response};

use crate::support::{
    actix::{head_of, middleware},
    exchange::{response_options, sent, sign_response_options},
    request::get,
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
async fn refusals_and_streams_pass_unsigned() {
    let stream = async || {
        let body = web::Bytes::from_static(b"event");
        let once = stream_of(body);
        HttpResponse::Ok().body(BodyStream::new(once))
    };
    let app = App::new()
        .route("/orders", web::get().to(stream))
        .wrap(signing());
    let app = init_service(app).await;
    let (_, request) = sent(get());
    let response = head_of(&request).send_request(&app).await;
    assert!(response.status().is_success() && !is_signed(&response));
    assert_eq!(read_body(response).await, "event");

    let refused = head_of(&get()).send_request(&app).await;
    assert!(refused.status() == 401 && !is_signed(&refused));
    assert!(!refused.headers().contains_key("content-digest"));
}

/// A stream of one piece.
fn stream_of(
    piece: web::Bytes,
) -> impl futures_core::Stream<Item = Result<web::Bytes, actix_web::Error>> {
    struct Once(Option<web::Bytes>);
    impl futures_core::Stream for Once {
        type Item = Result<web::Bytes, actix_web::Error>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(self.0.take().map(Ok))
        }
    }
    Once(Some(piece))
}
