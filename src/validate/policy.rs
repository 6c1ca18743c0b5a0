//! The checks before any secret is used: coverage, freshness, authority.

use super::{
    error::{AuthError, AuthErrorKind},
    options::ValidateOptions,
};
use crate::{
    escape::escape,
    message::{Authority, RequestHead},
    signature::{ComponentName, Coverage, SignatureInput},
    time::whole_seconds,
};

/// Checks what a signature covers, and whether it is fresh at `now`. Returns when it was made.
pub(super) fn check_signature(
    input: &SignatureInput<'_>,
    request: &RequestHead<'_>,
    options: &ValidateOptions,
    now: i64,
) -> Result<i64, AuthError> {
    check_coverage(input, request, options)?;
    check_freshness(input, options, now)
}

/// The authority that the client has named, if it is one of the host's.
pub(super) fn authority_of<'a>(
    request: &RequestHead<'a>,
    options: &ValidateOptions,
) -> Result<Authority<'a>, AuthError> {
    let authority = match &options.forwarded_host {
        Some(field) => request.authority_in(request.fields().named(field.as_str()))?,
        None => match request.known_authority(options.listed_authorities()) {
            Some(listed) => return Ok(listed),
            None => request.authority()?,
        },
    };
    if options.lists_authority(authority) {
        Ok(authority)
    } else {
        Err(AuthError::new(AuthErrorKind::UnlistedAuthority).detail(escape(authority.as_str())))
    }
}

fn check_coverage(
    input: &SignatureInput<'_>,
    request: &RequestHead<'_>,
    options: &ValidateOptions,
) -> Result<(), AuthError> {
    let not_covered = |name: &str| Err(AuthError::new(AuthErrorKind::NotCovered).detail(name));
    // Some signers leave out the query of a request that has none.
    let always = match request.query() {
        None | Some("") => Coverage::ALWAYS.without(Coverage::QUERY),
        Some(_) => Coverage::ALWAYS,
    };
    let required = always | options.required_parts();
    let covered = input.params().components.coverage();
    if !covered.includes(required) {
        let missing = required.without(covered).names().next();
        return not_covered(missing.unwrap_or_default());
    }
    let covers = |field: &str| {
        input.components().any(|component| {
            component.is_plain() && component.name() == ComponentName::Field(field)
        })
    };
    match options.required_fields().find(|field| !covers(field)) {
        Some(field) => not_covered(field),
        None => Ok(()),
    }
}

/// In whole seconds: `now - max_time_diff <= created <= now + max_clock_skew` and `now <= expires`.
/// Returns `created`.
fn check_freshness(
    input: &SignatureInput<'_>,
    options: &ValidateOptions,
    now: i64,
) -> Result<i64, AuthError> {
    let refuse = |kind, detail: String| Err(AuthError::new(kind).detail(detail));
    let created = input.created().ok_or(AuthErrorKind::MissingCreated)?;
    let (age, max_age) = (now.saturating_sub(created), options.max_age());
    if age > max_age {
        let detail = format!("{age} s old, {max_age} s allowed");
        return refuse(AuthErrorKind::Stale, detail);
    }
    let max_skew = whole_seconds(options.max_clock_skew);
    if created > now.saturating_add(max_skew) {
        let ahead = created.saturating_sub(now);
        let detail = format!("{ahead} s ahead, {max_skew} s allowed");
        return refuse(AuthErrorKind::InFuture, detail);
    }
    match input.expires() {
        Some(expires) if expires < now => {
            let detail = format!("{} s ago", now.saturating_sub(expires));
            refuse(AuthErrorKind::Expired, detail)
        }
        _ => Ok(created),
    }
}
