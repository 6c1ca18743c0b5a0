//! Access tokens: the token of a visitor, the answer of Wix about it, and the token of the app.

pub use self::{
    access_token::{AccessToken, access_token_request, admin_token_request},
    credentials::{AppCredentials, CredentialsError},
    error::{ElevationError, ElevationErrorKind},
    instance_id::InstanceId,
    token_info::{MAX_ACCESS_TOKEN_LEN, SubjectType, TokenInfo, token_info_request},
    visitor_token::{VisitorToken, visitor_token_request},
};

#[cfg(feature = "client")]
pub use self::{
    elevated_token::ElevatedToken,
    exchange::{DEFAULT_ELEVATION_TIMEOUT, Elevation},
};

#[cfg(all(feature = "client", feature = "tower"))]
pub use self::{
    frontend_token::FrontendToken,
    layer::{RequireTokenInfo, RequireTokenInfoFuture, TokenInfoLayer},
};

mod access_token;
mod credentials;
#[cfg(feature = "client")]
mod elevated_token;
mod error;
#[cfg(feature = "client")]
mod exchange;
#[cfg(all(feature = "client", feature = "tower"))]
mod frontend_token;
mod instance_id;
#[cfg(all(feature = "client", feature = "tower"))]
mod layer;
#[cfg(feature = "client")]
mod lifetime;
mod oauth;
#[cfg(feature = "client")]
mod token_cache;
#[cfg(all(feature = "client", feature = "tower"))]
mod token_gate;
mod token_info;
mod visitor_token;
#[cfg(feature = "client")]
mod wix_api;
