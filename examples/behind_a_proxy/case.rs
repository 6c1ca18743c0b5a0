//! The requests: what proxies like to change.

use std::error::Error;

use bytes::Bytes;
use hmac_auth::{AuthErrorKind, MemorySecrets, SignOptions, sign_parts};
use http::{HeaderName, header, request};

use crate::host::ACCEPTED;

/// The name of a request, in a field that no signature covers.
pub(crate) const NAME: HeaderName = HeaderName::from_static("x-request-name");

const JSON: &[u8] = br#"{"month":11}"#;

/// `JSON`, as gzip writes it.
const GZIP: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 205, 207, 43, 201, 80, 178, 50, 52, 172, 5, 0,
    133, 62, 8, 135, 12, 0, 0, 0,
];

/// Names and values.
type Fields = [(&'static str, &'static str)];

/// A port that is no default port.
pub(crate) const OTHER_PORT: u16 = 8443;

/// One request. All paths begin with `/orders`, so that a proxy can cut that off.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    /// What is signed, where the target itself cannot be: a client percent-encodes it for signing.
    pub(crate) signed_target: Option<&'static str>,
    pub(crate) host: String,
    pub(crate) fields: &'static Fields,
    /// Further fields, which the signature covers.
    pub(crate) covered: &'static Fields,
    pub(crate) body: Bytes,
    pub(crate) sending: Sending,
    /// What the host sees if nothing changes on the way.
    pub(crate) expected: &'static str,
}

/// How the body goes out.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sending {
    WithLength,
    Chunked,
    /// After `100 Continue`.
    WhenAsked,
}

pub(crate) fn cases(authority: &str) -> Vec<Case> {
    let get = |name, target| Case {
        name,
        method: "GET",
        target,
        signed_target: None,
        host: authority.to_owned(),
        fields: &[],
        covered: &[],
        body: Bytes::new(),
        sending: Sending::WithLength,
        expected: ACCEPTED,
    };
    let post = |name, body, sending| Case {
        method: "POST",
        fields: &[("content-type", "application/json")],
        body: Bytes::from_static(body),
        sending,
        ..get(name, "/orders/7")
    };
    let raw = |name, target, signed_target| Case {
        signed_target: Some(signed_target),
        expected: AuthErrorKind::NotAscii.as_str(),
        ..get(name, target)
    };
    let of_host = |name, host| Case {
        host,
        ..get(name, "/orders/7")
    };
    let with = |name, covered| Case {
        covered,
        ..get(name, "/orders/7")
    };
    vec![
        get("get", "/orders/7?year=2026&month=11"),
        Case {
            method: "HEAD",
            ..get("head", "/orders/7")
        },
        post("post", JSON, Sending::WithLength),
        get("path-2f", "/orders/a%2fb"),
        get("path-2F", "/orders/a%2Fb"),
        get("path-7e", "/orders/a%7eb%7Ec"),
        get("path-utf8", "/orders/%c3%a9%C3%A9"),
        raw("path-raw", "/orders/\u{e9}", "/orders/%C3%A9"),
        get("path-punctuation", "/orders/a!b$c&d'(e)*f+g,h;i=j:k@l~m"),
        get("path-slashes", "/orders//7"),
        get("path-dots", "/orders/6/../7/./8"),
        get("query-2f", "/orders/?q=%2f%2F%7e%7E"),
        get("query-utf8", "/orders/?q=%c3%a9%C3%A9"),
        raw("query-raw", "/orders/?q=\u{e9}", "/orders/?q=%C3%A9"),
        get("query-space", "/orders/?q=a+b%20c"),
        get("query-order", "/orders/?b=2&a=1&b=1"),
        get("query-semicolon", "/orders/?a=1;b=2&c"),
        get("query-empty", "/orders/?"),
        of_host("host-case", authority.to_ascii_uppercase()),
        of_host("host-443", format!("{authority}:443")),
        of_host("host-8443", format!("{authority}:{OTHER_PORT}")),
        with("field-twice", &[("x-note", "a"), ("x-note", "b, c")]),
        with("field-empty", &[("x-note", "")]),
        with("field-underscore", &[("x_note", "a")]),
        Case {
            fields: &[
                ("content-type", "application/json"),
                ("content-encoding", "gzip"),
            ],
            ..post("gzip", GZIP, Sending::WithLength)
        },
        post("chunked", JSON, Sending::Chunked),
        post("expect", JSON, Sending::WhenAsked),
        Case {
            body: vec![b' '; 2_000_000].into(),
            ..post("2mb", b"", Sending::WithLength)
        },
    ]
}

impl Case {
    pub(crate) fn is_http1_only(&self) -> bool {
        self.signed_target.is_some() || self.sending != Sending::WithLength
    }

    /// The head of the request as it was signed: with `Host`, and without an authority in the URI.
    pub(crate) fn signed(&self, secrets: &MemorySecrets) -> Result<request::Parts, Box<dyn Error>> {
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(self.signed_target.unwrap_or(self.target))
            .header(header::HOST, &self.host)
            .header(NAME, self.name);
        for (name, value) in self.fields.iter().chain(self.covered) {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(())?.into_parts();
        let covered = self.covered.iter();
        let covered = covered.map(|(name, _)| HeaderName::from_static(name));
        let options = covered.fold(SignOptions::new(), SignOptions::cover);
        sign_parts(&mut head, &self.body, secrets, &options)?;
        Ok(head)
    }
}
