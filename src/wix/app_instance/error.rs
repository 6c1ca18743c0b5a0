use std::{error::Error as StdError, fmt};

use http::{Response, StatusCode};

use crate::{
    answer::{refusal_response, write_error},
    secret::SecretError,
};

/// Why an app instance was refused, in one word. For the operator; the peer must not learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AppInstanceErrorKind {
    /// There is none, or it is empty.
    Missing,
    /// The request has several that differ, in `Authorization` and in the query or twice in one of
    /// them.
    Conflicting,
    /// It has more than 8 KiB.
    TooLarge,
    /// It is an access token, `OauthNG.JWS.…`, which only Wix can check: call Token Info.
    AccessToken,
    /// It is a JWT.
    Jwt,
    /// It is the public instance of a site's own code, `wixcode-pub.…`.
    PublicInstance,
    /// It is not `signature.payload`.
    NotTwoParts,
    /// The signature is not 32 bytes in base64url without padding.
    MalformedSignature,
    /// No app secret gives this signature: another app, or something was changed.
    WrongMac,
    /// The signature is right, but the payload is not what Wix documents.
    MalformedPayload,
    /// It is for another app than the one configured, or does not say for which.
    WrongApp,
    /// It was signed too long ago.
    Stale,
    /// It was signed in the future: a clock is wrong.
    InFuture,
    /// Its expiration date is over.
    Expired,
    /// It is not that of the site owner.
    NotOwner,
    /// The app secret cannot be had.
    SecretUnavailable,
}

impl AppInstanceErrorKind {
    /// The kind in `snake_case`, for logs and metrics. Never changes for a kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Conflicting => "conflicting",
            Self::TooLarge => "too_large",
            Self::AccessToken => "access_token",
            Self::Jwt => "jwt",
            Self::PublicInstance => "public_instance",
            Self::NotTwoParts => "not_two_parts",
            Self::MalformedSignature => "malformed_signature",
            Self::WrongMac => "wrong_mac",
            Self::MalformedPayload => "malformed_payload",
            Self::WrongApp => "wrong_app",
            Self::Stale => "stale",
            Self::InFuture => "in_future",
            Self::Expired => "expired",
            Self::NotOwner => "not_owner",
            Self::SecretUnavailable => "secret_unavailable",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "the request has no app instance",
            Self::Conflicting => "the request has several app instances that differ",
            Self::TooLarge => "the app instance has more than 8 KiB",
            Self::AccessToken => {
                "this is an access token, not an app instance: ask Token Info about it"
            }
            Self::Jwt => "this is a JWT, not an app instance",
            Self::PublicInstance => {
                "this is the public instance of a site's own code, not an app instance"
            }
            Self::NotTwoParts => "the app instance is not `signature.payload`",
            Self::MalformedSignature => {
                "the signature of the app instance is not 32 bytes in base64url without padding"
            }
            Self::WrongMac => {
                "the signature of the app instance does not match: another app secret, or it was changed"
            }
            Self::MalformedPayload => "the payload of the app instance is malformed",
            Self::WrongApp => "the app instance is not for this app",
            Self::Stale => "the app instance is too old",
            Self::InFuture => "the app instance was signed in the future: compare the clocks",
            Self::Expired => "the app instance has expired",
            Self::NotOwner => "the app instance is not that of the site owner",
            Self::SecretUnavailable => "the app secret is not available",
        }
    }
}

impl fmt::Display for AppInstanceErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an app instance was refused.
///
/// `Display` and [`kind`](Self::kind) are for the operator, and `{:#}` writes the sources too. The
/// peer gets [`status`](Self::status) and [`public_body`](Self::public_body), or the whole
/// [`to_response`](Self::to_response).
#[derive(Debug)]
pub struct AppInstanceError {
    kind: AppInstanceErrorKind,
    detail: Option<String>,
    source: Option<SecretError>,
}

impl AppInstanceError {
    pub(super) fn new(kind: AppInstanceErrorKind) -> Self {
        Self {
            kind,
            detail: None,
            source: None,
        }
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The reason, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> AppInstanceErrorKind {
        self.kind
    }

    /// What the peer gets: 403 if only the owner may do this, 503 without an app secret, otherwise
    /// 401.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            AppInstanceErrorKind::NotOwner => StatusCode::FORBIDDEN,
            AppInstanceErrorKind::SecretUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The JSON body for the peer, the same for all errors with the same [`status`](Self::status).
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.kind {
            AppInstanceErrorKind::NotOwner => r#"{"error":"Owner required"}"#,
            AppInstanceErrorKind::SecretUnavailable => r#"{"error":"Authentication unavailable"}"#,
            _ => r#"{"error":"Invalid app instance"}"#,
        }
    }

    /// The response for the peer.
    #[must_use]
    pub fn to_response(&self) -> Response<&'static str> {
        // App instances have no registered scheme.
        refusal_response(self.status(), self.public_body(), "WixAppInstance")
    }
}

impl fmt::Display for AppInstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_error(
            f,
            self.kind.sentence(),
            self.detail.as_deref(),
            self.source(),
        )
    }
}

impl StdError for AppInstanceError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

impl From<AppInstanceErrorKind> for AppInstanceError {
    fn from(kind: AppInstanceErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<SecretError> for AppInstanceError {
    fn from(error: SecretError) -> Self {
        Self {
            source: Some(error),
            ..Self::new(AppInstanceErrorKind::SecretUnavailable)
        }
    }
}
