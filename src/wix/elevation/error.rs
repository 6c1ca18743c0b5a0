//! Why a token is refused, or why the backend gets no token of the app.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    answer::{refusal_response, write_error},
    wix::error_kinds::error_kinds,
};

error_kinds! {
    /// The cause of a refused elevation. It is for the operator; the peer must not learn it.
    pub enum ElevationErrorKind {
        /// The request has no token, or an empty one. Wix was not asked.
        Missing = "missing" (UNAUTHORIZED):
            "the request has no access token",
        /// The token has more than 8 KiB. Wix was not asked.
        TooLarge = "too_large" (UNAUTHORIZED):
            "the access token has more than 8 KiB",
        /// The text is the public instance of a site's own code, `wixcode-pub.…`. Wix was not
        /// asked.
        PublicInstance = "public_instance" (UNAUTHORIZED):
            "the text is the public instance of a site's own code and not an access token",
        /// The request has several access tokens that differ. Wix was not asked.
        Conflicting = "conflicting" (UNAUTHORIZED):
            "the request has several access tokens that differ",
        /// The text has not the shape `OauthNG.JWS.…` of an access token. Wix was not asked.
        NotAccessToken = "not_access_token" (UNAUTHORIZED):
            "the text is not an access token, which begins with `OauthNG.JWS.`",
        /// The text has characters that no token has. Wix was not asked.
        MalformedToken = "malformed_token" (UNAUTHORIZED):
            "the access token has characters that no token has",
        /// Wix does not know the token: the answer was a 4xx, or empty.
        TokenRefused = "token_refused" (UNAUTHORIZED):
            "Wix does not accept the access token",
        /// Wix knows the token, but says that it is not active.
        Inactive = "inactive" (UNAUTHORIZED):
            "the access token is not active",
        /// Wix does not say when the token expires.
        NoExpiration = "no_expiration" (UNAUTHORIZED):
            "Wix does not say when the access token expires",
        /// The token has expired.
        Expired = "expired" (UNAUTHORIZED):
            "the access token has expired",
        /// The token is for another app than the configured one, or Wix names no app.
        WrongApp = "wrong_app" (UNAUTHORIZED):
            "the access token is not for this app",
        /// The token belongs to no installation of the app.
        NoInstance = "no_instance" (UNAUTHORIZED):
            "the access token belongs to no instance of the app",
        /// Your own decision was that this subject may not do this.
        NotAllowed = "not_allowed" (FORBIDDEN):
            "this subject may not do this with the rights of the app",
        /// Too many other tokens wait for an answer of Wix. Wix was not asked.
        Busy = "busy" (SERVICE_UNAVAILABLE):
            "too many other access tokens wait for an answer of Wix",
        /// Wix refuses the app id, the app secret, or the instance.
        CredentialsRefused = "credentials_refused" (SERVICE_UNAVAILABLE):
            "Wix gives no token of the app: \
             check the app id, the app secret, and whether the app is still installed",
        /// Wix answered 429. See [`ElevationError::retry_after`].
        RateLimited = "rate_limited" (SERVICE_UNAVAILABLE):
            "Wix has had too many requests",
        /// Wix answered 5xx, or its answer had expired on arrival.
        Unavailable = "unavailable" (SERVICE_UNAVAILABLE):
            "Wix is unavailable",
        /// Wix did not answer: there was no connection, or the connection was lost.
        Unreachable = "unreachable" (SERVICE_UNAVAILABLE):
            "Wix cannot be reached",
        /// Wix did not answer in time.
        TimedOut = "timed_out" (SERVICE_UNAVAILABLE):
            "Wix has not answered in time",
        /// Wix answered otherwise than documented: a redirect, no JSON, too much of it, or no
        /// token.
        MalformedResponse = "malformed_response" (SERVICE_UNAVAILABLE):
            "the answer of Wix is malformed",
    }
}

/// Why a token is refused, or why the backend gets no token of the app.
///
/// [`kind`](Self::kind) and `Display` are for the operator, and `{:#}` also writes the sources, all
/// in one line. None of them contains a token or a secret. The peer gets [`status`](Self::status)
/// and [`public_body`](Self::public_body), or both in [`to_response`](Self::to_response).
#[derive(Clone, Debug)]
pub struct ElevationError {
    kind: ElevationErrorKind,
    detail: Option<Arc<str>>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl ElevationError {
    pub(super) fn new(kind: ElevationErrorKind) -> Self {
        Self {
            kind,
            detail: None,
            retry_after: None,
            source: None,
        }
    }

    /// The `detail` must hold no secret, and must be escaped where it came over the network.
    pub(super) fn detail(mut self, detail: impl Into<Arc<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn retry_in(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    #[cfg(feature = "client")]
    pub(super) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The cause, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> ElevationErrorKind {
        self.kind
    }

    /// The time after which Wix wants to be asked again, if Wix said so with a 429 or a 5xx.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status for the peer: 401 if the token is refused, 403 if the subject is not allowed, 503
    /// if the host itself cannot decide.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The JSON body for the peer. All errors with one [`status`](Self::status) have one body.
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => r#"{"error":"Invalid access token"}"#,
            StatusCode::FORBIDDEN => r#"{"error":"Not allowed"}"#,
            _ => r#"{"error":"Authentication unavailable"}"#,
        }
    }

    /// The response for the peer. The `Retry-After` of a 503 is the
    /// [`retry_after`](Self::retry_after) of Wix, or 5 s.
    #[must_use]
    pub fn to_response(&self) -> Response<&'static str> {
        // RFC 6750. The scheme is accepted here, but the pages of Wix send no scheme.
        let mut response = refusal_response(self.status(), self.public_body(), "Bearer");
        if let (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) = (self.status(), self.retry_after) {
            let seconds = crate::time::whole_seconds(wait).max(1);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl fmt::Display for ElevationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sentence, detail) = (self.kind.sentence(), self.detail.as_deref());
        write_error(f, sentence, detail, self.source())
    }
}

impl StdError for ElevationError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<ElevationErrorKind> for ElevationError {
    fn from(kind: ElevationErrorKind) -> Self {
        Self::new(kind)
    }
}
