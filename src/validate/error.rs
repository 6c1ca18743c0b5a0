//! Why a request was refused: the one table of all reasons, and the error that carries one.

#[cfg(feature = "metrics")]
use std::sync::Arc;
use std::{error::Error as StdError, fmt};

use http::StatusCode;

use super::seen::Seen;
use crate::{
    answer::write_error,
    digest::DigestError,
    secret::SecretError,
    signature::{AuthorityError, BaseError, SyntaxError, ascii_remedy},
};

/// Declares [`AuthErrorKind`] and its [`Row`]s from one table.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])+
        $kind:ident: $stage:ident, $status:ident, $name:literal,
            $sentence:literal;
    )+) => {
        /// Why a request was refused, in one word.
        ///
        /// For logs, metrics and tests; the peer must not learn it. Each kind has one cause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AuthErrorKind {
            $($(#[$doc])+ $kind,)+
        }

        impl AuthErrorKind {
            /// All kinds, such as for counters that must exist before the first refusal.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$kind => Row {
                        stage: Stage::$stage,
                        status: StatusCode::$status,
                        name: $name,
                        sentence: $sentence,
                    },)+
                }
            }
        }
    };
}

/// The facts about one kind.
struct Row {
    stage: Stage,
    /// The status for the peer.
    status: StatusCode,
    name: &'static str,
    /// The first sentence for the operator.
    sentence: &'static str,
}

/// How far a refused request came, with the host's own trouble last. If several signatures are
/// refused, the operator gets the refusal that came furthest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Signature,
    Coverage,
    Freshness,
    Authority,
    Secret,
    Base,
    Mac,
    Body,
    Replay,
    Host,
}

