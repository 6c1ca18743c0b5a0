//! The token with which a backend acts as the visitor: how to ask Wix for it, and how to use it.

use std::{fmt, time::SystemTime};

use http::{HeaderMap, Request, Response};
use serde::Serialize;

use super::{
    access_token::AccessToken,
    credentials::AppCredentials,
    error::{ElevationError, ElevationErrorKind},
    oauth::{is_about_client, json_request},
    token_info::access_token_of,
};

/// Makes the request for a token with which the backend acts as the visitor:
/// `POST https://www.wixapis.com/oauth2/token` with `strip_bound_session`, as `AppStrategy` of the
/// npm package `@wix/sdk` does.
///
/// The page's own token is bound to the visitor's session in the browser. The token that Wix answers
/// with is not, and has the same rights. `token` is the value of `Authorization` that the page sent,
/// with or without `Bearer `. Give the answer to [`VisitorToken::from_response`].
///
/// # Errors
///
/// Those of [`token_info_request`](super::token_info_request): the text cannot be a token.
///
/// # Security
///
/// Ask [`token_info_request`](super::token_info_request) about the token first: it may be for another
/// app. With the feature `client`, `wix::Elevation::visitor_token` does so.
///
/// The body contains the app secret and the token, and `Debug` of the request shows both: keep it
/// out of logs. The body is not wiped when the request is dropped.
pub fn visitor_token_request(
    credentials: &AppCredentials,
    token: &str,
) -> Result<Request<Vec<u8>>, ElevationError> {
    #[derive(Serialize)]
    struct Question<'a> {
        grant_type: &'static str,
        client_secret: &'a str,
        access_token: &'a str,
    }

    let question = Question {
        grant_type: "strip_bound_session",
        client_secret: credentials.app_secret(),
        access_token: access_token_of(token)?,
    };
    let values_len = question.client_secret.len() + question.access_token.len();
    Ok(json_request(
        "https://www.wixapis.com/oauth2/token",
        &question,
        values_len,
    ))
}

/// An access token with which a backend acts as the visitor, member or user whose token it got. Its
/// holder can do what that person may do, and no more.
///
/// It is another type than [`AccessToken`], so that the two cannot be mixed up. The token is wiped
/// when this value is dropped, and `Debug` does not show the token. The headers that
/// [`authorize`](Self::authorize) has set are not wiped.
pub struct VisitorToken(AccessToken);

impl VisitorToken {
    /// Reads the answer to a [`visitor_token_request`].
    ///
    /// For `now`, give the time at which you *sent* the request.
    ///
    /// # Errors
    ///
    /// - [`ElevationErrorKind::CredentialsRefused`] for a 4xx whose error is `invalid_client` or
    ///   `unauthorized_client`;
    /// - [`TokenRefused`](ElevationErrorKind::TokenRefused) for every other 4xx;
    /// - the others as for [`AccessToken::from_response`].
    pub fn from_response(
        response: &Response<impl AsRef<[u8]>>,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        let refused = if is_about_client(response) {
            ElevationErrorKind::CredentialsRefused
        } else {
            ElevationErrorKind::TokenRefused
        };
        AccessToken::read(response, refused, now).map(Self)
    }

    /// Sets `Authorization` to the token, without a scheme, as Wix expects it. A former value is
    /// replaced.
    pub fn authorize<B>(&self, request: &mut Request<B>) {
        self.0.authorize(request);
    }

    /// Does the same as [`authorize`](Self::authorize) for the headers of another request type,
    /// such as `reqwest::Request::headers_mut`.
    pub fn authorize_headers(&self, headers: &mut HeaderMap) {
        self.0.authorize_headers(headers);
    }

    /// The time until which Wix accepts the token.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.expires_at()
    }
}

impl fmt::Debug for VisitorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitorToken")
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
