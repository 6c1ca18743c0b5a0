//! Refused uploads: the peer gets the answer although it reads nothing before it has sent all.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Router, routing::any};
use bytes::Bytes;
use hmac_auth::{AuthErrorKind as Kind, tower::ValidateAuthLayer};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::support::{
    layers::guard,
    request::{TestRequest, options, post, secrets, signed_as},
    server::{Host, LIMIT, Server, on_all_routes, on_all_servers, on_routes_of_hyper},
    wire::{CHUNKED, Connection, chunk, chunked, forged, head, signed_post, wire},
};

const MAX_LEN: usize = 4 << 20;

/// A host with room for large bodies, buffered under `/orders` and streamed under `/upload`.
async fn start() -> SocketAddr {
    let layer = ValidateAuthLayer::new(secrets(), options())
        .replay_guard(guard())
        .max_body_len(MAX_LEN as u64);
    let handler = any(async |body: axum::body::Body| {
        let body = body.collect().await.map(|body| body.to_bytes().len());
        body.unwrap_or(0).to_string()
    });
    let app = Router::new()
        .route("/orders", handler.clone().layer(layer.clone()))
        .route("/upload", handler.layer(layer.streaming()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

async fn connect(address: SocketAddr) -> Connection {
    Connection(BufReader::new(TcpStream::connect(address).await.unwrap()))
}

/// A body that no signature covers is refused at its first byte.
fn uncovered(path: &str, body: Vec<u8>) -> TestRequest {
    let mut request = post().map(|_| body);
    *request.uri_mut() = format!("https://host.example{path}").parse().unwrap();
    signed_as(
        request,
        r#"("@method" "@authority" "@path" "content-type");created=1700000000"#,
    )
}

#[tokio::test]
async fn whoever_sends_all_before_reading_gets_the_refusal() {
    let address = start().await;
    for path in ["/orders", "/upload"] {
        for len in [50_000, 500_000, 2_000_000] {
            for round in 0..6 {
                let mut connection = connect(address).await;
                let accepted = signed_post(path, vec![7; len]);
                connection.send(&wire(&accepted)).await;
                assert_eq!(connection.status().await, 200, "{path} {len} {round}");
                let forged = forged(signed_post(path, vec![7; len]));
                for request in [
                    wire(&forged),
                    chunked(&forged, 10_000, ""),
                    // Used up already.
                    wire(&accepted),
                    chunked(&uncovered(path, vec![7; len]), 10_000, ""),
                ] {
                    connection.send(&request).await;
                    assert_eq!(connection.status().await, 401, "{path} {len} {round}");
                }
                // All of it was read, so the connection is as good as before.
                connection.send(&wire(&signed_post(path, "12345"))).await;
                assert_eq!(connection.answer().await.body, "5", "{path} {len} {round}");
            }
        }
    }
}

/// A stream ends without its connection, so nothing is read there, and nothing is closed.
#[tokio::test]
async fn over_http2_a_refusal_comes_without_closing_the_connection() {
    let address = start().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut http2, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for path in ["/orders", "/upload"] {
        for len in [50_000, 500_000, 2_000_000, MAX_LEN + 1] {
            for (request, status) in [
                (forged(signed_post(path, vec![7; len])), 401),
                (signed_post(path, "12345"), 200),
            ] {
                let request = request.map(|body| Full::new(Bytes::from(body)));
                let response = http2.send_request(request).await.unwrap();
                assert_eq!(response.status(), status, "{path} {len}");
                assert!(!response.headers().contains_key("connection"));
                response.into_body().collect().await.unwrap();
            }
        }
    }
}

/// What the head of an answer says about the connection, and how long the answer took.
async fn answer(mut connection: Connection) -> (String, Duration) {
    let began = Instant::now();
    let mut text = Vec::new();
    // The host closes: what it has not read may reset the connection.
    let _ = connection.0.read_to_end(&mut text).await;
    (String::from_utf8(text).unwrap(), began.elapsed())
}

#[track_caller]
fn assert_closed(answer: &str, status: u16) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn what_is_not_read_closes_the_connection_at_once() {
    on_routes_of_hyper(async |host, route| {
        let request = forged(signed_post(route, vec![7; 10]));
        let too_long = format!("content-length: {}\r\n", LIMIT + 1);
        let right = signed_post(route, vec![7; LIMIT + 1]);
        for (request, framing, status) in [
            (
                &request,
                "expect: 100-continue\r\ncontent-length: 10\r\n",
                401,
            ),
            (
                &request,
                "Expect: 100-Continue\r\ntransfer-encoding: chunked\r\n",
                401,
            ),
            (&request, &*too_long, 401),
            (&right, &*too_long, 413),
        ] {
            let mut connection = host.connect().await;
            connection.send(&head(request, framing)).await;
            let (answer, time) = answer(connection).await;
            assert_closed(&answer, status);
            assert!(time < Duration::from_millis(700), "{time:?} {framing}");
        }
        assert_eq!((host.handled(), host.seen().body_bytes), (0, 0));
    })
    .await;
}

/// Without the head of a body, or with one that is over, the connection stays.
#[tokio::test]
async fn nothing_is_closed_without_need() {
    on_all_routes(async |host, route| {
        let mut connection = host.connect().await;
        for framing in ["", "content-length: 0\r\n", "expect: 100-continue\r\n"] {
            let request = forged(signed_post(route, ""));
            connection.send(&head(&request, framing)).await;
            if host.server == Server::Actix && framing.starts_with("expect") {
                assert_eq!(connection.status().await, 100);
            }
            assert_eq!(connection.status().await, 401, "{framing}");
        }
        assert_eq!(host.seen().connections, 1);
    })
    .await;
}

#[tokio::test]
async fn a_refused_body_is_read_no_further_than_the_limit() {
    const CHUNK: usize = 16 * 1024;
    on_all_routes(async |host, route| {
        for len in [LIMIT - CHUNK, LIMIT] {
            let mut connection = host.connect().await;
            let request = forged(signed_post(route, vec![7; len]));
            connection.send(&chunked(&request, CHUNK, "")).await;
            assert_eq!(connection.status().await, 401);
            assert_eq!(std::mem::take(&mut host.seen().body_bytes), len);
            connection.send(&wire(&signed_post(route, "1"))).await;
            assert_eq!(connection.answer().await.body, "1");
            host.seen().body_bytes = 0;
        }
        let request = forged(signed_post(route, ""));
        let (mut read, mut write) = TcpStream::connect(host.address).await.unwrap().into_split();
        write.write_all(&head(&request, CHUNKED)).await.unwrap();
        let endless = tokio::spawn(async move {
            let chunk = chunk(&[7; CHUNK]);
            while write.write_all(&chunk).await.is_ok() {
                tokio::task::yield_now().await;
            }
        });
        let mut answer = [0; 12];
        read.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
        endless.await.unwrap();
        let taken = host.seen().body_bytes;
        assert!((LIMIT..=LIMIT + CHUNK).contains(&taken), "{taken} bytes");
    })
    .await;
}

/// A peer that sends nothing waits for the answer, as after `Expect`, but without saying so.
#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_a_second() {
    on_all_servers(async |host| {
        let mut connection = host.connect().await;
        let request = forged(signed_post("/orders", vec![7; 10]));
        connection
            .send(&head(&request, "content-length: 10\r\n"))
            .await;
        let (answer, time) = answer(connection).await;
        assert_closed(&answer, 401);
        // Some versions of actix leave the peer a second to read the answer.
        let linger = if host.server == Server::Actix {
            1_000
        } else {
            0
        };
        assert!(time < Duration::from_millis(1_500 + linger), "{time:?}");
    })
    .await;
}

#[tokio::test]
async fn a_slow_body_is_waited_for_five_seconds() {
    on_all_servers(slow_bodies_are_waited_for).await;
}

async fn slow_bodies_are_waited_for(host: Host) {
    let request = forged(signed_post("/orders", vec![7; 1000]));
    let slow = async |pieces: u32| {
        let began = Instant::now();
        let stream = TcpStream::connect(host.address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let head = head(&request, "content-length: 1000\r\n");
        write.write_all(&head).await.unwrap();
        let sent = async {
            for _ in 0..pieces {
                if write
                    .write_all(&vec![7; 1000 / pieces as usize])
                    .await
                    .is_err()
                {
                    break;
                }
                sleep(Duration::from_millis(700)).await;
            }
        };
        let answered = async {
            let mut answer = vec![0; 512];
            let len = read.read(&mut answer).await.unwrap();
            (
                String::from_utf8_lossy(&answer[..len]).into_owned(),
                began.elapsed(),
            )
        };
        tokio::join!(sent, answered).1
    };
    let ((slow, slow_time), (slower, slower_time)) = timeout(Duration::from_secs(30), async {
        tokio::join!(slow(5), slow(20))
    })
    .await
    .expect("nothing hangs");
    assert!(
        slow.starts_with("HTTP/1.1 401 ") && !slow.contains("close"),
        "{slow}"
    );
    assert!(slow_time < Duration::from_millis(3_400), "{slow_time:?}");
    assert_closed(&slower, 401);
    let seconds = Duration::from_secs(4)..Duration::from_millis(5_600);
    assert!(seconds.contains(&slower_time), "{slower_time:?}");
    assert_eq!(host.refusals(), [Kind::WrongMac; 2]);
}
