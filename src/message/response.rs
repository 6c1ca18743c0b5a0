//! The head of a response.

use http::{HeaderMap, Response, StatusCode, response};

use super::{fields::Lines, request::RequestHead};

/// The head of a response, and the head of the request that it answers (RFC 9421 section 2.4).
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    status: StatusCode,
    request: Option<RequestHead<'a>>,
    headers: &'a HeaderMap,
}

impl<'a> ResponseHead<'a> {
    /// The request to which components with the parameter `req` belong.
    #[must_use]
    pub fn request(mut self, request: RequestHead<'a>) -> Self {
        self.request = Some(request);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn answered_request(&self) -> Option<&RequestHead<'a>> {
        self.request.as_ref()
    }

    pub(crate) fn lines(&self, name: &str) -> Lines<'a> {
        Lines::of(self.headers, name)
    }
}

impl<'a> From<&'a response::Parts> for ResponseHead<'a> {
    fn from(parts: &'a response::Parts) -> Self {
        Self {
            status: parts.status,
            request: None,
            headers: &parts.headers,
        }
    }
}

impl<'a, B> From<&'a Response<B>> for ResponseHead<'a> {
    fn from(response: &'a Response<B>) -> Self {
        Self {
            status: response.status(),
            request: None,
            headers: response.headers(),
        }
    }
}
