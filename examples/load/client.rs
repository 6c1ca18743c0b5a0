//! Clients that cost little: requests are signed and written beforehand, and of answers only the needed is read.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use hmac_auth::{MemorySecrets, SignOptions, sign_request};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::host::{AUTHORITY, REFUSED, SITES, secrets};

pub(crate) fn sign_options() -> SignOptions {
    SignOptions::new().secret_name(SITES[0]).key_id(SITES[0])
}

/// As many signed requests as asked for, each another.
pub(crate) fn signed_posts(path: &str, body: &Bytes, count: usize) -> Vec<Vec<u8>> {
    let (secrets, options) = (secrets(), sign_options());
    let one = |_| signed_post(path, body, &secrets, &options);
    (0..count).map(one).collect()
}

pub(crate) fn signed_post(
    path: &str,
    body: &Bytes,
    secrets: &MemorySecrets,
    options: &SignOptions,
) -> Vec<u8> {
    let mut request = Request::post(format!("https://{AUTHORITY}{path}"))
        .header("content-type", "application/json")
        .body(body.clone())
        .expect("a valid request");
    sign_request(&mut request, secrets, options).expect("signing works");
    wire(&request)
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
    stream: TcpStream,
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
    pub(crate) async fn call(&mut self, request: &[u8]) -> Answer {
        self.stream
            .write_all(request)
            .await
            .expect("the host reads");
        self.buffer.clear();
        loop {
            let read = self
                .stream
                .read_buf(&mut self.buffer)
                .await
                .expect("the host answers");
            assert!(read > 0, "the host has closed the connection");
            if let Some(answer) = answer(&self.buffer) {
                return answer;
            }
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) status: u16,
    /// The latency.
    pub(crate) micros: f64,
}

/// Sends each request once, over all connections as fast as they go. The results are in the order of the requests.
pub(crate) async fn send_all(
    connections: &mut Vec<Connection>,
    requests: &Arc<Vec<Vec<u8>>>,
) -> Vec<Sent> {
    let next = Arc::new(AtomicUsize::new(0));
    let run = |mut connection: Connection| {
        let (requests, next) = (requests.clone(), next.clone());
        tokio::spawn(async move {
            let mut sent = Vec::with_capacity(requests.len());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(index) else {
                    return (connection, sent);
                };
                let start = Instant::now();
                let Answer { status, .. } = connection.call(request).await;
                let micros = start.elapsed().as_secs_f64() * 1e6;
                sent.push((index, Sent { status, micros }));
            }
        })
    };
    let tasks: Vec<_> = connections.drain(..).map(run).collect();
    let mut all = vec![Sent::default(); requests.len()];
    for task in tasks {
        let (connection, sent) = task.await.expect("no panic");
        connections.push(connection);
        for (index, sent) in sent {
            all[index] = sent;
        }
    }
    all
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
