//! How a request goes out: byte by byte over HTTP/1.1, or over HTTP/2.

use std::{error::Error, net::SocketAddr, time::Duration};

use http::{header, request};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::case::{Case, Sending};

/// How long the consumer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

impl Case {
    /// The status of the answer.
    pub(crate) async fn send(
        &self,
        head: request::Parts,
        proxy: SocketAddr,
    ) -> Result<u16, String> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &head.headers {
            text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        let framing = match self.sending {
            Sending::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
            _ if self.body.is_empty() => String::new(),
            _ => format!("content-length: {}\r\n", self.body.len()),
        };
        text.extend(framing.bytes());
        if self.sending == Sending::WhenAsked {
            text.extend(b"expect: 100-continue\r\n");
        }
        text.extend(b"connection: close\r\n\r\n");
        let exchange = async {
            let mut stream = TcpStream::connect(proxy).await?;
            stream.write_all(&text).await?;
            let mut received = Vec::new();
            if self.sending == Sending::WhenAsked {
                stream.read_buf(&mut received).await?;
            }
            let body = if self.sending == Sending::Chunked {
                let (first, second) = self.body.split_at(5);
                [b"5\r\n", first, b"\r\n7\r\n", second, b"\r\n0\r\n\r\n"].concat()
            } else {
                self.body.to_vec()
            };
            // Refused before its end, a body cannot be written any more, but the answer is there.
            let _ = stream.write_all(&body).await;
            let _ = stream.read_to_end(&mut received).await;
            Ok::<_, std::io::Error>(received)
        };
        let received = timeout(PATIENCE, exchange)
            .await
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        final_status(&received).ok_or_else(|| "the connection was closed".to_owned())
    }

    /// The status of the answer, over HTTP/2 without TLS.
    pub(crate) async fn send_http2(
        &self,
        head: request::Parts,
        proxy: SocketAddr,
    ) -> Result<u16, String> {
        let exchange = async {
            let stream = TokioIo::new(TcpStream::connect(proxy).await?);
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            let mut request = http::Request::new(Full::new(self.body.clone()));
            *request.method_mut() = head.method;
            *request.headers_mut() = head.headers;
            request.headers_mut().remove(header::HOST);
            *request.uri_mut() = format!("http://{}{}", self.host, self.target).parse()?;
            let response = sender.send_request(request).await?;
            Ok::<_, Box<dyn Error>>(response.status().as_u16())
        };
        timeout(PATIENCE, exchange)
            .await
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())
    }
}

/// The status of the last head in an answer: `100 Continue` may come before it.
fn final_status(answer: &[u8]) -> Option<u16> {
    let mut heads = answer;
    loop {
        let status = std::str::from_utf8(heads.get(9..12)?).ok()?.parse().ok()?;
        if status >= 200 {
            return Some(status);
        }
        let end = heads.windows(4).position(|four| four == b"\r\n\r\n")?;
        heads = &heads[end + 4..];
    }
}
