//! The head of a request.

use std::fmt;

use http::{HeaderMap, Method, Request, Uri, Version, request, uri};

use super::{
    authority::{Authority, AuthorityError, Scheme},
    fields::{Fields, KnownField, Lines},
};

/// The head of a request, as far as it can be signed; borrowed from an `http::Request`, its `Parts`,
/// or [the parts of another type](Self::new).
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    scheme: Scheme,
    fields: Fields<'a>,
    /// The authority, if it has been found already.
    authority: Option<Authority<'a>>,
}

impl<'a> RequestHead<'a> {
    /// The head of a request that is of another type than those of `http`, from its parts.
    ///
    /// The URI is the target as it was received, with path and query byte by byte. Over HTTP/2, it
    /// has the authority, too.
    ///
    /// ```
    /// use hmac_auth::signature::RequestHead;
    /// use http::{HeaderMap, Method, Uri, Version};
    ///
    /// let uri = Uri::from_static("/orders?page=2");
    /// let headers = HeaderMap::new();
    /// let head =
    ///     RequestHead::new(&Method::GET, &uri, Version::HTTP_11, &headers);
    /// # let _ = head;
    /// ```
    #[inline]
    #[must_use]
    pub fn new(method: &'a Method, uri: &'a Uri, version: Version, headers: &'a HeaderMap) -> Self {
        let scheme = match uri.scheme_str() {
            None | Some("https") => Scheme::Https,
            Some(other) => Scheme::of(other),
        };
        Self {
            method,
            uri,
            version,
            scheme,
            fields: Fields::new(headers),
            authority: None,
        }
    }

    /// The scheme under which the client reaches the server. Default: the scheme of the URI, where
    /// `ws` is `http` and `wss` is `https`, or `https` if the URI has none.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.set_scheme(scheme);
        self
    }

    pub(crate) fn set_scheme(&mut self, scheme: Scheme) {
        self.scheme = scheme;
        self.authority = None;
    }

    /// The URI as the client sent it, where a router has cut the URI of the request. The scheme
    /// stays.
    #[must_use]
    pub fn uri(mut self, uri: &'a Uri) -> Self {
        self.uri = uri;
        self.authority = None;
        self
    }

    /// Sets the scheme, where the URI has none. The scheme of the URI wins.
    pub(crate) fn set_scheme_without_uri(&mut self, scheme: Scheme) {
        if self.uri.scheme().is_none() {
            self.set_scheme(scheme);
        }
    }

    /// Sets the authority, found elsewhere or found before.
    pub(crate) fn set_authority(&mut self, authority: Authority<'a>) {
        self.authority = Some(authority);
    }

    pub(crate) fn fields(&self) -> &Fields<'a> {
        &self.fields
    }

    pub(crate) fn method(&self) -> &'a str {
        self.method.as_str()
    }

    /// Whether `Content-Length` says that a body follows.
    pub(crate) fn announces_body(&self) -> bool {
        let mut lines = self.fields.lines(KnownField::ContentLength);
        lines.any(|line| line.iter().any(|byte| matches!(byte, b'1'..=b'9')))
    }

    pub(crate) fn external_scheme(&self) -> &'static str {
        self.scheme.as_str()
    }

    /// The path. An empty one is `/` (RFC 9421 section 2.2.6).
    pub(crate) fn path(&self) -> &'a str {
        match self.uri.path() {
            "" => "/",
            path => path,
        }
    }

    pub(crate) fn query(&self) -> Option<&'a str> {
        self.uri.query()
    }

    /// The scheme and the authority with which the target of the request line begins (RFC 9421
    /// section 2.2.5).
    ///
    /// `CONNECT` has the authority alone. The absolute form of HTTP/1.1, which is for proxies,
    /// begins with the scheme. HTTP/2 and HTTP/3 send neither.
    pub(crate) fn target_start(&self) -> (Option<&'a str>, Option<&'a str>) {
        let authority = self.uri.authority().map(uri::Authority::as_str);
        match self.uri.scheme_str() {
            None => (None, authority),
            scheme if self.version <= Version::HTTP_11 => (scheme, authority),
            _ => (None, None),
        }
    }

    /// The authority of the URI, as it is spelled there.
    pub(crate) fn authority_of_target(&self) -> Option<&'a str> {
        self.uri.authority().map(uri::Authority::as_str)
    }

    /// The authority, from the request target or the single `Host` field. Where there are both,
    /// they must agree.
    pub(crate) fn authority(&self) -> Result<Authority<'a>, AuthorityError> {
        if let Some(authority) = self.authority {
            return Ok(authority);
        }
        let of_host = self.authority_in(self.fields.lines(KnownField::Host));
        let Some(of_target) = self.uri.authority() else {
            return of_host;
        };
        let of_target = self.read_authority(of_target.as_str().as_bytes())?;
        match of_host {
            Err(AuthorityError::Missing) => Ok(of_target),
            Ok(host) if host != of_target => Err(AuthorityError::Conflicting),
            of_host => of_host,
        }
    }

    /// The authority, if it is spelled like one of `known`, which are in normal form, and if only
    /// one place names it.
    ///
    /// Most requests are spelled so. To read the authority of all others takes 250 instructions
    /// more.
    pub(crate) fn known_authority(&self, known: &[Box<str>]) -> Option<Authority<'a>> {
        let mut hosts = self.fields.lines(KnownField::Host);
        let of_target = self
            .uri
            .authority()
            .map(|authority| authority.as_str().as_bytes());
        let ((Some(text), None, _) | (None, Some(text), None)) =
            (of_target, hosts.next(), hosts.next())
        else {
            return None;
        };
        let is_known = known.iter().any(|one| one.as_bytes() == text);
        is_known.then_some(Authority::normal(text))
    }

    /// The authority in a field that must have one line.
    pub(crate) fn authority_in(
        &self,
        mut lines: Lines<'a>,
    ) -> Result<Authority<'a>, AuthorityError> {
        let line = lines.next().ok_or(AuthorityError::Missing)?;
        let authority = self.read_authority(line)?;
        match lines.next() {
            Some(_) => Err(AuthorityError::Conflicting),
            None => Ok(authority),
        }
    }

    /// Reads a text under the scheme of this request.
    pub(crate) fn read_authority<'t>(
        &self,
        text: &'t [u8],
    ) -> Result<Authority<'t>, AuthorityError> {
        Authority::parse(text, self.scheme).ok_or_else(|| AuthorityError::invalid(text))
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
    #[inline]
    fn from(parts: &'a request::Parts) -> Self {
        Self::new(&parts.method, &parts.uri, parts.version, &parts.headers)
    }
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    #[inline]
    fn from(request: &'a Request<B>) -> Self {
        Self::new(
            request.method(),
            request.uri(),
            request.version(),
            request.headers(),
        )
    }
}
