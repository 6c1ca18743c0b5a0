//! The response of a host, as it is printed.

use std::io::{self, Write};

use hmac_auth::{ResponseError, SentRequest, ValidateResponseOptions, validate_response};
use http::{HeaderMap, Response, StatusCode};

use super::Failure;

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

    /// The status, the headers, and the body as it is.
    pub(super) fn print(&self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.status)?;
        for (name, value) in &self.headers {
            // What the peer has written does no harm on a terminal.
            writeln!(out, "{name}: {}", value.as_bytes().escape_ascii())?;
        }
        writeln!(out)?;
        out.write_all(&self.body)?;
        out.flush()?;
        Ok(())
    }

    /// The status and the body only.
    pub(super) fn print_briefly(&self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.status)?;
        out.write_all(&self.body)?;
        writeln!(out)?;
        Ok(())
    }
}
