//! Why a response was refused: the one table of all reasons, and the error that carries one.

use std::{error::Error as StdError, fmt};

use http::StatusCode;

use crate::{
    answer::write_error,
    digest::DigestError,
    signature::{BaseError, SyntaxError},
};

/// Declares [`ResponseErrorKind`], its names and its sentences from one table.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])+
        $kind:ident: $name:literal,
            $sentence:literal;
    )+) => {
        /// Why a response was refused, in one word. Each kind has one cause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ResponseErrorKind {
            $($(#[$doc])+ $kind,)+
        }

        impl ResponseErrorKind {
            /// All kinds, such as for counters that must exist before the first refusal.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The kind in `snake_case`, for logs and metrics. The name of a kind never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            fn sentence(self) -> &'static str {
                match self {
                    $(Self::$kind => $sentence,)+
                }
            }
        }
    };
}

// The kind, its name in `snake_case`, its sentence for the operator.
kinds! {
    /// The response has no signature at all, and its status says success or redirects.
    Unsigned: "unsigned",
        "the response is not signed: somebody has replaced it, or the host does not sign, or a body \
         was too large to be signed";
    /// The response has no signature at all, and its status is one of 400 to 599. A host signs no
    /// refusal, so this is one, or the answer of somebody else. Nothing proves even the status.
    UnsignedRefusal: "unsigned_refusal",
        "the request was refused, by a response that nobody has signed";
    /// The `Signature-Input` field is not what RFC 9421 and the limits of this crate allow, or
    /// repeats a label.
    MalformedSignatureInput: "malformed_signature_input",
        "the Signature-Input field is malformed";
    /// The `Signature` field is not a dictionary of byte sequences, repeats a label, or the signature
    /// that counts is not 32 bytes.
    MalformedSignature: "malformed_signature",
        "the Signature field is malformed";
    /// The label stands in only one of `Signature-Input` and `Signature`.
    UnpairedLabel: "unpaired_label",
        "the label is not in both Signature-Input and Signature";
    /// There are signatures, but none has the label that the consumer looks for.
    WrongLabel: "wrong_label",
        "no signature has the label that was asked for";
    /// The signature names another algorithm than `hmac-sha256`.
    UnsupportedAlgorithm: "unsupported_algorithm",
        "the algorithm is not hmac-sha256";
    /// The signature has no nonce, so it may be that of any response.
    MissingNonce: "missing_nonce",
        "the signature has no nonce, and may belong to another request";
    /// The nonce is that of another request, which was answered before this one was signed.
    Replayed: "replayed",
        "the response is an old one, and answers another request";
    /// The nonce is that of another request, and nothing says which of the two came first.
    OtherRequest: "other_request",
        "the response answers another request: the answers were mixed up, or somebody has replayed a \
         young one";
    /// The key id is not that of the request.
    WrongKeyId: "wrong_key_id",
        "the key id is not that of the request";
    /// The tag is not that of the request.
    WrongTag: "wrong_tag",
        "the tag is not that of the request";
    /// The signature does not cover what it must. Somebody may have added a field.
    NotCovered: "not_covered",
        "a component is not covered: somebody has added it, or the host signs less";
    /// The signature does not say when it was made.
    MissingCreated: "missing_created",
        "the signature has no `created` time";
    /// The signature was made too long ago.
    Stale: "stale",
        "the signature is too old: the clocks differ, or the response took too long";
    /// The signature was made in the future: a clock is wrong, or its unit.
    InFuture: "in_future",
        "the signature was made in the future";
    /// The signature has expired by its own account.
    Expired: "expired",
        "the signature has expired";
    /// The signature covers a component that is not defined for responses or not implemented.
    UnsupportedComponent: "unsupported_component",
        "a covered component is not supported";
    /// The response does not have a covered field, or the signature of the request does not cover
    /// what that of the response copies.
    AbsentComponent: "absent_component",
        "a covered component is absent: somebody has removed it";
    /// The value of a covered field is not ASCII.
    NotAscii: "not_ascii",
        "the value of a covered component is not ASCII";
    /// The signature base, or a field, would be too large.
    TooLarge: "too_large",
        "the signature covers too much";
    /// The signature is right for another status.
    WrongStatus: "wrong_status",
        "the status is not the one that was signed";
    /// The MAC is wrong: another secret, or a covered field was changed.
    WrongMac: "wrong_mac",
        "the MAC is not that of this response: the secret is another one, or a field was changed";
    /// The `Content-Digest` field is not a dictionary of byte sequences, or a digest has the wrong
    /// length.
    MalformedDigest: "malformed_digest",
        "the Content-Digest field is malformed";
    /// The `Content-Digest` field has neither `sha-256` nor `sha-512`.
    UnsupportedDigest: "unsupported_digest",
        "the Content-Digest field has neither sha-256 nor sha-512";
    /// There is a body, but the signature covers no digest of it.
    BodyNotCovered: "body_not_covered",
        "there is a body, but no covered Content-Digest";
    /// The body has trailers, which no signature covers.
    TrailersNotCovered: "trailers_not_covered",
        "the body has trailers, which no signature covers";
    /// The body is larger than the consumer accepts.
    BodyTooLarge: "body_too_large",
        "the body is too large";
    /// The body cannot be read: mostly, the host has gone away.
    BodyUnreadable: "body_unreadable",
        "the body cannot be read";
    /// The body is not the one that was signed.
    WrongDigest: "wrong_digest",
        "the body is not the one that was signed: a proxy may have changed it, or a layer may have \
         decompressed or compressed it";
    /// The options of the consumer cannot be used; nothing can be validated.
    Misconfigured: "misconfigured",
        "the options for responses cannot be used";
}