// The kind, its stage, the status for the peer, its name in `snake_case`, its sentence for the
// operator.
kinds! {
    /// There is no signature at all.
    MissingSignature: Signature, UNAUTHORIZED, "missing_signature",
        "the request is not signed";
    /// The `Signature-Input` field is not what RFC 9421 and the limits of this crate allow.
    MalformedSignatureInput: Signature, UNAUTHORIZED, "malformed_signature_input",
        "the Signature-Input field is malformed";
    /// The `Signature` field is not a dictionary of byte sequences, or the signature that counts is
    /// not 32 bytes.
    MalformedSignature: Signature, UNAUTHORIZED, "malformed_signature",
        "the Signature field is malformed";
    /// A label stands in only one of `Signature-Input` and `Signature`.
    UnpairedLabel: Signature, UNAUTHORIZED, "unpaired_label",
        "a label is not in both Signature-Input and Signature";
    /// More than four signatures could be meant for this host.
    TooManyCandidates: Signature, UNAUTHORIZED, "too_many_candidates",
        "more than 4 signatures could be meant for this host";
    /// No signature has a key id that the host lists.
    UnknownKeyId: Signature, UNAUTHORIZED, "unknown_key_id",
        "the key id is not listed here";
    /// No signature has the tag that the host asks for.
    WrongTag: Signature, UNAUTHORIZED, "wrong_tag",
        "the tag is not the one asked for";
    /// The signature names another algorithm than `hmac-sha256`.
    UnsupportedAlgorithm: Signature, UNAUTHORIZED, "unsupported_algorithm",
        "the algorithm is not hmac-sha256";
    /// The signature does not cover what it must.
    NotCovered: Coverage, UNAUTHORIZED, "not_covered",
        "a required component is not covered";
    /// The signature does not say when it was made.
    MissingCreated: Freshness, UNAUTHORIZED, "missing_created",
        "the signature has no `created` time";
    /// The signature was made too long ago.
    Stale: Freshness, UNAUTHORIZED, "stale",
        "the signature is too old: the clocks differ, or it came late or once more";
    /// The signature was made in the future: a clock is wrong, or its unit.
    InFuture: Freshness, UNAUTHORIZED, "in_future",
        "the signature was made in the future";
    /// The signature has expired by its own account.
    Expired: Freshness, UNAUTHORIZED, "expired",
        "the signature has expired";
    /// The request names no authority.
    MissingAuthority: Authority, UNAUTHORIZED, "missing_authority",
        "the request names no authority: send `Host`; with `trust_forwarded_host`, let the proxy \
         set that field";
    /// The request target and the `Host` fields do not agree on one authority.
    ConflictingAuthority: Authority, UNAUTHORIZED, "conflicting_authority",
        "the request names several authorities";
    /// The authority is not `host` or `host:port`.
    InvalidAuthority: Authority, UNAUTHORIZED, "invalid_authority",
        "the authority is not `host` or `host:port`";
    /// The request is for an authority that the host does not list.
    UnlistedAuthority: Authority, UNAUTHORIZED, "unlisted_authority",
        "the authority is not one of this host's: let the proxy pass `Host` on (or see \
         `trust_forwarded_host`), list it in `authorities`, and see `external_scheme` for `:80`";
    /// The secret of the consumer was revoked.
    Revoked: Secret, UNAUTHORIZED, "revoked",
        "the secret of this consumer is revoked";
    /// The signature covers a component that is not defined for requests or not implemented.
    UnsupportedComponent: Base, UNAUTHORIZED, "unsupported_component",
        "a covered component is not supported";
    /// A covered field or query parameter is not in the request.
    AbsentComponent: Base, UNAUTHORIZED, "absent_component",
        "a covered component is not in the request, unless a proxy has removed it";
    /// The value of a covered component is not ASCII.
    NotAscii: Base, UNAUTHORIZED, "not_ascii",
        "the value of a covered component is not ASCII";
    /// A covered field or all of them together are too large.
    TooLarge: Base, UNAUTHORIZED, "too_large",
        "the covered components are too large";
    /// No accepted secret gives this signature for this request: another secret, or something was
    /// changed.
    WrongMac: Mac, UNAUTHORIZED, "wrong_mac",
        "the signature does not match: \
         another secret, or the path, the query or another part was changed on the way (compare \
         signature bases)";
    /// The body is larger than the host accepts.
    BodyTooLarge: Body, PAYLOAD_TOO_LARGE, "body_too_large",
        "the body is too large";
    /// There is a body, but the signature covers no digest of it.
    BodyNotCovered: Body, UNAUTHORIZED, "body_not_covered",
        "there is a body, but no covered Content-Digest";
    /// The body has trailers, which no signature covers.
    TrailersNotCovered: Body, UNAUTHORIZED, "trailers_not_covered",
        "the body has trailers, which no signature covers";
    /// The body cannot be read: mostly, the peer has gone away.
    BodyUnreadable: Body, BAD_REQUEST, "body_unreadable",
        "the body cannot be read";
    /// The body is not as long as its `Content-Length` says.
    WrongContentLength: Body, BAD_REQUEST, "wrong_content_length",
        "the body is not as long as its Content-Length says: the client is wrong, or a layer \
         outside has read or changed the body";
    /// The `Content-Digest` field is not a dictionary of byte sequences, or a digest has the wrong
    /// length.
    MalformedDigest: Body, UNAUTHORIZED, "malformed_digest",
        "the Content-Digest field is malformed";
    /// The `Content-Digest` field has neither `sha-256` nor `sha-512`.
    UnsupportedDigest: Body, UNAUTHORIZED, "unsupported_digest",
        "the Content-Digest field has neither sha-256 nor sha-512";
    /// The body is not the one that was signed.
    WrongDigest: Body, UNAUTHORIZED, "wrong_digest",
        "the body is not the one that was signed: \
         a proxy may have decompressed or rewritten it, or a client encoded it after signing";
    /// The signature was used before.
    Replayed: Replay, UNAUTHORIZED, "replayed",
        "the signature was used before: by a client that repeats a request and does not sign it \
         anew, by a proxy that retries or mirrors, or by an equal request without a nonce in the \
         same second";
    /// The signature was made before the replay guard was started: it may have been used before. Or
    /// the clock of the host was set back.
    BeforeGuardStart: Replay, UNAUTHORIZED, "before_guard_start",
        "the signature is older than the replay guard, which cannot tell whether it was used";
    /// The replay guard has no room; it refuses what it could not remember.
    ReplayGuardFull: Host, SERVICE_UNAVAILABLE, "replay_guard_full",
        "the replay guard is full";
    /// The replay guard cannot be reached.
    ReplayGuardUnavailable: Host, SERVICE_UNAVAILABLE, "replay_guard_unavailable",
        "the replay guard is not available";
    /// The secret cannot be had: not configured, not usable, or its store is unavailable.
    SecretUnavailable: Host, SERVICE_UNAVAILABLE, "secret_unavailable",
        "the secret is not available";
    /// The directory of consumers cannot answer.
    DirectoryUnavailable: Host, SERVICE_UNAVAILABLE, "directory_unavailable",
        "the directory of consumers is not available";
    /// The options of the host contradict themselves; nothing can be validated.
    Misconfigured: Host, SERVICE_UNAVAILABLE, "misconfigured",
        "the options of this host cannot be used";
}

