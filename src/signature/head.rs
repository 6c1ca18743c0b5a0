use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, header::HOST, request, response, uri};

use super::base::BaseError;

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

/// The head of a request, as far as it can be signed; borrowed from an `http::Request` or its `Parts`.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
    pub(super) scheme: Scheme,
    headers: &'a HeaderMap,
}

impl<'a> RequestHead<'a> {
    fn new(method: &'a Method, uri: &'a Uri, version: Version, headers: &'a HeaderMap) -> Self {
        let scheme = if uri.scheme() == Some(&uri::Scheme::HTTP) { Scheme::Http } else { Scheme::Https };
        Self { method, uri, version, scheme, headers }
    }

    /// The scheme under which the client reaches the server. Default: that of the URI, or `https` if it has none.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    pub(crate) fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// Whether the request has a query that is not empty.
    pub(crate) fn has_query(&self) -> bool {
        self.uri.query().is_some_and(|query| !query.is_empty())
    }

    /// The authority, from the request target or the single `Host` field; where there are both they must agree.
    pub(crate) fn authority(&self) -> Result<Authority<'a>, BaseError> {
        let of_target = match self.uri.authority() {
            Some(authority) => Some(self.parse_authority(authority.as_str())?),
            None => None,
        };
        let mut hosts = self.headers.get_all(HOST).iter();
        let of_host = match hosts.next() {
            Some(host) => Some(self.parse_authority(host.to_str().map_err(|_| BaseError::InvalidAuthority)?)?),
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

    fn parse_authority(&self, text: &'a str) -> Result<Authority<'a>, BaseError> {
        Authority::parse(text, self.scheme).ok_or(BaseError::InvalidAuthority)
    }
}

impl<'a> From<&'a request::Parts> for RequestHead<'a> {
    fn from(parts: &'a request::Parts) -> Self {
        Self::new(&parts.method, &parts.uri, parts.version, &parts.headers)
    }
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self::new(request.method(), request.uri(), request.version(), request.headers())
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
        Self { status: parts.status, request: None, headers: &parts.headers }
    }
}

impl<'a, B> From<&'a Response<B>> for ResponseHead<'a> {
    fn from(response: &'a Response<B>) -> Self {
        Self { status: response.status(), request: None, headers: response.headers() }
    }
}

/// `host` or `host:port`, without the default port of the scheme. Two are equal if they differ in case only.
#[derive(Clone, Copy)]
pub(crate) struct Authority<'a>(&'a str);

impl<'a> Authority<'a> {
    /// Reads `uri-host [":" port]` of RFC 3986 as HTTP uses it: no user information, no percent-encoding, no sub-delimiters.
    pub(crate) fn parse(text: &'a str, scheme: Scheme) -> Option<Self> {
        let host_len = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
        let (host, port) = text.split_at(host_len);
        let host_is_valid = match host.strip_prefix('[') {
            Some(address) => address[..address.len() - 1].bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')),
        };
        let port_is_valid = match port.strip_prefix(':') {
            Some(digits) => digits.len() <= 5 && digits.bytes().all(|digit| digit.is_ascii_digit()),
            None => port.is_empty(),
        };
        let shown = if port.len() <= 1 || port == scheme.default_port() { host } else { text };
        (host_is_valid && port_is_valid).then_some(Self(shown))
    }

    /// As received, without the default port.
    pub(crate) fn as_str(&self) -> &'a str {
        self.0
    }

    pub(super) fn push_lower_case(&self, out: &mut String) {
        let start = out.len();
        out.push_str(self.0);
        out[start..].make_ascii_lowercase();
    }
}

impl PartialEq for Authority<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        let https = |text: &'static str| Authority::parse(text, Scheme::Https).map(|authority| authority.0);
        for same in
            ["example.com", "EXAMPLE.com", "example.com:8443", "example.com:80", "[::1]", "[::1]:8080", "10.0.0.1:1", "a_b.c~"]
        {
            assert_eq!(https(same), Some(same));
        }
        for (text, shown) in [("example.com:443", "example.com"), ("example.com:", "example.com"), ("[::1]:443", "[::1]")] {
            assert_eq!(https(text), Some(shown));
        }
        assert_eq!(Authority::parse("example.com:80", Scheme::Http).map(|authority| authority.0), Some("example.com"));
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
        ] {
            assert_eq!(https(bad), None, "{bad}");
        }
    }
}
