//! Calls of `Watch` over HTTP/2, as they are on the wire.

use check::{Host, Signed, unsigned};
use http::{HeaderValue, Method, Request, Response, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// An empty `HealthCheckRequest`.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

fn watch() -> Signed {
    let mut request = unsigned(Method::POST, "/grpc.health.v1.Health/Watch", MESSAGE);
    // Over HTTP/2, the URI has the authority.
    request.headers_mut().remove(HOST);
    *request.uri_mut() = format!("https://api.example.com{}", request.uri()).parse().unwrap();
    let grpc = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", grpc);
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    request
}

async fn call(host: &Host, request: &Signed) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(host.address()).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request: Request<Full<Bytes>> = request.clone().map(Full::from);
    sender.send_request(request).await.unwrap()
}

async fn assert_refused(host: &Host, what: &str, request: &Signed) {
    let answer = call(host, request).await;
    // 16 is UNAUTHENTICATED.
    let status = answer.headers().get("grpc-status").unwrap();
    assert_eq!(status, "16", "{what}");
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn only_valid_calls_get_a_stream() {
    let host = Host::start(env!("CARGO_BIN_EXE_recipe-grpc"));
    let signed = host.sign(watch());
    let mut answer = call(&host, &signed).await;
    assert_eq!(answer.headers().get("grpc-status"), None, "it goes on");
    assert_eq!(answer.headers()["cache-control"], "private");
    // The first message comes while the stream is open: `SERVING`.
    let message = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(message[..], [0, 0, 0, 0, 2, 8, 1]);

    assert_refused(&host, "repeated", &signed).await;
    assert_refused(&host, "unsigned", &watch()).await;
    let mut altered = host.sign(watch());
    *altered.body_mut() = vec![0, 0, 0, 0, 2, 0x0a, 0];
    assert_refused(&host, "altered", &altered).await;
    let mut other = host.sign(watch());
    *other.uri_mut() = "https://api.example.com/grpc.health.v1.Health/Check".parse().unwrap();
    assert_refused(&host, "another method", &other).await;
}

/// As a client that streams would have to: without the digest of what is to come.
#[tokio::test]
async fn a_body_without_a_covered_digest_is_refused() {
    let host = Host::start(env!("CARGO_BIN_EXE_recipe-grpc"));
    let mut head = watch();
    head.body_mut().clear();
    let mut streamed = host.sign(head);
    *streamed.body_mut() = MESSAGE.to_vec();
    assert_refused(&host, "streamed", &streamed).await;
}
