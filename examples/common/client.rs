//! Connections that cost little: of answers, only the needed is read.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use hmac_auth::SignOptions;
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::host::{AUTHORITY, REFUSED, SITES};

pub(crate) fn sign_options() -> SignOptions {
    SignOptions::new().secret_name(SITES[0]).key_id(SITES[0])
}

/// As HTTP/1.1 writes it.
pub(crate) fn wire(request: &Request<Bytes>) -> Vec<u8> {
    let mut text = head(request, request.body().len());
    text.extend(request.body());
    text
}

pub(crate) fn head<B>(request: &Request<B>, content_length: usize) -> Vec<u8> {
    let target = request.uri().path_and_query().expect("a path");
    let mut text = format!(
        "{} {target} HTTP/1.1\r\nhost: {AUTHORITY}\r\ncontent-length: {content_length}\r\n",
        request.method()
    )
    .into_bytes();
    for (name, value) in request.headers() {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    text
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The kind of the refusal.
    pub(crate) refused: Option<String>,
}

impl Connection {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the host listens");
        stream.set_nodelay(true).expect("an option of TCP");
        Self {
            stream,
            buffer: Vec::with_capacity(4096),
        }
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = answer(&self.buffer) {
                return Ok(answer);
            }
        }
    }
}

/// Reads an answer if it is complete.
pub(crate) fn answer(bytes: &[u8]) -> Option<Answer> {
    let head_len = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_len]).expect("axum writes ASCII");
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let body_len: usize = field("content-length").map_or(0, |len| len.parse().expect("a number"));
    let is_complete = bytes.len() >= head_len + body_len;
    let status = head[9..12].parse().expect("a number");
    is_complete.then(|| Answer {
        status,
        refused: field(REFUSED.as_str()).map(str::to_owned),
    })
}