impl AuthErrorKind {
    /// The kind in `snake_case`, for logs and metrics. The name of a kind never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for AuthErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request was refused.
///
/// `Display` and [`kind`](Self::kind) are for the operator. `{:#}` writes the sources too, all in
/// one line. The peer gets [`status`](Self::status) and [`public_body`](Self::public_body), or the
/// whole [`to_response`](Self::to_response): the same for every authentication failure.
#[derive(Debug)]
pub struct AuthError {
    kind: AuthErrorKind,
    detail: Option<Detail>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Whose MAC was right, if the host knows the consumer. Boxed, so that an error stays small.
    #[cfg(feature = "metrics")]
    consumer: Option<Box<Arc<str>>>,
}

impl AuthError {
    pub(crate) fn new(kind: AuthErrorKind) -> Self {
        Self {
            kind,
            detail: None,
            source: None,
            #[cfg(feature = "metrics")]
            consumer: None,
        }
    }

    /// `detail` must hold no secret, and a peer's text only [escaped](crate::escape::escape).
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(Detail::Text(detail.into()));
        self
    }

    pub(super) fn wrong_mac(seen: Seen) -> Self {
        Self {
            detail: Some(Detail::Seen(Box::new(seen))),
            ..Self::new(AuthErrorKind::WrongMac)
        }
    }

    /// Whose MAC was right: counters name the consumer.
    #[cfg(feature = "metrics")]
    pub(crate) fn by_consumer(mut self, consumer: Option<Arc<str>>) -> Self {
        self.consumer = consumer.map(Box::new);
        self
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn consumer(&self) -> Option<&Arc<str>> {
        self.consumer.as_deref()
    }

    /// Goes on with a detail that is there.
    pub(crate) fn more_detail(mut self, more: &'static str) -> Self {
        match &mut self.detail {
            Some(Detail::Text(text)) => text.push_str(more),
            Some(Detail::Seen(seen)) => seen.advise(more),
            None => self.detail = Some(Detail::Text(more.to_owned())),
        }
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Chooses between the refusals of two signatures of one request: the one that came further
    /// through the checks.
    pub(super) fn furthest(one: Option<Self>, other: Self) -> Self {
        match one {
            Some(one) if one.kind.row().stage >= other.kind.row().stage => one,
            _ => other,
        }
    }

    /// For a [`ReplayGuard`](crate::ReplayGuard) that cannot find out whether a signature was used:
    /// the request is refused with 503.
    #[must_use]
    pub fn replay_guard_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(AuthErrorKind::ReplayGuardUnavailable).caused_by(source)
    }

    /// For a [`ConsumerDirectory`](crate::ConsumerDirectory) that cannot find out whether there is
    /// such a consumer, or what its secrets are: the request is refused with 503.
    #[must_use]
    pub fn directory_unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(AuthErrorKind::DirectoryUnavailable).caused_by(source)
    }

    /// Whether the reason begins with this name of a field or a component.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        let Some(Detail::Text(text)) = &self.detail else {
            return false;
        };
        // An identifier of a component has quotation marks, and perhaps parameters.
        text.trim_start_matches('"').split('"').next() == Some(name)
    }

    pub(super) fn malformed(kind: AuthErrorKind, syntax: SyntaxError) -> Self {
        Self::new(kind).caused_by(syntax)
    }

    /// The reason, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// The status for the peer: 401 if anything is wrong with the authentication, 413 for too large
    /// a body, 400 for a body that broke off, 503 if the host itself cannot decide.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.row().status
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_error(
            f,
            self.kind.row().sentence,
            self.detail.as_ref(),
            self.source(),
        )
    }
}

/// The values behind the sentence of a kind.
enum Detail {
    Text(String),
    /// Written out when it is read.
    Seen(Box<Seen>),
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Seen(seen) => write!(f, "{seen}"),
        }
    }
}

impl fmt::Debug for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
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
        let kind = match error {
            SecretError::Revoked { .. } => AuthErrorKind::Revoked,
            _ => AuthErrorKind::SecretUnavailable,
        };
        Self::new(kind).caused_by(error)
    }
}

impl From<AuthorityError> for AuthError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Missing => AuthErrorKind::MissingAuthority.into(),
            AuthorityError::Conflicting => AuthErrorKind::ConflictingAuthority.into(),
            AuthorityError::Invalid { authority } => {
                Self::new(AuthErrorKind::InvalidAuthority).detail(format!("`{authority}`"))
            }
        }
    }
}

impl From<BaseError> for AuthError {
    fn from(error: BaseError) -> Self {
        let (kind, component) = match error {
            BaseError::Absent { component } => (AuthErrorKind::AbsentComponent, component),
            BaseError::Unsupported { component } => {
                (AuthErrorKind::UnsupportedComponent, component)
            }
            BaseError::NotAscii { component } => {
                let by_proxy = if component.starts_with("\"@") {
                    ", and let no proxy decode it"
                } else {
                    ""
                };
                let detail = format!("{component}: {}{by_proxy}", ascii_remedy(&component));
                (AuthErrorKind::NotAscii, detail)
            }
            BaseError::TooLarge { component } => (AuthErrorKind::TooLarge, component),
            BaseError::Authority(error) => return error.into(),
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
