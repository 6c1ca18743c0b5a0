use std::fmt;

use http::{
    HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, Version, request, response,
    uri,
};

use super::{
    base_error::BaseError,
    class::Class,
    fields::{Fields, Known, Lines},
};
use crate::shown::shown;

/// The scheme under which clients reach a server, which may differ from what it serves itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `https`, with 443 as its default port.
    #[default]
    Https,
    /// `http`, with 80 as its default port.
    Http,
}

impl Scheme {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    fn default_port(self) -> &'static str {
        match self {
            Self::Https => ":443",
            Self::Http => ":80",
        }
    }
}

/// Stands for a `Host` that is not even text.
const NOT_TEXT: &str = "?";

/// The head of a request, as far as it can be signed; borrowed from an `http::Request` or its `Parts`.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
    pub(super) scheme: Scheme,
    fields: Fields<'a>,
    /// Where a proxy tells the authority, instead of the target and `Host`.
    forwarded_host: Option<&'a HeaderName>,
    /// Valid ones, normalised for `scheme` and in lower case.
    listed: &'a [Box<str>],
    /// Once it has been found to be valid.
    authority: Option<Authority<'a>>,
}

impl<'a> RequestHead<'a> {
    fn new(method: &'a Method, uri: &'a Uri, version: Version, headers: &'a HeaderMap) -> Self {
        let scheme = if uri.scheme() == Some(&uri::Scheme::HTTP) {
            Scheme::Http
        } else {
            Scheme::Https
        };
        Self {
            method,
            uri,
            version,
            scheme,
            fields: Fields::new(headers),
            forwarded_host: None,
            listed: &[],
            authority: None,
        }
    }

    /// The scheme under which the client reaches the server. Default: that of the URI, or `https` if it has none.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        (self.listed, self.authority) = (&[], None);
        self
    }

    /// The authorities of the host: valid, normalised for the scheme of this request and in lower case.
    pub(crate) fn listed(mut self, authorities: &'a [Box<str>]) -> Self {
        self.listed = authorities;
        self
    }

    /// The URI as the client sent it, where a router has cut the one of the request. Does not change the scheme.
    #[must_use]
    pub fn uri(mut self, uri: &'a Uri) -> Self {
        self.uri = uri;
        self.authority = None;
        self
    }

    /// The field in which a proxy tells the authority that the client has named; only the proxy may be able to write it.
    #[must_use]
    pub(crate) fn trust_forwarded_host(mut self, field: Option<&'a HeaderName>) -> Self {
        self.forwarded_host = field;
        self.authority = None;
        self
    }

    pub(crate) fn fields(&self) -> &Fields<'a> {
        &self.fields
    }

    /// Whether the request has a query that is not empty.
    pub(crate) fn has_query(&self) -> bool {
        self.uri.query().is_some_and(|query| !query.is_empty())
    }

    /// Finds the authority and keeps it.
    pub(crate) fn resolve_authority(&mut self) -> Result<Authority<'a>, BaseError> {
        let authority = self.authority()?;
        self.authority = Some(authority);
        Ok(authority)
    }

    /// The authority, from the request target or the single `Host` field; where there are both they must agree.
    pub(super) fn authority(&self) -> Result<Authority<'a>, BaseError> {
        if let Some(authority) = self.authority {
            return Ok(authority);
        }
        let of_target = match self.uri.authority() {
            Some(authority) if self.forwarded_host.is_none() => {
                Some(self.read_authority(authority.as_str().as_bytes(), || authority.as_str())?)
            }
            _ => None,
        };
        let mut hosts = match self.forwarded_host {
            Some(name) => Lines::of(self.fields.headers, name),
            None => self.fields.lines(Known::Host),
        };
        let of_host = match hosts.next() {
            Some(host) => {
                let text = || std::str::from_utf8(host.as_bytes()).unwrap_or(NOT_TEXT);
                Some(self.read_authority(host.as_bytes(), text)?)
            }
            None => None,
        };
        if hosts.next().is_some() {
            return Err(BaseError::ConflictingAuthority);
        }
        match (of_target, of_host) {
            (Some(target), Some(host)) if target != host => Err(BaseError::ConflictingAuthority),
            (Some(authority), _) | (None, Some(authority)) => Ok(authority),
            (None, None) => Err(BaseError::NoAuthority),
        }
    }

    /// Reads an authority from its bytes, or from the `text` that they are.
    #[inline]
    fn read_authority(
        &self,
        bytes: &[u8],
        text: impl FnOnce() -> &'a str,
    ) -> Result<Authority<'a>, BaseError> {
        // What is spelled like a listed one needs no parsing, which takes four times as long.
        if let Some(text) = self.listed.iter().find(|listed| listed.as_bytes() == bytes) {
            return Ok(Authority {
                text,
                has_capitals: false,
            });
        }
        let text = text();
        Authority::parse(text, self.scheme).ok_or_else(|| BaseError::InvalidAuthority {
            authority: shown(text),
        })
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

