//! The self-hosted backend of a Wix app: app instances, access tokens, elevation, CORS and webhooks.
//!
//! A page of the app sends its *app instance* with each request. An app instance is a short JSON
//! object that Wix signs with the app secret. [`AppInstance::parse`] verifies it. The result says
//! which installation of the app the request comes from, and who looks at the page:
//!
//! ```
//! use hmac_auth::{
//!     SecretSet,
//!     wix::{
//!         AppInstance, AppInstanceError, AppInstanceOptions, app_instance_of,
//!     },
//! };
//!
//! /// `app_secrets` holds the app secret from the OAuth page of the dashboard.
//! fn settings<B>(
//!     request: &http::Request<B>,
//!     app_secrets: &SecretSet,
//! ) -> Result<String, AppInstanceError> {
//!     let options = AppInstanceOptions::new().app_id("the id of your app");
//!     let text = app_instance_of(request)?;
//!     let instance = AppInstance::parse(&text, app_secrets, &options)?;
//!     instance.require_owner()?;
//!     Ok(format!("the settings of {}", instance.instance_id()))
//! }
//! # use hmac_auth::{Secret, generate_secret, wix::AppInstanceErrorKind};
//! # let secrets = Secret::from_text(&generate_secret()?)?.into();
//! # let refused = settings(&http::Request::new(()), &secrets).unwrap_err();
//! # assert_eq!(refused.kind(), AppInstanceErrorKind::Missing);
//! # Ok::<(), hmac_auth::SecretError>(())
//! ```
//!
//! With the feature `tower`, `ValidateAppInstanceLayer` verifies the app instances of whole routes.
//!
//! # Which token is which
//!
//! | text | meaning | checked by |
//! | --- | --- | --- |
//! | `signature.payload` | app instance: the installation, and who looks at the page | you, with the app secret; or Wix, by Token Info |
//! | `OauthNG.JWS.…` | access token of a visitor, a member, a Wix user or the app | Wix only, by Token Info |
//! | `header.payload.signature` | JWT, as webhooks have it | you, with the public key of the app: `WebhookEvent` and `ServicePluginRequest`, with the feature `wix-webhooks` |
//! | `wixcode-pub.…` | public instance of a site's own code | Wix only |
//!
//! # Elevation
//!
//! The access tokens of visitors and members have few rights. A backend may exchange one for an
//! access token of the app itself, in three steps:
//!
//! 1. [`token_info_request`] and [`TokenInfo::from_response`] ask Wix about the token. It must be
//!    active, not expired, and for this app.
//! 2. You decide by [`TokenInfo::subject_type`] and [`TokenInfo::subject_id`] whether this subject
//!    may do *this*.
//! 3. [`access_token_request`] and [`AccessToken::from_response`] get an access token of the app
//!    for the same installation.
//!
//! To act as the visitor, and not as the app, [`visitor_token_request`] and [`VisitorToken`] take the
//! place of the third step. A Headless project, which has no installation, asks with
//! [`admin_token_request`].
//!
//! These functions do no I/O. With the feature `client`, `wix::Elevation` sends the requests, and
//! keeps each answer while it is usable. With the feature `tower` too, `wix::TokenInfoLayer` takes
//! the first step for whole routes. The third step alone is enough if you have an
//! [`InstanceId`] from elsewhere, such as the verified [`AppInstance`] of an owner.
//!
//! ```
//! use hmac_auth::wix::{
//!     AccessToken, AppCredentials, SubjectType, TokenInfo,
//!     access_token_request, token_info_request,
//! };
//! # use http::{Request, Response};
//! # use std::time::{Duration, SystemTime, UNIX_EPOCH};
//! # fn send(request: Request<Vec<u8>>) -> Response<Vec<u8>> {
//! #     let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
//! #     let exp = now.as_secs() + 60;
//! #     let token = r#"{"access_token":"OauthNG.JWS.a.b.c","expires_in":14400}"#;
//! #     let info = format!(
//! #         r#"{{"active":true,"clientId":"id of the app","instanceId":"i",
//! #             "exp":"{exp}","subjectType":"MEMBER"}}"#
//! #     );
//! #     Response::new(match request.uri().path() {
//! #         "/oauth2/token" => token.into(),
//! #         _ => info.into(),
//! #     })
//! # }
//!
//! let credentials = AppCredentials::new("id of the app", "secret of the app")?;
//!
//! let request = token_info_request("OauthNG.JWS.header.payload.signature")?;
//! let now = SystemTime::now();
//! let app_id = credentials.app_id();
//! let info = TokenInfo::from_response(&send(request), app_id, now)?;
//! assert_eq!(info.subject_type(), SubjectType::Member);
//!
//! let request = access_token_request(&credentials, info.instance_id());
//! let sent_at = SystemTime::now();
//! let token = AccessToken::from_response(&send(request), sent_at)?;
//! let url = "https://www.wixapis.com/members/v1/members";
//! let mut call = Request::get(url).body(())?;
//! token.authorize(&mut call);
//! assert_eq!(call.headers()["authorization"], "OauthNG.JWS.a.b.c");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # CORS
//!
//! With the feature `tower`, `wix::cors(app_id)` makes a layer. It lets the app's own pages, from
//! `https://<app-id>.wix.run`, call your backend. `allow_origin` adds the domains of sites. For
//! routes where the access token is the gate, there is `wix::cors_for_any_origin`. Put each layer
//! around one route, outside of authentication: the preflight request of a browser has no token.
//!
//! # Webhooks
//!
//! With the feature `wix-webhooks`, `WebhookEvent` verifies the webhooks of Wix,
//! `ServicePluginRequest` the requests of service plugins, and `verify_body_digest` those of payment
//! plugins. With `tower` too, `ReceiveWebhooks` is a whole endpoint: it hands each event to a queue
//! once.
//!
//! # Security
//!
//! An app instance has no nonce: everybody who sees one can use it while it is fresh. Send app
//! instances in headers over TLS, and keep them out of logs. An app instance says who looks at a
//! page. It does not say that this person wanted the request. It is signed, not encrypted.

