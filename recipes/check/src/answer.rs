//! The answer of a host.

use http::{HeaderMap, HeaderName, HeaderValue};

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// Reads the head.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let head = text.strip_suffix("\r\n\r\n").expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').expect("a field");
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value.trim()).expect("a value"));
        }
        let status = status.expect("a status").parse().expect("a number");
        Self { status, headers, body: String::new() }
    }

    pub(crate) fn with_body(self, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let is_chunked = self.headers.contains_key("transfer-encoding");
        Self { body: if is_chunked { joined(&body) } else { body.into_owned() }, ..self }
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }
}

/// The data of a chunked body.
fn joined(mut chunks: &str) -> String {
    let mut data = String::new();
    while let Some((len, rest)) = chunks.split_once("\r\n") {
        let len = usize::from_str_radix(len, 16).expect("a length");
        data.push_str(&rest[..len]);
        chunks = rest[len..].trim_start_matches("\r\n");
    }
    data
}
