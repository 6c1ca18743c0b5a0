//! The access token that a page has sent.

use std::{borrow::Cow, fmt, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use zeroize::Zeroizing;

use super::{
    error::{ElevationError, ElevationErrorKind},
    token_info::access_token_of,
};
use crate::wix::authorization::without_bearer;

/// The access token of a visitor, a member or a Wix user, as the page has sent it. The layer
/// `TokenInfoLayer` has asked Wix about it, and found it valid.
///
/// Cheap to clone. The text is wiped when the last clone is dropped, and `Debug` does not show the
/// text. The header of the request is not wiped.
#[derive(Clone)]
pub struct FrontendToken(Arc<Zeroizing<String>>);

impl FrontendToken {
    /// The text, without a scheme: for [`Elevation::elevate`](super::Elevation::elevate), which
    /// does not ask Wix about it again.
    ///
    /// # Security
    ///
    /// Its holder can do all that the visitor may do: keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Finds the only access token in `Authorization`, with or without `Bearer `.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ElevationError> {
        let mut lines = headers
            .get_all(AUTHORIZATION)
            .iter()
            // A value that is not ASCII is no token either, and is refused as malformed.
            .map(|value| Cow::Borrowed(without_bearer(value.to_str().unwrap_or("?"))));
        let text = lines.next().unwrap_or_default();
        if lines.any(|other| other != text) {
            return Err(ElevationErrorKind::Conflicting.into());
        }
        let text = access_token_of(&text)?;
        check_shape(text)?;
        Ok(Self(Arc::new(Zeroizing::new(text.to_owned()))))
    }
}

impl fmt::Debug for FrontendToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontendToken").finish_non_exhaustive()
    }
}

/// `OauthNG.JWS.` and the three parts of a JWT.
fn check_shape(token: &str) -> Result<(), ElevationError> {
    let is_of_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_of_part);
    let mut parts = token.split('.');
    let is_access_token = (parts.next(), parts.next()) == (Some("OauthNG"), Some("JWS"))
        && parts.clone().count() == 3
        && parts.all(is_part);
    if is_access_token {
        return Ok(());
    }
    let error = ElevationError::new(ElevationErrorKind::NotAccessToken);
    Err(match token.split('.').count() {
        2 => error.detail("it may be an app instance, for `ValidateAppInstanceLayer`"),
        3 => error.detail("it may be a JWT"),
        _ => error,
    })
}