pub use self::{
    app_instance::{
        AppInstance, AppInstanceError, AppInstanceErrorKind, AppInstanceOptions,
        DEFAULT_APP_SECRET_NAME, DEFAULT_MAX_AGE, Identity, MAX_APP_INSTANCE_LEN, app_instance_of,
    },
    elevation::{
        AccessToken, AppCredentials, CredentialsError, ElevationError, ElevationErrorKind,
        InstanceId, MAX_ACCESS_TOKEN_LEN, SubjectType, TokenInfo, VisitorToken,
        access_token_request, admin_token_request, token_info_request, visitor_token_request,
    },
};

#[cfg(feature = "client")]
pub use self::elevation::{DEFAULT_ELEVATION_TIMEOUT, ElevatedToken, Elevation};
#[cfg(all(feature = "client", feature = "tower"))]
pub use self::elevation::{
    FrontendToken, RequireTokenInfo, RequireTokenInfoFuture, TokenInfoLayer,
};
#[cfg(feature = "wix-webhooks")]
pub use self::webhook::{
    AppEvent, DEFAULT_MAX_WEBHOOK_AGE, DomainEvent, DomainEventBody, MAX_WEBHOOK_LEN,
    ServicePluginRequest, WebhookError, WebhookErrorKind, WebhookEvent, WebhookIdentity,
    WebhookKey, WebhookKeyError, WebhookOptions, verify_body_digest,
};
#[cfg(all(feature = "wix-webhooks", feature = "tower"))]
pub use self::webhook::{
    DEFAULT_REMEMBERED_WEBHOOKS, DEFAULT_WEBHOOK_TIMEOUT, NotQueued, ReceiveWebhooks,
    ReceiveWebhooksFuture, WebhookQueue,
};
#[cfg(feature = "tower")]
pub use self::{
    app_instance::{ValidateAppInstance, ValidateAppInstanceFuture, ValidateAppInstanceLayer},
    cors::{
        AnyOriginCorsLayer, Cors, CorsFuture, CorsLayer, OriginError, cors, cors_for_any_origin,
    },
};

mod app_id;
mod app_instance;
mod authorization;
#[cfg(feature = "tower")]
mod cors;
mod elevation;
mod error_kinds;
#[cfg(feature = "wix-webhooks")]
mod webhook;
