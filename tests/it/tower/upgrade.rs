//! Upgrades of a connection: a handler sees those that are signed, and no others.

use axum::{
    Router,
    extract::ws::{Message, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, SignOptions,
    tower::{BufferedBody, ValidateAuthLayer},
};
use http::{HeaderMap, Method, Request, StatusCode, Version, header::CONNECTION};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tower::{ServiceBuilder, service_fn};
use tower_http::map_request_body::MapRequestBodyLayer;

use crate::support::{
    capture::capture,
    layers::{layer, whole},
    request::{TestRequest, get, post, sign_options, signed, signed_with, with_header},
    wire::{Connection, head, head_for},
};

/// Adds fields as somebody on the way does, or a client that tries HTTP/2.
fn with_headers(request: TestRequest, headers: &[(&'static str, &str)]) -> TestRequest {
    headers.iter().fold(request, |request, (name, value)| {
        with_header(request, name, value)
    })
}

fn connection_of(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(CONNECTION);
    lines.iter().map(|line| line.to_str().unwrap()).collect()
}

/// A future of hyper as its server adds it.
fn on_upgrade() -> OnUpgrade {
    hyper::upgrade::on(Request::new(()))
}

/// Signs the field `upgrade`, too.
fn with_upgrade() -> SignOptions {
    sign_options().cover(http::header::UPGRADE)
}

#[tokio::test]
pub(crate) async fn pitfall_38_an_upgrade_that_is_not_signed_does_not_reach_the_service() {
    for (added, connection) in [
        (&[("upgrade", "h2c")][..], &[][..]),
        (&[("upgrade", "websocket"), ("connection", "upgrade")], &[]),
        (
            &[
                ("upgrade", "h2c"),
                ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
                ("connection", "Upgrade, HTTP2-Settings"),
            ],
            &[],
        ),
        (
            &[
                ("upgrade", "h2c"),
                ("upgrade", "websocket"),
                ("connection", "keep-alive, UPGRADE ,, x-hop,"),
                ("connection", " http2-settings"),
                ("connection", "upgraded,x-upgrade"),
            ],
            &["keep-alive, x-hop", "upgraded,x-upgrade"],
        ),
        (
            &[("upgrade", "h2c"), ("connection", "keep-alive,x-hop")],
            &["keep-alive,x-hop"],
        ),
        (&[("upgrade", "")], &[]),
    ] {
        for request in [get(), post()] {
            let request = || {
                let mut request = whole(with_headers(signed(request.clone()), added));
                request.extensions_mut().insert(on_upgrade());
                request
            };
            for seen in capture(&layer(), request).await {
                let seen = seen.expect("accepted");
                assert!(seen.extensions.get::<OnUpgrade>().is_none(), "{added:?}");
                assert!(!seen.headers.contains_key("upgrade"), "{added:?}");
                assert!(!seen.headers.contains_key("http2-settings"), "{added:?}");
                assert_eq!(connection_of(&seen.headers), connection, "{added:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_extension_alone_goes_too_and_other_fields_stay() {
    let request = || {
        let added = [("connection", "close"), ("x-upgrade", "1")];
        let mut request = whole(with_headers(signed(get()), &added));
        request.extensions_mut().insert(on_upgrade());
        request.extensions_mut().insert("of the server");
        request
    };
    for seen in capture(&layer(), request).await {
        let seen = seen.expect("accepted");
        assert!(seen.extensions.get::<OnUpgrade>().is_none());
        assert_eq!(seen.extensions.get(), Some(&"of the server"));
        assert_eq!(connection_of(&seen.headers), ["close"]);
        assert_eq!(seen.headers["x-upgrade"], "1");
    }
}

#[tokio::test]
async fn a_signed_upgrade_reaches_the_service_as_it_was_signed() {
    let handshake = || with_header(get(), "upgrade", "websocket");
    let request = |request: TestRequest| {
        let mut request = whole(with_header(request, "connection", "Upgrade"));
        request.extensions_mut().insert(on_upgrade());
        request
    };
    let genuine = || request(signed_with(handshake(), &with_upgrade()));
    for seen in capture(&layer(), genuine).await {
        let seen = seen.expect("accepted");
        assert!(seen.extensions.get::<OnUpgrade>().is_some());
        assert_eq!(seen.headers["upgrade"], "websocket");
        assert_eq!(connection_of(&seen.headers), ["Upgrade"]);
    }
    // Another protocol, or one more.
    for value in ["h2c", "websocket, h2c"] {
        let changed = || {
            let mut signed = signed_with(handshake(), &with_upgrade());
            signed
                .headers_mut()
                .insert("upgrade", value.parse().unwrap());
            request(signed)
        };
        for seen in capture(&layer(), changed).await {
            assert_eq!(seen.map(|_| ()), Err(Kind::WrongMac), "{value}");
        }
    }
}

/// Every signature covers the method, and the method is what asks for the tunnel.
#[tokio::test]
async fn a_signed_connect_keeps_its_tunnel_unless_something_unsigned_says_what_it_is() {
    let connect = |uri: &str, version| {
        let mut request = signed(
            Request::connect(uri)
                .version(version)
                .body(Vec::new())
                .unwrap(),
        );
        request.extensions_mut().insert(on_upgrade());
        whole(request)
    };
    for (uri, version, keeps) in [
        ("host.example", Version::HTTP_11, true),
        ("host.example", Version::HTTP_2, true),
        // RFC 8441: `:protocol` says what the bytes are, and no signature covers it.
        ("https://host.example/chat", Version::HTTP_2, false),
    ] {
        for seen in capture(&layer(), || connect(uri, version)).await {
            let seen = seen.expect("accepted");
            assert_eq!(seen.method, Method::CONNECT);
            assert_eq!(seen.extensions.get::<OnUpgrade>().is_some(), keeps, "{uri}");
        }
    }
}

/// A host on axum with a WebSocket that answers each message with itself, in both modes.
async fn websocket_host() -> TcpStream {
    async fn chat(upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
        match upgrade {
            Err(_) => Response::new("no upgrade".into()),
            Ok(upgrade) => upgrade.on_upgrade(async |mut socket| {
                while let Some(Ok(Message::Text(text))) = socket.recv().await {
                    let _ = socket.send(Message::Text(text)).await;
                }
            }),
        }
    }
    let app = Router::new()
        .route("/chat", any(chat).layer(layer()))
        .route("/streamed", any(chat).layer(layer().streaming()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    TcpStream::connect(address).await.unwrap()
}

/// The handshake of RFC 6455 section 1.3.
fn handshake(path: &str) -> TestRequest {
    let request = Request::get(format!("https://host.example{path}"))
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13");
    request.body(Vec::new()).unwrap()
}

#[tokio::test]
async fn a_signed_websocket_works_and_another_one_gets_a_plain_answer() {
    for path in ["/chat", "/streamed"] {
        let mut host = Connection(BufReader::new(websocket_host().await));
        host.send(&head(&signed(handshake(path)), "")).await;
        let answer = host.answer().await;
        assert_eq!((answer.status, &*answer.body), (200, "no upgrade"));

        // The connection still speaks HTTP.
        let signed = signed_with(handshake(path), &with_upgrade());
        host.send(&head(&signed, "")).await;
        assert_eq!(host.head().await.unwrap(), Some((101, 0)));
        // A text of two bytes, under a mask of zeros.
        host.send(b"\x81\x82\0\0\0\0hi").await;
        let mut echo = [0; 4];
        host.0.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"\x81\x02hi");
    }
}

/// A host on hyper whose handler answers each byte of an upgraded connection with itself.
async fn echo_host(layer: ValidateAuthLayer) -> TcpStream {
    let service = ServiceBuilder::new()
        .layer(MapRequestBodyLayer::new(BufferedBody::new))
        .layer(layer)
        .service(service_fn(async |mut request: Request<_>| {
            let is_upgrade = request.extensions().get::<OnUpgrade>().is_some();
            let is_connect = request.method() == Method::CONNECT;
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded.await?));
                let _ = tokio::io::copy(&mut from, &mut to).await;
                Ok::<_, hyper::Error>(())
            });
            let response = http::Response::builder().status(match (is_upgrade, is_connect) {
                (true, false) => StatusCode::SWITCHING_PROTOCOLS,
                _ => StatusCode::OK,
            });
            response.body(Full::new(Bytes::new()))
        }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        auto::Builder::new(TokioExecutor::new())
            .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service))
            .await
            .map_err(|error| error.to_string())
    });
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn hyper_opens_a_signed_tunnel_and_no_other() {
    let tunnel = signed(Request::connect("host.example").body(Vec::new()).unwrap());
    let asks = || with_header(get(), "upgrade", "echo");
    let by = |request: TestRequest| with_header(request, "connection", "upgrade");
    for (request, target, status) in [
        (tunnel, "host.example", Some(200)),
        (
            by(signed_with(asks(), &with_upgrade())),
            "/orders?page=2",
            Some(101),
        ),
        (by(signed(asks())), "/orders?page=2", None),
    ] {
        let mut host = Connection(BufReader::new(echo_host(layer()).await));
        let head = head_for(&request, target, "host: host.example\r\n", "");
        host.send(&head).await;
        let answer = host.head().await.unwrap();
        assert_eq!(answer, Some((status.unwrap_or(200), 0)), "{target}");
        if status.is_none() {
            // What comes next is read as a request, and is none.
            host.send(b"hi\r\n\r\n").await;
            assert_eq!(host.next().await, Some(400));
            continue;
        }
        host.send(b"hi").await;
        let mut echo = [0; 2];
        host.0.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"hi");
    }
}
