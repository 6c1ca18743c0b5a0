//! HTTP/1.1 by hand: requests as bytes, and the answers of a connection.

use std::{future::Future, io};

use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::support::request::{TestRequest, post, signed};

/// HTTP/1.1 by hand.
pub(crate) struct Connection(pub(crate) BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let (status, len) = self.head().await.unwrap().expect("an answer");
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).await.unwrap();
        Answer {
            status,
            body: String::from_utf8(body).unwrap(),
        }
    }

    pub(crate) async fn status(&mut self) -> u16 {
        self.answer().await.status
    }

    /// The status of an answer without a body, and the length it tells; `None` at the end of the
    /// connection.
    pub(crate) async fn head(&mut self) -> io::Result<Option<(u16, usize)>> {
        let mut status = None;
        let mut len = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                assert_eq!(status, None, "the connection ends within an answer");
                return Ok(None);
            }
            match (
                status,
                line.trim_end().to_ascii_lowercase().split_once([':', ' ']),
            ) {
                (None, Some(("http/1.1", rest))) => status = rest[..3].parse().ok(),
                (Some(_), Some(("content-length", value))) => len = value.trim().parse().unwrap(),
                (Some(status), None) => return Ok(Some((status, len))),
                (Some(_), Some(_)) => {}
                (None, _) => panic!("not an answer: {line:?}"),
            }
        }
    }

    /// The status of the next answer, unless the host has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<u16> {
        let (status, len) = self.head().await.ok()??;
        self.0.read_exact(&mut vec![0; len]).await.ok()?;
        Some(status)
    }
}

/// The whole answer over HTTP/2.
pub(crate) async fn answered(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
) -> Answer {
    let (parts, body) = response.await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        body: String::from_utf8(body.into()).unwrap(),
    }
}

/// The head as HTTP/1.1 writes it, with the fields of the framing.
pub(crate) fn head(request: &TestRequest, framing: &str) -> Vec<u8> {
    head_for(
        request,
        request.uri().path_and_query().unwrap().as_str(),
        "host: host.example\r\n",
        framing,
    )
}

pub(crate) fn head_for(request: &TestRequest, target: &str, host: &str, framing: &str) -> Vec<u8> {
    let mut text =
        format!("{} {target} HTTP/1.1\r\n{host}{framing}", request.method()).into_bytes();
    for (name, value) in request.headers() {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    text
}

pub(crate) fn wire(request: &TestRequest) -> Vec<u8> {
    let framing = match request.body().len() {
        0 => String::new(),
        len => format!("content-length: {len}\r\n"),
    };
    [&head(request, &framing), request.body().as_slice()].concat()
}

pub(crate) const CHUNKED: &str = "transfer-encoding: chunked\r\n";

pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// A whole chunked request.
pub(crate) fn chunked(request: &TestRequest, chunk_len: usize, trailers: &str) -> Vec<u8> {
    let chunks: Vec<u8> = request.body().chunks(chunk_len).flat_map(chunk).collect();
    [
        &head(request, CHUNKED),
        &*chunks,
        format!("0\r\n{trailers}\r\n").as_bytes(),
    ]
    .concat()
}

pub(crate) fn signed_post(path: &str, body: impl Into<Vec<u8>>) -> TestRequest {
    let mut request = post();
    *request.uri_mut() = format!("https://host.example{path}").parse().unwrap();
    *request.body_mut() = body.into();
    signed(request)
}

/// A request with a signature that is not its own.
pub(crate) fn forged(mut request: TestRequest) -> TestRequest {
    *request.uri_mut() = format!(
        "{}?forged",
        request.uri().to_string().split('?').next().unwrap()
    )
    .parse()
    .unwrap();
    request
}
