//! Wix: what the self-hosted backend of a Wix app has to verify.
//!
//! A page of the app sends its *app instance* along with each request: a short JSON object that Wix has signed with the app secret.
//! [`AppInstance::parse`] verifies it and tells which installation of the app is calling and who is looking at it:
//!
//! ```
//! use hmac_auth::{
//!     SecretSet,
//!     wix::{AppInstance, AppInstanceError, AppInstanceOptions, app_instance_of},
//! };
//!
//! /// `app_secrets` holds the app secret, from the OAuth page of the app's dashboard.
//! fn settings<B>(request: &http::Request<B>, app_secrets: &SecretSet) -> Result<String, AppInstanceError> {
//!     let options = AppInstanceOptions::new().app_id("the id of your app");
//!     let instance = AppInstance::parse(&app_instance_of(request)?, app_secrets, &options)?;
//!     instance.require_owner()?;
//!     Ok(format!("the settings of {}", instance.instance_id()))
//! }
//! # let secrets = SecretSet::new(hmac_auth::Secret::from_text(&hmac_auth::generate_secret()?)?);
//! # let refused = settings(&http::Request::new(()), &secrets).unwrap_err();
//! # assert_eq!(refused.kind(), hmac_auth::wix::AppInstanceErrorKind::Missing);
//! # Ok::<(), hmac_auth::SecretError>(())
//! ```
//!
//! With the feature `tower`, an `AppInstanceLayer` does so for whole routes.
//!
//! # Which token is which
//!
//! | text | what it is | who can check it |
//! | --- | --- | --- |
//! | `signature.payload` | app instance: which installation, and who looks at it | you, with the app secret; or Wix, by Token Info |
//! | `OauthNG.JWS.…` | access token of a visitor, a member, a Wix user or the app | only Wix, which tells by its Token Info endpoint |
//! | `header.payload.signature` | JWT, as webhooks have it | you, with the app's public key; not with this crate |
//! | `wixcode-pub.…` | the public instance of a site's own code | only Wix |
//!
//! # Elevation
//!
//! The tokens of visitors and members may do little. A backend may exchange one for a token of the app itself, after asking Wix
//! whose it is, and after deciding that this subject may do *this*:
//!
//! 1. [`token_info_request`] and [`TokenInfo::from_response`]: is the token active, not expired, and for this app?
//! 2. your decision, by [`TokenInfo::subject_type`] and [`TokenInfo::subject_id`];
//! 3. [`access_token_request`] and [`AccessToken::from_response`]: a token of the app, for the same installation.
//!
//! These do no I/O. With the feature `client`, `wix::Elevation` sends them, and asks nothing twice while an answer is usable. Who has
//! an [`InstanceId`] otherwise, such as a verified [`AppInstance`] of the owner, needs the third step only.
//!
//! ```
//! use hmac_auth::wix::{AccessToken, AppCredentials, SubjectType, TokenInfo, access_token_request, token_info_request};
//! # use http::{Request, Response};
//! # use std::time::{Duration, SystemTime};
//! # fn send(request: Request<Vec<u8>>) -> Response<Vec<u8>> {
//! #     let exp = SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 60;
//! #     Response::new(if request.uri().path() == "/oauth2/token" {
//! #         br#"{"access_token":"OauthNG.JWS.a.b.c","expires_in":14400}"#.to_vec()
//! #     } else {
//! #         format!(r#"{{"active":true,"clientId":"id of the app","instanceId":"i","exp":"{exp}","subjectType":"MEMBER"}}"#).into()
//! #     })
//! # }
//!
//! let credentials = AppCredentials::new("id of the app", "secret of the app")?;
//!
//! let answer = send(token_info_request("OauthNG.JWS.header.payload.signature")?);
//! let info = TokenInfo::from_response(&answer, credentials.app_id(), SystemTime::now())?;
//! assert_eq!(info.subject_type(), SubjectType::Member);
//!
//! let sent_at = SystemTime::now();
//! let token = AccessToken::from_response(&send(access_token_request(&credentials, info.instance_id())), sent_at)?;
//! let mut call = Request::get("https://www.wixapis.com/members/v1/members").body(())?;
//! token.authorize(&mut call);
//! assert_eq!(call.headers()["authorization"], "OauthNG.JWS.a.b.c");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # CORS
//!
//! With the feature `tower`, `wix::cors(app_id)` is a layer that lets the browser's pages of the app, from `https://<app-id>.wix.run`,
//! call a backend. Put it outside of `AppInstanceLayer`: browsers ask first, without an app instance.
//!
//! # Security
//!
//! An app instance has no nonce: whoever sees it can use it for as long as it is fresh, so it belongs into headers over TLS, not into
//! logs. It says who looks at a page, not that they wanted what the request asks for. It is signed, not encrypted.

pub use self::{
    access_token::{AccessToken, access_token_request},
    app_instance::{
        AppInstance, AppInstanceError, AppInstanceErrorKind, AppInstanceOptions,
        DEFAULT_APP_SECRET_NAME, DEFAULT_MAX_AGE, Identity, MAX_APP_INSTANCE_LEN,
    },
    credentials::{AppCredentials, CredentialsError, InstanceId},
    elevation_error::{ElevationError, ElevationErrorKind},
    request::app_instance_of,
    token_info::{MAX_ACCESS_TOKEN_LEN, SubjectType, TokenInfo, token_info_request},
};

#[cfg(feature = "client")]
pub use self::elevation::{DEFAULT_ELEVATION_TIMEOUT, ElevatedToken, Elevation};
#[cfg(feature = "tower")]
pub use self::{
    cors::{Cors, CorsFuture, CorsService, cors},
    layer::{AppInstanceFuture, AppInstanceLayer, AppInstanceService},
};

mod access_token;
mod app_instance;
#[cfg(feature = "tower")]
mod cors;
mod credentials;
#[cfg(feature = "client")]
mod elevation;
mod elevation_error;
#[cfg(feature = "tower")]
mod layer;
mod oauth;
mod request;
mod token_info;
