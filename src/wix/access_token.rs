use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    AppCredentials, ElevationError, ElevationErrorKind, InstanceId,
    oauth::{json_request, json_response, malformed, seconds},
};

/// No real token is valid for longer; Wix's are for four hours.
const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Asks Wix for a token of the app itself: `POST https://www.wixapis.com/oauth2/token`. See
/// [Create Access Token](https://dev.wix.com/docs/rest/app-management/oauth-2/create-access-token).
///
/// Send the request, and give the answer to [`AccessToken::from_response`].
///
/// # Security
///
/// The body is the app secret: it belongs into no log, and `Debug` of the request shows it. It is not wiped when the request is
/// dropped.
#[must_use]
pub fn access_token_request(
    credentials: &AppCredentials,
    instance_id: &InstanceId,
) -> Request<Vec<u8>> {
    #[derive(Serialize)]
    struct Question<'a> {
        grant_type: &'static str,
        client_id: &'a str,
        client_secret: &'a str,
        instance_id: &'a str,
    }

    let (client_id, client_secret, instance_id) = (
        credentials.app_id(),
        credentials.app_secret(),
        instance_id.as_str(),
    );
    let question = Question {
        grant_type: "client_credentials",
        client_id,
        client_secret,
        instance_id,
    };
    json_request(
        "https://www.wixapis.com/oauth2/token",
        &question,
        client_id.len() + client_secret.len() + instance_id.len(),
    )
}

/// A token of the app itself, for one installation. Whoever has it can do there whatever the app may.
///
/// It is wiped when it is dropped, and `Debug` does not show it; the headers that it was [written to](Self::authorize) are not
/// wiped.
pub struct AccessToken {
    text: Zeroizing<String>,
    expires_at: SystemTime,
}

impl AccessToken {
    /// Reads the answer to an [`access_token_request`].
    ///
    /// `now` is when the request was *sent*: `expires_in` counts from somewhere between then and the answer.
    ///
    /// # Errors
    ///
    /// [`ElevationErrorKind::CredentialsRefused`] for a 4xx, [`RateLimited`](ElevationErrorKind::RateLimited) for 429,
    /// [`Unavailable`](ElevationErrorKind::Unavailable) for 5xx, and
    /// [`MalformedResponse`](ElevationErrorKind::MalformedResponse) for anything else: no token that a header could hold, no
    /// `expires_in`, one that is zero or longer than a year, or more than 64 KiB.
    pub fn from_response(
        response: &Response<impl AsRef<[u8]>>,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        let mut answer = json_response(response, ElevationErrorKind::CredentialsRefused, now)?;
        let text = match answer.remove("access_token") {
            Some(Value::String(text)) => Zeroizing::new(text),
            _ => return Err(malformed("there is no `access_token`")),
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("`access_token` is no token"));
        }
        let lifetime = seconds(&answer, "expires_in").map(Duration::from_secs);
        let expires_at = match lifetime {
            Some(lifetime) if !lifetime.is_zero() && lifetime <= MAX_LIFETIME => {
                now.checked_add(lifetime)
            }
            _ => None,
        };
        Ok(Self {
            text,
            expires_at: expires_at.ok_or_else(|| {
                malformed("`expires_in` is no number of seconds, or out of range")
            })?,
        })
    }

    /// Sets `Authorization` to the token, without a scheme, as Wix has it, and replaces what was there.
    pub fn authorize<B>(&self, request: &mut Request<B>) {
        self.authorize_headers(request.headers_mut());
    }

    /// [`authorize`](Self::authorize) for the headers of any other kind of request, such as `reqwest::Request::headers_mut`.
    pub fn authorize_headers(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.header_value());
    }

    /// Until when Wix accepts it.
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
