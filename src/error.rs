//! Errors, for three readers: the one who builds, the one who operates, and the peer, who learns nothing.

use std::{error::Error as StdError, fmt};

use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    digest::DigestError,
    secret::SecretError,
    signature::{ACCEPT_SIGNATURE, BaseError, SyntaxError},
    validate::ValidateOptions,
};

/// Why a request could not be signed. The request is as it was. What is wrong, and the remedy, may stand in the
/// [`source`](std::error::Error::source): print the sources too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// There is no secret to sign with.
    #[error("no secret to sign with")]
    Secret(#[from] SecretError),
    /// A component cannot be signed: no authority, a field that is absent, a value that is not ASCII.
    #[error("the request cannot be signed")]
    Component(#[from] BaseError),
    /// A field that signing itself changes.
    #[error("`{name}` cannot be covered: signing changes it")]
    NotCoverable {
        /// The name of the field.
        name: String,
    },
    /// More components than a host accepts.
    #[error(
        "{count} components, at most {} are accepted: cover fewer fields",
        crate::signature::MAX_COMPONENTS
    )]
    TooManyComponents {
        /// How many there would be.
        count: usize,
    },
    /// The request has a `Content-Digest` that is not that of the body.
    #[error(
        "the `Content-Digest` of the request is not that of its body: remove it, or set it after the last change of the body"
    )]
    WrongDigest,
    /// The request has a `Content-Digest` that cannot be read or has no supported algorithm.
    #[error(
        "the `Content-Digest` of the request has no readable `sha-256` or `sha-512`: remove it, and one is added"
    )]
    UnusableDigest,
    /// The request already has a signature with this label.
    #[error(
        "the label `{label}` is taken by another signature of the request: choose one with `SignOptions::label`"
    )]
    LabelTaken {
        /// The label.
        label: String,
    },
    /// The request has signature fields that cannot be read.
    #[error("the request has a malformed `Signature-Input` or `Signature` field: remove it")]
    MalformedSignature(#[source] SyntaxError),
    /// A label, key id or tag that cannot be written.
    #[error("{parameter} `{value}` cannot be written: {remedy}")]
    InvalidParameter {
        /// Which option of [`SignOptions`](crate::SignOptions) it is.
        parameter: &'static str,
        /// The value, escaped and cut.
        value: String,
        /// What it must be.
        remedy: &'static str,
    },
    /// The signature fields would be larger than a host accepts.
    #[error(
        "the `Signature-Input` would have more than 8 KiB: shorten the key id or the tag, or cover fewer fields"
    )]
    TooLarge,
    /// The time, or the time of expiry, is outside of what an integer of RFC 8941 holds.
    #[error("the time of the signature is out of range")]
    TimeOutOfRange,
    /// With those that are added, the request has more header fields than `http` can hold.
    #[error("the request has more header fields than `http` can hold")]
    TooManyFields,
    /// The operating system gives no random bytes for the nonce.
    #[error("the operating system gives no random bytes for the nonce")]
    Random(#[source] std::io::Error),
}

