//! The access token of the app itself: how to ask Wix for it, and how to use it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    credentials::AppCredentials,
    error::{ElevationError, ElevationErrorKind},
    instance_id::InstanceId,
    oauth::{json_request, json_response, malformed, reason, seconds},
};

/// No real token is valid for longer. The tokens of Wix are valid for four hours.
const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Makes the request for an access token of the app itself:
/// `POST https://www.wixapis.com/oauth2/token`. See
/// [Create Access Token](https://dev.wix.com/docs/rest/app-management/oauth-2/create-access-token).
///
/// Send the request, and give the answer to [`AccessToken::from_response`].
///
/// # Security
///
/// The body contains the app secret, and `Debug` of the request shows it: keep it out of logs. The
/// body is not wiped when the request is dropped.
#[must_use]
pub fn access_token_request(
    credentials: &AppCredentials,
    instance_id: &InstanceId,
) -> Request<Vec<u8>> {
    client_credentials(credentials, Some(instance_id))
}

/// Makes the request for an access token of a Headless project, which has no installation: client
/// credentials without an instance, to
/// [perform admin operations](https://dev.wix.com/docs/go-headless/self-managed-headless/authentication/admin/about-admin-authentication).
///
/// `credentials` are the client id and the secret of the project's own OAuth app. Send the request,
/// and give the answer to [`AccessToken::from_response`]. An app that sites install asks with
/// [`access_token_request`].
///
/// # Security
///
/// The holder of the token may administer the project. What [`access_token_request`] says of the
/// body is true here too.
#[must_use]
pub fn admin_token_request(credentials: &AppCredentials) -> Request<Vec<u8>> {
    client_credentials(credentials, None)
}

fn client_credentials(
    credentials: &AppCredentials,
    instance_id: Option<&InstanceId>,
) -> Request<Vec<u8>> {
    #[derive(Serialize)]
    struct Question<'a> {
        grant_type: &'static str,
        client_id: &'a str,
        client_secret: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        instance_id: Option<&'a str>,
    }

    let question = Question {
        grant_type: "client_credentials",
        client_id: credentials.app_id(),
        client_secret: credentials.app_secret(),
        instance_id: instance_id.map(InstanceId::as_str),
    };
    let values_len = question.client_id.len()
        + question.client_secret.len()
        + question.instance_id.map_or(0, str::len);
    json_request(
        "https://www.wixapis.com/oauth2/token",
        &question,
        values_len,
    )
}

/// An access token of the app itself, for one installation, or of a Headless project. Its holder can
/// do there all that the app may do.
///
/// The token is wiped when this value is dropped, and `Debug` does not show the token. The headers
/// that [`authorize`](Self::authorize) has set are not wiped.
pub struct AccessToken {
    text: Zeroizing<String>,
    expires_at: SystemTime,
}

impl AccessToken {
    /// Reads the answer to an [`access_token_request`] or an [`admin_token_request`].
    ///
    /// For `now`, give the time at which you *sent* the request. `expires_in` counts from some
    /// moment between that time and the answer.
    ///
    /// # Errors
    ///
    /// - [`ElevationErrorKind::CredentialsRefused`] for a 4xx;
    /// - [`RateLimited`](ElevationErrorKind::RateLimited) for 429;
    /// - [`Unavailable`](ElevationErrorKind::Unavailable) for 5xx;
    /// - [`MalformedResponse`](ElevationErrorKind::MalformedResponse) for every other answer. That
    ///   includes an answer of more than 64 KiB, a token that no header can hold, and an
    ///   `expires_in` that is absent, zero, or longer than a year.
    pub fn from_response(
        response: &Response<impl AsRef<[u8]>>,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        Self::read(response, ElevationErrorKind::CredentialsRefused, now)
    }

    /// A 4xx has the kind `refused`.
    pub(super) fn read(
        response: &Response<impl AsRef<[u8]>>,
        refused: ElevationErrorKind,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        let mut answer = json_response(response, refused, now)?;
        let Some(Value::String(text)) = answer.remove("access_token") else {
            let mut detail = "`access_token` is absent or no text".to_owned();
            // Wix may answer 200 and name an error.
            if let Some(reason) = reason(&answer) {
                detail = format!("{detail}: {reason}");
            }
            return Err(malformed(detail));
        };
        let text = Zeroizing::new(text);
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("`access_token` is no token"));
        }
        let expires_at = seconds(&answer, "expires_in")
            .map(Duration::from_secs)
            .filter(|lifetime| !lifetime.is_zero() && *lifetime <= MAX_LIFETIME)
            .and_then(|lifetime| now.checked_add(lifetime))
            .ok_or_else(|| malformed("`expires_in` is no number of seconds, or out of range"))?;
        Ok(Self { text, expires_at })
    }

    /// Sets `Authorization` to the token, without a scheme, as Wix expects it. A former value is
    /// replaced.
    pub fn authorize<B>(&self, request: &mut Request<B>) {
        self.authorize_headers(request.headers_mut());
    }

    /// Does the same as [`authorize`](Self::authorize) for the headers of another request type,
    /// such as `reqwest::Request::headers_mut`.
    pub fn authorize_headers(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.header_value());
    }

    /// The time until which Wix accepts the token.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    fn header_value(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.text).expect("visible ASCII, as it was read");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
