//! What actix does with framing before the middleware is asked: `Expect: 100-continue`, trailers.

use std::future;

use hmac_auth::AuthErrorKind as Kind;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt, Full};

use crate::support::{
    server::{Host, LIMIT, Server},
    wire::{answered, chunked, forged, head, signed_post, wire},
};

const EXPECT: &str = "expect: 100-continue\r\n";

/// Actix tells everybody to continue, so a refused peer sends its body, too: the middleware reads it,
/// and the connection stays.
#[tokio::test]
async fn whoever_is_told_to_continue_and_refused_gets_the_refusal() {
    let host = Host::start(Server::Actix).await;
    let mut connection = host.connect().await;
    for len in [5, LIMIT] {
        for (request, status) in [
            (forged(signed_post("/orders", vec![7; len])), 401),
            (signed_post("/orders", vec![7; len]), 200),
        ] {
            let framing = format!("{EXPECT}content-length: {len}\r\n");
            connection.send(&head(&request, &framing)).await;
            assert_eq!(connection.status().await, 100);
            connection.send(request.body()).await;
            assert_eq!(connection.status().await, status);
        }
    }
    assert_eq!((host.handled(), host.seen().connections), (2, 1));
    assert_eq!(host.refusals(), [Kind::WrongMac; 2]);
}

/// A body that is too large by its own account is not waited for.
#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_not_read() {
    let host = Host::start(Server::Actix).await;
    let request = signed_post("/orders", vec![7; LIMIT + 1]);
    let framing = format!("{EXPECT}content-length: {}\r\n", LIMIT + 1);
    let mut connection = host.connect().await;
    connection.send(&head(&request, &framing)).await;
    assert_eq!(connection.status().await, 100);
    assert_eq!(connection.status().await, 413);
    assert_eq!((host.handled(), host.seen().body_bytes), (0, 0));
}

/// Over HTTP/1.1, actix breaks a body with trailers off, or drops them, as versions differ. Over HTTP/2,
/// it drops them.
#[tokio::test]
async fn no_handler_sees_trailers() {
    let host = Host::start(Server::Actix).await;
    let mut connection = host.connect().await;
    let request = signed_post("/orders", "12345");
    connection
        .send(&chunked(&request, 2, "x-unsigned: 1\r\n"))
        .await;
    match connection.status().await {
        400 => assert_eq!(host.refusals(), [Kind::BodyUnreadable]),
        200 => assert_eq!(host.handled(), 1),
        status => panic!("{status}"),
    }

    let trailers = HeaderMap::from_iter([(
        HeaderName::from_static("x-unsigned"),
        HeaderValue::from_static("1"),
    )]);
    let request = signed_post("/orders", "12345");
    let request =
        request.map(|body| Full::from(body).with_trailers(future::ready(Some(Ok(trailers)))));
    let answer = answered(host.http2().await.send_request(request)).await;
    assert_eq!((answer.status, &*answer.body), (200, "5"));
}

/// A peer that sends both lengths is refused by actix itself.
#[tokio::test]
async fn a_body_with_two_lengths_reaches_nobody() {
    let host = Host::start(Server::Actix).await;
    let request = signed_post("/orders", "12345");
    for framing in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
    ] {
        let mut connection = host.connect().await;
        connection
            .send(&[head(&request, framing), b"12345".to_vec()].concat())
            .await;
        assert_eq!(connection.status().await, 400, "{framing}");
    }
    assert_eq!(host.handled(), 0);
    assert_eq!(host.answer(&request).await.body, "5");
    let mut connection = host.connect().await;
    connection.send(&wire(&request)).await;
    assert_eq!(connection.status().await, 401);
    assert_eq!(host.refusals(), [Kind::Replayed]);
}