impl fmt::Display for ResponseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a response was refused.
///
/// It is for the operator of the consumer: there is no peer to keep it from. `{:#}` writes the
/// sources too, all in one line.
#[derive(Debug)]
pub struct ResponseError {
    kind: ResponseErrorKind,
    status: StatusCode,
    detail: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ResponseError {
    pub(crate) fn new(kind: ResponseErrorKind, status: StatusCode) -> Self {
        Self {
            kind,
            status,
            detail: None,
            source: None,
        }
    }

    /// `detail` must hold no secret, and a peer's text only [escaped](crate::escape::escape).
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(super) fn malformed(
        kind: ResponseErrorKind,
        status: StatusCode,
        syntax: SyntaxError,
    ) -> Self {
        Self::new(kind, status).caused_by(syntax)
    }

    pub(super) fn of_base(error: BaseError, status: StatusCode) -> Self {
        let (kind, component) = match error {
            BaseError::Absent { component } => (ResponseErrorKind::AbsentComponent, component),
            BaseError::NotAscii { component } => (ResponseErrorKind::NotAscii, component),
            BaseError::TooLarge { component } => (ResponseErrorKind::TooLarge, component),
            BaseError::Unsupported { component } => {
                (ResponseErrorKind::UnsupportedComponent, component)
            }
            // A response has no authority of its own.
            BaseError::Authority(error) => {
                let kind = ResponseErrorKind::UnsupportedComponent;
                return Self::new(kind, status).caused_by(error);
            }
        };
        Self::new(kind, status).detail(component)
    }

    pub(super) fn of_digest(error: DigestError, status: StatusCode) -> Self {
        match error {
            DigestError::Malformed(syntax) => {
                Self::malformed(ResponseErrorKind::MalformedDigest, status, syntax)
            }
            DigestError::WrongLength => Self::new(ResponseErrorKind::MalformedDigest, status)
                .detail("a digest has the wrong length"),
            DigestError::Unsupported => Self::new(ResponseErrorKind::UnsupportedDigest, status),
        }
    }

    /// The reason, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> ResponseErrorKind {
        self.kind
    }

    /// The status as it came.
    ///
    /// # Security
    ///
    /// Nothing proves it, because the response was refused. Anybody on the way may have written it.
    #[must_use]
    pub fn unproven_status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = format!("unproven status {}", self.status.as_u16());
        let detail = match &self.detail {
            Some(detail) => format!("{detail}; {status}"),
            None => status,
        };
        write_error(f, self.kind.sentence(), Some(detail), self.source())
    }
}

impl StdError for ResponseError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
