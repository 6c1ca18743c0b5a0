//! Where a request has its app instance.

use std::borrow::Cow;

use http::{Request, header::AUTHORIZATION};

use super::error::{AppInstanceError, AppInstanceErrorKind};
use crate::wix::authorization::without_bearer;

/// Finds the app instance of a request: in `Authorization`, with or without `Bearer `, or in the
/// query as `?instance=`. An `Authorization` field with another scheme, such as `Basic`, is none.
///
/// The returned text is not verified yet: give it to
/// [`AppInstance::parse`](super::AppInstance::parse).
///
/// # Errors
///
/// [`AppInstanceErrorKind::Missing`] if the request has none. [`AppInstanceErrorKind::Conflicting`]
/// if the request has several that differ, because two readers could choose different ones.
pub fn app_instance_of<B>(request: &Request<B>) -> Result<Cow<'_, str>, AppInstanceError> {
    let in_headers = request
        .headers()
        .get_all(AUTHORIZATION)
        .iter()
        // A value that is not ASCII is no app instance either, and is refused as malformed.
        .map(|value| without_bearer(value.to_str().unwrap_or("?")))
        .filter(|value| !has_scheme(value))
        .map(Cow::Borrowed);
    let query = request.uri().query().unwrap_or_default();
    let in_query = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "instance")
        .map(|(_, value)| value);
    let mut found: Option<Cow<'_, str>> = None;
    for candidate in in_headers.chain(in_query) {
        match &found {
            Some(first) if *first != candidate => {
                return Err(AppInstanceErrorKind::Conflicting.into());
            }
            _ => found = Some(candidate),
        }
    }
    found
        .filter(|text| !text.is_empty())
        .ok_or_else(|| AppInstanceErrorKind::Missing.into())
}

/// Whether a value is of an authentication scheme (RFC 9110 section 11.4): an app instance has no
/// space. The names of schemes have no dot, unlike an app instance with something behind it.
fn has_scheme(value: &str) -> bool {
    value.split_once(' ').is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}