impl<'a> From<&'a request::Parts> for RequestHead<'a> {
    fn from(parts: &'a request::Parts) -> Self {
        Self::new(&parts.method, &parts.uri, parts.version, &parts.headers)
    }
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self::new(
            request.method(),
            request.uri(),
            request.version(),
            request.headers(),
        )
    }
}

/// The head of a response, and of the request it answers (RFC 9421 section 2.4).
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    pub(super) status: StatusCode,
    pub(super) request: Option<RequestHead<'a>>,
    pub(super) headers: &'a HeaderMap,
}

impl<'a> ResponseHead<'a> {
    /// The request to which components with the parameter `req` belong.
    #[must_use]
    pub fn request(mut self, request: RequestHead<'a>) -> Self {
        self.request = Some(request);
        self
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

/// `host` or `host:port`, without the default port of the scheme. Two are equal if they differ in case only.
#[derive(Clone, Copy)]
pub(crate) struct Authority<'a> {
    text: &'a str,
    /// Whether there may be capitals in it.
    has_capitals: bool,
}

impl<'a> Authority<'a> {
    /// Reads `uri-host [":" port]` of RFC 3986 as HTTP uses it: no user information, no percent-encoding, no sub-delimiters.
    pub(crate) fn parse(text: &'a str, scheme: Scheme) -> Option<Self> {
        let bytes = text.as_bytes();
        let lower = Class::LOWER_HOST.leading(bytes);
        let host_len = match bytes.strip_prefix(b"[") {
            Some(address) => {
                let len = address
                    .iter()
                    .position(|b| !(b.is_ascii_hexdigit() || matches!(b, b':' | b'.')))?;
                (len > 0 && address[len] == b']').then_some(len + 2)?
            }
            None => lower + Class::HOST.leading(&bytes[lower..]),
        };
        let (host, port) = text.split_at(host_len);
        let port_is_valid = match port.as_bytes() {
            [] => true,
            [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let shown = if port.len() <= 1 || port == scheme.default_port() {
            host
        } else {
            text
        };
        (host_len > 0 && port_is_valid).then_some(Self {
            text: shown,
            has_capitals: lower < host_len,
        })
    }

    /// As received, without the default port.
    pub(crate) fn as_str(&self) -> &'a str {
        self.text
    }

    /// Most are spelled alike, which is found out in a tenth of the time.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text || self.text.eq_ignore_ascii_case(text)
    }

    pub(super) fn push_lower_case(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.text.as_bytes());
        if self.has_capitals {
            out[start..].make_ascii_lowercase();
        }
    }
}

impl PartialEq for Authority<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        let https = |text: &'static str| {
            Authority::parse(text, Scheme::Https).map(|authority| authority.text)
        };
        for same in [
            "example.com",
            "EXAMPLE.com",
            "example.com:8443",
            "example.com:80",
            "[::1]",
            "[::1]:8080",
            "10.0.0.1:1",
            "a_b.c~",
        ] {
            assert_eq!(https(same), Some(same));
        }
        for (text, shown) in [
            ("example.com:443", "example.com"),
            ("example.com:", "example.com"),
            ("[::1]:443", "[::1]"),
        ] {
            assert_eq!(https(text), Some(shown));
        }
        assert_eq!(
            Authority::parse("example.com:80", Scheme::Http).map(|authority| authority.text),
            Some("example.com")
        );
        for bad in [
            "",
            ":443",
            "user@example.com",
            "user:pw@example.com",
            "example.com:44a",
            "example.com:443:443",
            "exa mple.com",
            "[::1",
            "[::1]x",
            "[g]",
            "::1",
            "a,b",
            "example.com/x",
            "example.com?x",
            "ex%61mple.com",
            "é.com",
            "example.com:443443",
            "[[]",
            "[]",
        ] {
            assert_eq!(https(bad), None, "{bad}");
        }
    }
}
