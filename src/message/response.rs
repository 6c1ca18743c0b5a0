//! The head of a response.

use http::{HeaderMap, HeaderValue, Response, StatusCode, response};

#[cfg(any(feature = "client", feature = "tower"))]
use super::fields::SIGNATURE;
use super::{
    fields::{CONTENT_DIGEST, Lines},
    request::RequestHead,
};

/// The head of a response, and the head of the request that it answers (RFC 9421 section 2.4).
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    status: StatusCode,
    request: Option<RequestHead<'a>>,
    headers: &'a HeaderMap,
    /// Of a field that is about to be added.
    content_digest: Option<&'a HeaderValue>,
}

impl<'a> ResponseHead<'a> {
    /// The head of a response that is of another type than those of `http`, from its parts.
    #[must_use]
    pub fn new(status: StatusCode, headers: &'a HeaderMap) -> Self {
        Self {
            status,
            request: None,
            headers,
            content_digest: None,
        }
    }

    /// The request to which components with the parameter `req` belong.
    #[must_use]
    pub fn request(mut self, request: RequestHead<'a>) -> Self {
        self.request = Some(request);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether this is a 401 that nobody has signed: one more try may help, with a signature that
    /// covers more or has another time.
    #[cfg(any(feature = "client", feature = "tower"))]
    pub(crate) fn is_unsigned_401(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && !self.headers.contains_key(SIGNATURE)
    }

    pub(crate) fn answered_request(&self) -> Option<&RequestHead<'a>> {
        self.request.as_ref()
    }

    /// Sets the `Content-Digest` that the response will get.
    pub(crate) fn content_digest(mut self, value: &'a HeaderValue) -> Self {
        self.content_digest = Some(value);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.added(name).is_some() || self.headers.contains_key(name)
    }

    pub(crate) fn lines(&self, name: &str) -> Lines<'a> {
        match self.added(name) {
            None => Lines::of(self.headers, name),
            added => Lines::Only(added),
        }
    }

    fn added(&self, name: &str) -> Option<&'a HeaderValue> {
        self.content_digest
            .filter(|_| name == CONTENT_DIGEST.as_str())
    }
}

impl<'a> From<&'a response::Parts> for ResponseHead<'a> {
    fn from(parts: &'a response::Parts) -> Self {
        Self::new(parts.status, &parts.headers)
    }
}

impl<'a, B> From<&'a Response<B>> for ResponseHead<'a> {
    fn from(response: &'a Response<B>) -> Self {
        Self::new(response.status(), response.headers())
    }
}