/// Why a request was refused, in one word.
///
/// For logs, metrics and tests; the peer must not learn it. Each kind has one cause. They are declared by how far a request came, with
/// the host's own trouble last: of the refusals of several signatures, the one declared last is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// There is no signature at all.
    MissingSignature,
    /// The `Signature-Input` field is not what RFC 9421 and the limits of this crate allow.
    MalformedSignatureInput,
    /// The `Signature` field is not a dictionary of byte sequences, or the signature that counts is not 32 bytes.
    MalformedSignature,
    /// A label stands in only one of `Signature-Input` and `Signature`.
    UnpairedLabel,
    /// More than four signatures could be meant for this host.
    TooManyCandidates,
    /// No signature has a key id that the host lists.
    UnknownKeyId,
    /// No signature has the tag that the host asks for.
    WrongTag,
    /// The signature names another algorithm than `hmac-sha256`.
    UnsupportedAlgorithm,
    /// The signature does not cover what it must.
    NotCovered,
    /// The signature does not say when it was made.
    MissingCreated,
    /// The signature was made too long ago.
    Stale,
    /// The signature was made in the future: a clock is wrong.
    InFuture,
    /// The signature has expired by its own account.
    Expired,
    /// The request names no authority.
    MissingAuthority,
    /// The request target and the `Host` fields do not agree on one authority.
    ConflictingAuthority,
    /// The authority is not `host` or `host:port`.
    InvalidAuthority,
    /// The request is for an authority that the host does not list.
    UnlistedAuthority,
    /// The body is larger than the host accepts.
    BodyTooLarge,
    /// The signature covers a component that is not defined for requests or not implemented.
    UnsupportedComponent,
    /// A covered field or query parameter is not in the request.
    AbsentComponent,
    /// The value of a covered component is not ASCII.
    NotAscii,
    /// A covered field or all of them together are too large.
    TooLarge,
    /// No accepted secret gives this signature for this request: another secret, or something was changed.
    WrongMac,
    /// There is a body, but the signature covers no digest of it.
    BodyNotCovered,
    /// The body has trailers, which no signature covers.
    TrailersNotCovered,
    /// The body cannot be read: mostly, the peer has gone away.
    BodyUnreadable,
    /// The body is not as long as its `Content-Length` says.
    WrongContentLength,
    /// The `Content-Digest` field is not a dictionary of byte sequences, or a digest has the wrong length.
    MalformedDigest,
    /// The `Content-Digest` field has neither `sha-256` nor `sha-512`.
    UnsupportedDigest,
    /// The body is not the one that was signed.
    WrongDigest,
    /// The signature was used before.
    Replayed,
    /// The signature was made before the replay guard was started: it may have been used before.
    BeforeGuardStart,
    /// The replay guard has no room; it refuses what it could not remember.
    ReplayGuardFull,
    /// The replay guard cannot be reached.
    ReplayGuardUnavailable,
    /// The secret cannot be had: not configured, not usable, or its store is unavailable.
    SecretUnavailable,
    /// The options of the host contradict themselves; nothing can be validated.
    Misconfigured,
}

