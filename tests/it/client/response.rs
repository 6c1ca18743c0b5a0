//! A client that requires signed responses, over a real socket.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Body,
    response::Response,
    routing::{any, get},
};
use hmac_auth::{
    ResponseErrorKind as Kind, SignOptions, ValidateOptions, ValidateResponseOptions,
    ValidatedResponse,
    client::{Client, InvokeError, invoke},
    signature::{SIGNATURE, SIGNATURE_INPUT, Scheme},
    tower::ValidateAuthLayer,
};
use http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;
use tower::util::MapResponseLayer;

use crate::support::request::secrets;

/// A host of the present, and how often it was asked.
struct Host {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Host {
    async fn start(options: ValidateOptions, change: fn(Response) -> Response) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let options = options
            .authorities([authority.clone()])
            .external_scheme(Scheme::Http);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let signed = ValidateAuthLayer::new(secrets(), options).sign_responses();
        let app = Router::new()
            .route(
                "/orders",
                any(async |body: String| ([(header::ETAG, "\"7\"")], body)),
            )
            .route("/gone", get(async || StatusCode::GONE))
            .layer(signed)
            .layer(MapResponseLayer::new(change))
            .layer(MapResponseLayer::new(move |response: Response| {
                count.fetch_add(1, Ordering::Relaxed);
                response
            }));
        tokio::spawn(axum::serve(listener, app).into_future());
        let url = format!("http://{authority}");
        Self { url, asked }
    }

    async fn send(&self, client: &Client, path: &str) -> Result<reqwest::Response, InvokeError> {
        let request = client
            .post(format!("{}{path}", self.url))
            .header("x-tenant", "7")
            .body("text")
            .build()
            .unwrap();
        invoke(client, request, &secrets(), &SignOptions::new()).await
    }
}

fn client() -> Client {
    client_with(ValidateResponseOptions::new())
}

fn client_with(options: ValidateResponseOptions) -> Client {
    let builder = reqwest::Client::builder().no_proxy();
    Client::new(builder)
        .unwrap()
        .require_signed_response(options)
}

fn kind(result: Result<reqwest::Response, InvokeError>) -> Kind {
    match result {
        Err(InvokeError::Response(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_signed_answer_arrives_whole_and_proven() {
    let host = Host::start(ValidateOptions::new(), |response| response).await;
    let response = host.send(&client(), "/orders?page=2").await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.url().as_str(),
        format!("{}/orders?page=2", host.url)
    );
    assert!(response.extensions().get::<ValidatedResponse>().is_some());
    assert_eq!(response.text().await.unwrap(), "text");

    let client = client();
    for (request, status) in [
        (client.get(format!("{}/gone", host.url)), 410),
        (client.head(format!("{}/orders", host.url)), 200),
    ] {
        let request = request.build().unwrap();
        let response = invoke(&client, request, &secrets(), &SignOptions::new()).await;
        assert_eq!(response.unwrap().status(), status);
    }
}

#[tokio::test]
async fn without_the_setter_no_signature_is_needed() {
    let host = Host::start(ValidateOptions::new(), |mut response| {
        response.headers_mut().remove(SIGNATURE);
        response
    });
    let host = host.await;
    let client = Client::new(reqwest::Client::builder().no_proxy()).unwrap();
    let response = host.send(&client, "/orders").await.unwrap();
    assert_eq!(response.text().await.unwrap(), "text");
    assert_eq!(
        kind(host.send(&self::client(), "/orders").await),
        Kind::UnpairedLabel
    );
}

#[tokio::test]
async fn a_refusal_is_an_unsigned_refusal_with_its_unproven_status() {
    let host = Host::start(ValidateOptions::new().require("x-other"), |response| {
        response
    })
    .await;
    let Err(InvokeError::Response(error)) = host.send(&client(), "/orders").await else {
        panic!("accepted")
    };
    assert_eq!(error.kind(), Kind::UnsignedRefusal);
    assert_eq!(error.unproven_status(), 401);
    assert_eq!(host.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_changes_an_answer_on_the_way_is_found_out() {
    type Change = fn(Response) -> Response;
    let changes: [(Change, Kind); 3] = [
        (
            |mut response| {
                *response.status_mut() = StatusCode::ACCEPTED;
                response
            },
            Kind::WrongStatus,
        ),
        (
            |response| response.map(|_| Body::from("Text")),
            Kind::WrongDigest,
        ),
        (
            |mut response| {
                response.headers_mut().remove(SIGNATURE);
                response.headers_mut().remove(SIGNATURE_INPUT);
                response
            },
            Kind::Unsigned,
        ),
    ];
    for (change, expected) in changes {
        let host = Host::start(ValidateOptions::new(), change).await;
        assert_eq!(kind(host.send(&client(), "/orders").await), expected);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let host = Host::start(ValidateOptions::new(), |response| response).await;
    let client = client().max_response_len(4);
    assert!(host.send(&client, "/orders").await.is_ok());
    let client = client.max_response_len(3);
    assert_eq!(
        kind(host.send(&client, "/orders").await),
        Kind::BodyTooLarge
    );
}

#[tokio::test]
async fn further_fields_are_asked_for_and_checked() {
    let change: fn(Response) -> Response = |mut response| {
        let value = HeaderValue::from_static("\"8\"");
        response.headers_mut().insert(header::ETAG, value);
        response
    };
    let client = client_with(ValidateResponseOptions::new().cover(header::ETAG));
    let host = Host::start(ValidateOptions::new(), |response| response).await;
    let response = host.send(&client, "/orders").await.unwrap();
    assert_eq!(response.headers()[header::ETAG], "\"7\"");
    let host = Host::start(ValidateOptions::new(), change).await;
    assert_eq!(kind(host.send(&client, "/orders").await), Kind::WrongMac);
}

#[tokio::test]
async fn a_request_is_repeated_once_as_the_host_asks() {
    let strict = ValidateOptions::new().require("x-tenant");
    let host = Host::start(strict, |response| response).await;
    let response = host
        .send(&client().retry_as_asked(), "/orders")
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "text");
    assert_eq!(host.asked.load(Ordering::Relaxed), 2);

    // Also where no response must be signed.
    let plain = Client::new(reqwest::Client::builder().no_proxy()).unwrap();
    let response = host.send(&plain.clone().retry_as_asked(), "/orders").await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(host.asked.load(Ordering::Relaxed), 4);
    assert_eq!(host.send(&plain, "/orders").await.unwrap().status(), 401);
    assert_eq!(host.asked.load(Ordering::Relaxed), 5);
}
