//! Why an app instance is refused.

use std::{error::Error as StdError, fmt};

use http::{Response, StatusCode};

use crate::{
    answer::{refusal_response, write_error},
    secret::SecretError,
    wix::error_kinds::error_kinds,
};

/// Where an app secret comes from: nobody makes one.
const REMEDY: &str = "take the app secret from the OAuth page of the app's dashboard at Wix";

error_kinds! {
    /// The cause of a refused app instance. It is for the operator; the peer must not learn it.
    pub enum AppInstanceErrorKind {
        /// The request has no app instance, or an empty one.
        Missing = "missing" (UNAUTHORIZED):
            "the request has no app instance",
        /// The request has several app instances that differ.
        Conflicting = "conflicting" (UNAUTHORIZED):
            "the request has several app instances that differ",
        /// The app instance has more than 8 KiB.
        TooLarge = "too_large" (UNAUTHORIZED):
            "the app instance has more than 8 KiB",
        /// The text is an access token, `OauthNG.JWS.…`, which only Wix can check, by Token Info.
        AccessToken = "access_token" (UNAUTHORIZED):
            "the text is an access token and not an app instance: ask Token Info about it",
        /// The text is a JWT.
        Jwt = "jwt" (UNAUTHORIZED):
            "the text is a JWT and not an app instance",
        /// The text is the public instance of a site's own code, `wixcode-pub.…`.
        PublicInstance = "public_instance" (UNAUTHORIZED):
            "the text is the public instance of a site's own code and not an app instance",
        /// The text is not `signature.payload`.
        NotTwoParts = "not_two_parts" (UNAUTHORIZED):
            "the app instance is not `signature.payload`",
        /// The signature is not 32 bytes in base64url or base64.
        MalformedSignature = "malformed_signature" (UNAUTHORIZED):
            "the signature of the app instance is not 32 bytes in base64url",
        /// No app secret gives this signature: the secrets differ, or the text was changed.
        WrongMac = "wrong_mac" (UNAUTHORIZED):
            "no app secret gives this signature: the secrets differ, or the text was changed",
        /// The signature is right, but the payload is not as Wix documents it.
        MalformedPayload = "malformed_payload" (UNAUTHORIZED):
            "the payload of the app instance is malformed",
        /// The app instance is for another app than the configured one, or names no app.
        WrongApp = "wrong_app" (UNAUTHORIZED):
            "the app instance is not for this app",
        /// Wix signed the app instance too long ago.
        Stale = "stale" (UNAUTHORIZED):
            "the app instance is too old",
        /// Wix signed the app instance in the future: one of the two clocks is wrong.
        InFuture = "in_future" (UNAUTHORIZED):
            "the app instance was signed in the future: compare the clocks",
        /// The expiration date of the app instance has passed.
        Expired = "expired" (UNAUTHORIZED):
            "the app instance has expired",
        /// The app instance is valid, but the site owner does not look at the page.
        NotOwner = "not_owner" (FORBIDDEN):
            "the app instance is not that of the site owner",
        /// The app secret was revoked.
        Revoked = "revoked" (UNAUTHORIZED):
            "the app secret is revoked",
        /// The store does not give the app secret.
        SecretUnavailable = "secret_unavailable" (SERVICE_UNAVAILABLE):
            "the app secret is not available",
    }
}

/// Why an app instance is refused.
///
/// [`kind`](Self::kind) and `Display` are for the operator, and `{:#}` also writes the sources.
/// The peer gets [`status`](Self::status) and [`public_body`](Self::public_body), or both in
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

    /// The cause, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> AppInstanceErrorKind {
        self.kind
    }

    /// The status for the peer: 403 for [`NotOwner`](AppInstanceErrorKind::NotOwner), 503 for
    /// [`SecretUnavailable`](AppInstanceErrorKind::SecretUnavailable), and 401 for all others.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The JSON body for the peer. All errors with one [`status`](Self::status) have one body.
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.status() {
            StatusCode::FORBIDDEN => r#"{"error":"Owner required"}"#,
            StatusCode::SERVICE_UNAVAILABLE => r#"{"error":"Authentication unavailable"}"#,
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
        let (sentence, detail) = (self.kind.sentence(), self.detail.as_deref());
        write_error(f, sentence, detail, self.source())
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
        let kind = match error {
            SecretError::Revoked { .. } => AppInstanceErrorKind::Revoked,
            _ => AppInstanceErrorKind::SecretUnavailable,
        };
        Self {
            source: Some(error.with_remedy(REMEDY)),
            ..Self::new(kind)
        }
    }
}