impl AuthErrorKind {
    /// The kind in `snake_case`, for logs and metrics. Never changes for a kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignatureInput => "malformed_signature_input",
            Self::MalformedSignature => "malformed_signature",
            Self::UnpairedLabel => "unpaired_label",
            Self::TooManyCandidates => "too_many_candidates",
            Self::UnknownKeyId => "unknown_key_id",
            Self::WrongTag => "wrong_tag",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::UnsupportedComponent => "unsupported_component",
            Self::NotCovered => "not_covered",
            Self::MissingCreated => "missing_created",
            Self::Stale => "stale",
            Self::InFuture => "in_future",
            Self::Expired => "expired",
            Self::MissingAuthority => "missing_authority",
            Self::ConflictingAuthority => "conflicting_authority",
            Self::InvalidAuthority => "invalid_authority",
            Self::UnlistedAuthority => "unlisted_authority",
            Self::BodyTooLarge => "body_too_large",
            Self::AbsentComponent => "absent_component",
            Self::NotAscii => "not_ascii",
            Self::TooLarge => "too_large",
            Self::WrongMac => "wrong_mac",
            Self::BodyNotCovered => "body_not_covered",
            Self::TrailersNotCovered => "trailers_not_covered",
            Self::BodyUnreadable => "body_unreadable",
            Self::WrongContentLength => "wrong_content_length",
            Self::MalformedDigest => "malformed_digest",
            Self::UnsupportedDigest => "unsupported_digest",
            Self::WrongDigest => "wrong_digest",
            Self::Replayed => "replayed",
            Self::BeforeGuardStart => "before_guard_start",
            Self::ReplayGuardFull => "replay_guard_full",
            Self::ReplayGuardUnavailable => "replay_guard_unavailable",
            Self::SecretUnavailable => "secret_unavailable",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// What the operator reads first.
    fn sentence(self) -> &'static str {
        match self {
            Self::MissingSignature => "the request is not signed",
            Self::MalformedSignatureInput => "the Signature-Input field is malformed",
            Self::MalformedSignature => "the Signature field is malformed",
            Self::UnpairedLabel => "a label is not in both Signature-Input and Signature",
            Self::TooManyCandidates => "more than 4 signatures could be meant for this host",
            Self::UnknownKeyId => "the key id is not listed here",
            Self::WrongTag => "the tag is not the one asked for",
            Self::UnsupportedAlgorithm => "the algorithm is not hmac-sha256",
            Self::UnsupportedComponent => "a covered component is not supported",
            Self::NotCovered => "a required component is not covered",
            Self::MissingCreated => "the signature has no `created` time",
            Self::Stale => "the signature is too old",
            Self::InFuture => "the signature was made in the future: compare the clocks",
            Self::Expired => "the signature has expired",
            Self::MissingAuthority => "the request names no authority",
            Self::ConflictingAuthority => "the request names several authorities",
            Self::InvalidAuthority => "the authority is not `host` or `host:port`",
            Self::UnlistedAuthority => "the authority is not one of this host's",
            Self::BodyTooLarge => "the body is too large",
            Self::AbsentComponent => "a covered component is not in the request",
            Self::NotAscii => "the value of a covered component is not ASCII",
            Self::TooLarge => "the covered components are too large",
            Self::WrongMac => {
                "the signature does not match: another secret, or the request was changed (compare signature bases)"
            }
            Self::BodyNotCovered => "there is a body, but no covered Content-Digest",
            Self::TrailersNotCovered => "the body has trailers, which no signature covers",
            Self::BodyUnreadable => "the body cannot be read",
            Self::WrongContentLength => "the body is not as long as its Content-Length says",
            Self::MalformedDigest => "the Content-Digest field is malformed",
            Self::UnsupportedDigest => "the Content-Digest field has neither sha-256 nor sha-512",
            Self::WrongDigest => "the body is not the one that was signed",
            Self::Replayed => {
                "the signature was used before, or an equal request in the same second has no nonce"
            }
            Self::BeforeGuardStart => {
                "the signature is older than the replay guard, which cannot tell whether it was used"
            }
            Self::ReplayGuardFull => "the replay guard is full",
            Self::ReplayGuardUnavailable => "the replay guard is not available",
            Self::SecretUnavailable => "the secret is not available",
            Self::Misconfigured => "the options of this host cannot be used",
        }
    }
}

impl fmt::Display for AuthErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request was refused.
///
/// `Display` and [`kind`](Self::kind) are for the operator, and `{:#}` writes the sources too, all in one line. The peer gets
/// [`status`](Self::status) and [`public_body`](Self::public_body), or the whole [`to_response`](Self::to_response), the same for
/// every authentication failure.
#[derive(Debug)]
pub struct AuthError {
    kind: AuthErrorKind,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl AuthError {
    pub(crate) fn new(kind: AuthErrorKind) -> Self {
        Self {
            kind,
            detail: None,
            source: None,
        }
    }

    /// `detail` must hold no secret, and a peer's text only [`shown`](crate::shown::shown).
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Of the refusals of two signatures of one request, the one that came further through the checks.
    pub(crate) fn furthest(one: Option<Self>, other: Self) -> Self {
        match one {
            Some(one) if one.kind as u8 >= other.kind as u8 => one,
            _ => other,
        }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// For a [`ReplayGuard`](crate::ReplayGuard) that cannot tell whether a signature was used: the request is refused with 503.
    #[must_use]
    pub fn replay_guard_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(AuthErrorKind::ReplayGuardUnavailable).caused_by(source)
    }

    pub(crate) fn malformed(kind: AuthErrorKind, syntax: SyntaxError) -> Self {
        Self::new(kind).caused_by(syntax)
    }

    /// The reason, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// What the peer gets: 401 for everything that is wrong with the authentication, 413 for too large a body, 400 for one that
    /// broke off, 503 if this host cannot tell.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            AuthErrorKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            AuthErrorKind::BodyUnreadable | AuthErrorKind::WrongContentLength => {
                StatusCode::BAD_REQUEST
            }
            AuthErrorKind::ReplayGuardFull
            | AuthErrorKind::ReplayGuardUnavailable
            | AuthErrorKind::SecretUnavailable
            | AuthErrorKind::Misconfigured => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The JSON body for the peer, the same for all errors with the same [`status`](Self::status).
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => r#"{"error":"Invalid authentication token"}"#,
            StatusCode::PAYLOAD_TOO_LARGE => r#"{"error":"Payload too large"}"#,
            StatusCode::BAD_REQUEST => r#"{"error":"Incomplete body"}"#,
            _ => r#"{"error":"Authentication unavailable"}"#,
        }
    }

    /// The response for the peer: status, JSON body, and how to do better. A 401 has `WWW-Authenticate` and an
    /// `Accept-Signature` with what the `options` ask for; a 503 has `Retry-After`.
    ///
    /// `.map(Body::from)` makes it a response of axum or any other server. `Accept-Signature` always lists `content-digest`, which
    /// a request without a body does not need.
    #[must_use]
    pub fn to_response(&self, options: &ValidateOptions) -> Response<&'static str> {
        let mut response = refusal_response(self.status(), self.public_body(), "Signature");
        if self.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(ACCEPT_SIGNATURE, options.accept_signature());
        }
        response
    }
}

