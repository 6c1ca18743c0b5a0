//! The response of a host, as it is printed.

use std::io::{self, IsTerminal, Write};

use hmac_auth::{ResponseError, SentRequest, ValidateResponseOptions, validate_response};
use http::{HeaderMap, Response, StatusCode};

use super::{Failure, printed};

/// A response with its whole body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether the host has signed this as the answer to that request.
    pub(super) fn validate(&self, sent: &SentRequest) -> Result<(), ResponseError> {
        let mut response = Response::new(&self.body);
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        validate_response(&response, sent, &ValidateResponseOptions::new()).map(|_| ())
    }

    /// Writes the status, the headers and the body; or briefly, without the headers.
    pub(super) fn print_to(&self, out: &mut Output, is_brief: bool) -> Result<(), Failure> {
        printed(self.write_to(out, is_brief))
    }

    fn write_to(&self, out: &mut Output, is_brief: bool) -> io::Result<()> {
        let to = &mut out.to;
        writeln!(to, "{}", self.status)?;
        if !is_brief {
            for (name, value) in &self.headers {
                writeln!(to, "{name}: {}", printable(value.as_bytes()))?;
            }
            writeln!(to)?;
        }
        if out.is_terminal {
            to.write_all(harmless(&self.body).as_bytes())?;
        } else {
            to.write_all(&self.body)?;
        }
        if is_brief {
            writeln!(to)?;
        }
        to.flush()
    }
}

/// Where a response is printed.
pub(super) struct Output {
    to: Box<dyn Write>,
    is_terminal: bool,
}

impl Output {
    pub(super) fn stdout() -> Self {
        let to = io::stdout().lock();
        Self {
            is_terminal: to.is_terminal(),
            to: Box::new(to),
        }
    }

    pub(super) fn stderr() -> Self {
        let to = io::stderr().lock();
        Self {
            is_terminal: to.is_terminal(),
            to: Box::new(to),
        }
    }
}

/// A body in which no character controls a terminal.
fn harmless(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for c in String::from_utf8_lossy(body).chars() {
        match c {
            '\n' | '\t' => text.push(c),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}

/// A value of the peer as the peer has written it, but for bytes that a terminal could obey.
fn printable(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    text
}
