use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use http::{HeaderValue, Response, StatusCode, header};

use crate::answer::{refusal_response, write_error};

/// Why there is no elevated token, in one word. For the operator; the peer must not learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElevationErrorKind {
    /// There is no token, or it is empty. Nothing was asked.
    Missing,
    /// The token has more than 8 KiB. Nothing was asked.
    TooLarge,
    /// It is the public instance of a site's own code, `wixcode-pub.…`. Nothing was asked.
    PublicInstance,
    /// It has characters that no token has. Nothing was asked.
    MalformedToken,
    /// Wix does not know the token, and says so by a 4xx or an empty answer.
    TokenRefused,
    /// Wix knows the token, but not as active.
    Inactive,
    /// Wix does not say when the token expires.
    NoExpiration,
    /// The token has expired.
    Expired,
    /// The token is for another app than the one configured, or Wix does not say for which.
    WrongApp,
    /// The token belongs to no installation of the app.
    NoInstance,
    /// The application's own decision: not for this subject.
    NotAllowed,
    /// Wix refuses the app id, the app secret, or the instance.
    CredentialsRefused,
    /// Wix has answered 429. See [`ElevationError::retry_after`].
    RateLimited,
    /// Wix has answered 5xx, or with what had expired when it arrived.
    Unavailable,
    /// No answer: no connection, or it broke off.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// An answer that is not what Wix documents: a redirect, no JSON, too much of it, no token in
    /// it.
    MalformedResponse,
}

impl ElevationErrorKind {
    /// The kind in `snake_case`, for logs and metrics. Never changes for a kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLarge => "too_large",
            Self::PublicInstance => "public_instance",
            Self::MalformedToken => "malformed_token",
            Self::TokenRefused => "token_refused",
            Self::Inactive => "inactive",
            Self::NoExpiration => "no_expiration",
            Self::Expired => "expired",
            Self::WrongApp => "wrong_app",
            Self::NoInstance => "no_instance",
            Self::NotAllowed => "not_allowed",
            Self::CredentialsRefused => "credentials_refused",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::MalformedResponse => "malformed_response",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "the request has no access token",
            Self::TooLarge => "the access token has more than 8 KiB",
            Self::PublicInstance => {
                "this is the public instance of a site's own code, not an access token"
            }
            Self::MalformedToken => "the access token has characters that no token has",
            Self::TokenRefused => "Wix does not accept the access token",
            Self::Inactive => "the access token is not active",
            Self::NoExpiration => "Wix does not say when the access token expires",
            Self::Expired => "the access token has expired",
            Self::WrongApp => "the access token is not for this app",
            Self::NoInstance => "the access token belongs to no instance of the app",
            Self::NotAllowed => "this subject may not do this with the rights of the app",
            Self::CredentialsRefused => {
                "Wix refuses a token of the app: check app id and app secret, and whether it is still installed"
            }
            Self::RateLimited => "Wix has had too many requests",
            Self::Unavailable => "Wix is unavailable",
            Self::Unreachable => "Wix cannot be reached",
            Self::TimedOut => "Wix has not answered in time",
            Self::MalformedResponse => "the answer of Wix is malformed",
        }
    }
}

impl fmt::Display for ElevationErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no elevated token.
///
/// `Display` and [`kind`](Self::kind) are for the operator, and `{:#}` writes the sources too, all
/// in one line. None of them has a token or a secret. The peer gets [`status`](Self::status) and
/// [`public_body`](Self::public_body), or the whole [`to_response`](Self::to_response).
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

    /// `detail` must hold no secret, and what came over the network only
    /// [`escape`](crate::escape::escape).
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

    /// The reason, for logs, metrics and tests.
    #[must_use]
    pub fn kind(&self) -> ElevationErrorKind {
        self.kind
    }

    /// After which time Wix wants to be asked again, if it has said so with a 429 or a 5xx.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What the peer gets: 401 if its token is refused, 403 if it is not allowed, 503 if this host
    /// cannot tell.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            ElevationErrorKind::Missing
            | ElevationErrorKind::TooLarge
            | ElevationErrorKind::PublicInstance
            | ElevationErrorKind::MalformedToken
            | ElevationErrorKind::TokenRefused
            | ElevationErrorKind::Inactive
            | ElevationErrorKind::NoExpiration
            | ElevationErrorKind::Expired
            | ElevationErrorKind::WrongApp
            | ElevationErrorKind::NoInstance => StatusCode::UNAUTHORIZED,
            ElevationErrorKind::NotAllowed => StatusCode::FORBIDDEN,
            ElevationErrorKind::CredentialsRefused
            | ElevationErrorKind::RateLimited
            | ElevationErrorKind::Unavailable
            | ElevationErrorKind::Unreachable
            | ElevationErrorKind::TimedOut
            | ElevationErrorKind::MalformedResponse => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The JSON body for the peer, the same for all errors with the same [`status`](Self::status).
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => r#"{"error":"Invalid access token"}"#,
            StatusCode::FORBIDDEN => r#"{"error":"Not allowed"}"#,
            _ => r#"{"error":"Authentication unavailable"}"#,
        }
    }

    /// The response for the peer; a 503 has the [`retry_after`](Self::retry_after) of Wix, or 5 s.
    #[must_use]
    pub fn to_response(&self) -> Response<&'static str> {
        // RFC 6750; the scheme is accepted here, though Wix sends its tokens without one.
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
        write_error(
            f,
            self.kind.sentence(),
            self.detail.as_deref(),
            self.source(),
        )
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
