//! Upgrades of a connection: a handler sees those that are signed, and no others.

use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac_auth::{SignOptions, Validated, actix::ValidateAuth};
use http::Request;
use tokio::{
    io::{AsyncReadExt, BufReader},
    net::TcpStream,
};

use crate::support::{
    layers::guard,
    request::{TestRequest, options, secrets, sign_options, signed, signed_with, with_header},
    wire::{Connection, chunked, head, head_for},
};

/// Answers an upgrade with each byte that comes, and says what it sees of any other request.
async fn echo(_: Validated, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let is_tunnel = request.method() == "CONNECT";
    if request.head().upgrade() || is_tunnel {
        let status = if is_tunnel { 200 } else { 101 };
        let status = status.try_into().unwrap();
        return HttpResponse::build(status)
            .upgrade("websocket")
            .streaming(payload);
    }
    let fields: Vec<&str> = ["upgrade", "connection", "http2-settings"]
        .into_iter()
        .filter(|name| request.headers().contains_key(*name))
        .collect();
    let mut len = 0;
    while let Some(bytes) = std::future::poll_fn(|cx| {
        futures_core::Stream::poll_next(std::pin::Pin::new(&mut payload), cx)
    })
    .await
    {
        len += bytes.unwrap().len();
    }
    HttpResponse::Ok().body(format!("{fields:?} {len}"))
}

async fn connect() -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let validate = ValidateAuth::new(secrets(), options(), Arc::new(guard()));
    let server = HttpServer::new(move || {
        App::new()
            .default_service(web::to(echo))
            .wrap(validate.clone())
    });
    let server = server.workers(1).disable_signals();
    tokio::spawn(server.listen(listener).unwrap().run());
    Connection(BufReader::new(TcpStream::connect(address).await.unwrap()))
}

/// The handshake of RFC 6455 section 1.3.
fn handshake() -> TestRequest {
    let request = Request::get("https://host.example/chat")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13");
    request.body(Vec::new()).unwrap()
}

/// Signs the field `upgrade`, too.
fn with_upgrade() -> SignOptions {
    sign_options().cover(http::header::UPGRADE)
}

async fn echoes(host: &mut Connection, text: &[u8]) {
    host.send(text).await;
    let mut echo = vec![0; text.len()];
    host.0.read_exact(&mut echo).await.unwrap();
    assert_eq!(echo, text);
}

#[tokio::test]
async fn a_signed_upgrade_reaches_the_handler_with_what_follows() {
    for early in [&b""[..], b"sent at once"] {
        let mut host = connect().await;
        let request = signed_with(handshake(), &with_upgrade());
        host.send(&[&head(&request, "")[..], early].concat()).await;
        assert_eq!(host.head().await.unwrap(), Some((101, 0)));
        let mut first = vec![0; early.len()];
        host.0.read_exact(&mut first).await.unwrap();
        assert_eq!(first, early);
        echoes(&mut host, b"hi").await;
    }
}

/// Somebody on the way has added the fields, or has changed the protocol.
#[tokio::test]
async fn an_upgrade_that_is_not_signed_gets_a_plain_answer_and_ends_the_connection() {
    let mut host = connect().await;
    let request = signed(handshake());
    host.send(&[&head(&request, "")[..], b"a stranger's bytes"].concat())
        .await;
    let mut answer = String::new();
    host.0.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n[] 0"), "{answer}");

    let mut host = connect().await;
    let mut changed = signed_with(handshake(), &with_upgrade());
    let value = "websocket, h2c".parse().unwrap();
    changed.headers_mut().insert("upgrade", value);
    host.send(&head(&changed, "")).await;
    assert_eq!(host.status().await, 401);
}

/// Before a byte of the body or of the tunnel is read, the refusal comes, and the connection ends.
#[tokio::test]
async fn a_refused_handshake_is_answered_at_once() {
    let mut host = connect().await;
    host.send(&[&head(&handshake(), "")[..], b"a stranger's bytes"].concat())
        .await;
    let mut answer = String::new();
    host.0.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn other_upgrades_are_removed() {
    let mut host = connect().await;
    let plain = || {
        let request = Request::get("https://host.example/orders");
        request.body(Vec::new()).unwrap()
    };
    let added = [
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
        ("connection", "Upgrade, HTTP2-Settings"),
    ];
    let request = added
        .iter()
        .fold(signed(plain()), |request, (name, value)| {
            with_header(request, name, value)
        });
    host.send(&head(&request, "")).await;
    assert_eq!(host.answer().await.body, "[] 0");
}

/// To actix, everything behind such a head is payload: the body is only as long as the head says.
#[tokio::test]
async fn a_body_before_an_upgrade_is_the_signed_one() {
    let post = || {
        let (mut head, _) = handshake().into_parts();
        head.method = http::Method::POST;
        Request::from_parts(head, b"12345".to_vec())
    };
    let framing = "content-length: 5\r\n";
    for (request, answer) in [
        (signed_with(post(), &with_upgrade()), None),
        (signed(post()), Some("[] 5")),
    ] {
        let mut host = connect().await;
        host.send(&[&head(&request, framing)[..], b"12345more"].concat())
            .await;
        match answer {
            None => {
                assert_eq!(host.head().await.unwrap(), Some((101, 0)));
                let mut echo = [0; 9];
                host.0.read_exact(&mut echo).await.unwrap();
                assert_eq!(&echo, b"12345more");
                echoes(&mut host, b"hi").await;
            }
            Some(answer) => assert_eq!(host.answer().await.body, answer),
        }
    }
    // Some versions of actix take the one coding that is none for none, and others refuse it.
    let identity = format!("transfer-encoding: identity\r\n{framing}");
    let mut host = connect().await;
    host.send(&[&head(&signed(post()), &identity)[..], b"12345more"].concat())
        .await;
    let answer = host.answer().await;
    assert!(answer.status == 400 || answer.body == "[] 5", "{answer:?}");
    // In chunks, the body has an end of its own.
    let mut host = connect().await;
    host.send(&chunked(&signed(post()), 2, "")).await;
    assert_eq!(host.answer().await.body, "[] 5");
    // Another body.
    let mut host = connect().await;
    let request = signed_with(post(), &with_upgrade());
    host.send(&[&head(&request, framing)[..], b"54321more"].concat())
        .await;
    assert_eq!(host.status().await, 401);
}

/// Every signature covers the method, and the method is what asks for the tunnel.
#[tokio::test]
async fn a_signed_connect_has_its_tunnel() {
    let tunnel = || Request::connect("host.example").body(Vec::new()).unwrap();
    let target = "host.example:443";
    let host_field = "host: host.example:443\r\n";
    let mut host = connect().await;
    host.send(&head_for(&signed(tunnel()), target, host_field, ""))
        .await;
    assert_eq!(host.head().await.unwrap(), Some((200, 0)));
    echoes(&mut host, b"hi").await;

    let mut host = connect().await;
    host.send(&head_for(&tunnel(), target, host_field, ""))
        .await;
    assert_eq!(host.status().await, 401);
}
