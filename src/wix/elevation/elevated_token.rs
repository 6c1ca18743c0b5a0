//! The access token of the app that an elevation gives out.

use std::{sync::Arc, time::SystemTime};

use http::{HeaderMap, Request};

use super::{access_token::AccessToken, instance_id::InstanceId};

/// An access token of the app itself, for one installation. Its holder can do there all that the
/// app may do.
///
/// Cheap to clone. Use it at once and do not store it: [`Elevation`](super::Elevation) keeps the
/// token, and replaces it before it expires. `Debug` does not show the token.
#[derive(Clone, Debug)]
pub struct ElevatedToken {
    token: Arc<AccessToken>,
    instance_id: InstanceId,
}

impl ElevatedToken {
    pub(super) fn new(token: Arc<AccessToken>, instance_id: InstanceId) -> Self {
        Self { token, instance_id }
    }

    pub(super) fn token(&self) -> &Arc<AccessToken> {
        &self.token
    }

    /// Sets `Authorization` to the token, without a scheme, as Wix expects it. A former value is
    /// replaced.
    ///
    /// # Security
    ///
    /// Send the request only to Wix: its receiver has the rights of the app.
    pub fn authorize<B>(&self, request: &mut Request<B>) {
        self.token.authorize(request);
    }

    /// Does the same as [`authorize`](Self::authorize) for the headers of another request type,
    /// such as `reqwest::Request::headers_mut`.
    pub fn authorize_headers(&self, headers: &mut HeaderMap) {
        self.token.authorize_headers(headers);
    }

    /// The installation that the token is for.
    #[must_use]
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// The time until which Wix accepts the token.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.token.expires_at()
    }
}
