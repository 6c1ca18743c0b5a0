use std::borrow::Cow;

use http::{Request, header::AUTHORIZATION};

use super::{AppInstanceError, AppInstanceErrorKind};

/// The app instance string of a request: its `Authorization` as it is, or after `Bearer `, or `?instance=` in its query.
///
/// Only found, not verified: give it to [`AppInstance::parse`](super::AppInstance::parse).
///
/// # Errors
///
/// [`AppInstanceErrorKind::Missing`] if there is none, [`AppInstanceErrorKind::Conflicting`] if there are several that differ: which of
/// them is meant must not depend on who reads them.
pub fn app_instance_of<B>(request: &Request<B>) -> Result<Cow<'_, str>, AppInstanceError> {
    let in_header = request
        .headers()
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| {
            // What is not ASCII is no app instance either, and is refused as one that is malformed.
            Cow::Borrowed(without_scheme(value.to_str().unwrap_or("?")))
        });
    let query = request.uri().query().unwrap_or_default();
    let in_query = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "instance")
        .map(|(_, value)| value);
    let mut found: Option<Cow<'_, str>> = None;
    for candidate in in_header.chain(in_query) {
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

pub(super) fn without_scheme(value: &str) -> &str {
    match value.split_at_checked("bearer ".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim_ascii_start(),
        _ => value,
    }
}
