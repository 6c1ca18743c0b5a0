//! The authority of a request: `host` or `host:port`.

use crate::{escape::escape, structured::text};

/// The scheme under which clients reach a server, which may differ from the scheme that the server
/// itself speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `https`, with the default port 443; also for `wss`, whose handshake is a request of `https`.
    #[default]
    Https,
    /// `http`, with the default port 80; also for `ws`.
    Http,
}

impl Scheme {
    /// The scheme of a URI; of another one than `http` and `ws` the port 443 is expected.
    pub(super) fn of(scheme: &str) -> Self {
        if ["http", "ws"]
            .iter()
            .any(|one| scheme.eq_ignore_ascii_case(one))
        {
            Self::Http
        } else {
            Self::Https
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
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

/// `host` or `host:port`, without the default port of the scheme. Two are equal if they differ in
/// case only.
#[derive(Clone, Copy)]
pub(crate) struct Authority<'a> {
    text: &'a [u8],
    is_lower_case: bool,
}

impl<'a> Authority<'a> {
    /// Reads `uri-host [":" port]` of RFC 3986 as HTTP uses it: no user information, no
    /// percent-encoding, no sub-delimiters.
    pub(crate) fn parse(text: &'a [u8], scheme: Scheme) -> Option<Self> {
        let host_len = match text {
            [b'[', address @ ..] => {
                let is_digit = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
                let len = address.iter().position(|b| !is_digit(b))?;
                (len > 0 && address[len] == b']').then_some(len + 2)?
            }
            _ => text
                .iter()
                .position(|b| !is_of_host(*b))
                .unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(host_len);
        let port_is_valid = match port {
            [] => true,
            [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let is_default = port.len() <= 1 || port == scheme.default_port().as_bytes();
        (host_len > 0 && port_is_valid).then_some(Self {
            text: if is_default { host } else { text },
            is_lower_case: false,
        })
    }

    /// An authority that is known to be valid, in lower case, and without the default port.
    pub(super) fn normal(text: &'a [u8]) -> Self {
        Self {
            text,
            is_lower_case: true,
        }
    }

    /// The text as received, without the default port.
    pub(crate) fn as_str(self) -> &'a str {
        text(self.text)
    }

    /// Whether the authority is `text`, in whatever case.
    pub(crate) fn is(self, text: &str) -> bool {
        self.equals(text.as_bytes())
    }

    fn equals(self, text: &[u8]) -> bool {
        // Most are spelled alike, which takes a tenth of the instructions to find out.
        self.text == text || self.text.eq_ignore_ascii_case(text)
    }

    /// Writes the authority as it is signed: in lower case (RFC 9421 section 2.2.3).
    pub(crate) fn push_lower_case(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(self.text);
        if !self.is_lower_case {
            out[start..].make_ascii_lowercase();
        }
    }
}

/// `unreserved` of RFC 3986 section 2.3 and `_`.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

impl PartialEq for Authority<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other.text)
    }
}

/// Why a request has no authority that could be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// Neither the request target nor a `Host` field names an authority.
    #[error("no authority: give the URI a host, or add a `Host` field")]
    Missing,
    /// The request target and the `Host` fields name different authorities, or there are several
    /// `Host` fields.
    #[error("conflicting authorities: the URI and the `Host` fields must agree on one")]
    Conflicting,
    /// The authority is not `host` or `host:port`. User information is not allowed.
    #[error(
        "invalid authority `{authority}`: give `host` or `host:port`, without user information, and \
         an international name in its ASCII form (`xn--`)"
    )]
    Invalid {
        /// The text that stands there, escaped and cut, without user information.
        authority: String,
    },
}

impl AuthorityError {
    pub(super) fn invalid(text: &[u8]) -> Self {
        Self::Invalid {
            // Bytes that are no text cannot be shown.
            authority: escape_authority(std::str::from_utf8(text).unwrap_or("?")),
        }
    }
}

/// Escapes the text of an authority for an operator. User information may hold a password: an
/// ellipsis stands for it.
pub(crate) fn escape_authority(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{}", escape(host)),
        None => escape(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        let https = |text: &'static str| {
            Authority::parse(text.as_bytes(), Scheme::Https).map(Authority::as_str)
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
            Authority::parse(b"example.com:80", Scheme::Http).map(Authority::as_str),
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