/// A response for the peer. A 401 has a challenge of the `scheme`, as RFC 9110 section 15.5.2 asks; a 503 says when to come again.
pub(crate) fn refusal_response(
    status: StatusCode,
    body: &'static str,
    scheme: &'static str,
) -> Response<&'static str> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"))
        }
        _ => None,
    };
    response
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_error(
            f,
            self.kind.sentence(),
            self.detail.as_deref(),
            self.source(),
        )
    }
}

/// Writes an error as the operator reads it; `{:#}` writes the sources too.
pub(crate) fn write_error(
    f: &mut fmt::Formatter<'_>,
    sentence: &str,
    detail: Option<&str>,
    source: Option<&(dyn StdError + 'static)>,
) -> fmt::Result {
    f.write_str(sentence)?;
    if let Some(detail) = detail {
        write!(f, ": {detail}")?;
    }
    let mut source = source.filter(|_| f.alternate());
    while let Some(error) = source {
        write!(f, ": {error}")?;
        source = error.source();
    }
    Ok(())
}

impl StdError for AuthError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<AuthErrorKind> for AuthError {
    fn from(kind: AuthErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<SecretError> for AuthError {
    fn from(error: SecretError) -> Self {
        Self::new(AuthErrorKind::SecretUnavailable).caused_by(error)
    }
}

impl From<BaseError> for AuthError {
    fn from(error: BaseError) -> Self {
        let (kind, component) = match error {
            BaseError::Absent { component } => (AuthErrorKind::AbsentComponent, component),
            BaseError::Unsupported { component } => {
                (AuthErrorKind::UnsupportedComponent, component)
            }
            BaseError::NotAscii { component } => (AuthErrorKind::NotAscii, component),
            BaseError::TooLarge { component } => (AuthErrorKind::TooLarge, component),
            BaseError::NoAuthority => return AuthErrorKind::MissingAuthority.into(),
            BaseError::ConflictingAuthority => return AuthErrorKind::ConflictingAuthority.into(),
            BaseError::InvalidAuthority { authority } => {
                (AuthErrorKind::InvalidAuthority, format!("`{authority}`"))
            }
        };
        Self::new(kind).detail(component)
    }
}

impl From<DigestError> for AuthError {
    fn from(error: DigestError) -> Self {
        match error {
            DigestError::Malformed(syntax) => {
                Self::malformed(AuthErrorKind::MalformedDigest, syntax)
            }
            DigestError::WrongLength => {
                Self::new(AuthErrorKind::MalformedDigest).detail("a digest has the wrong length")
            }
            DigestError::Unsupported => AuthErrorKind::UnsupportedDigest.into(),
        }
    }
}
