//! The checks before any secret is used: coverage, freshness, authority.

use super::{
    error::{AuthError, AuthErrorKind},
    options::ValidateOptions,
};
use crate::{
    escape::push_escaped,
    message::{Authority, AuthorityError, KnownField, RequestHead},
    signature::{Coverage, SignatureInput},
};

/// Checks what a signature covers, and whether it is fresh at `now`. Returns when it was made, and
/// what it leaves uncovered although a body must not have it so.
pub(super) fn check_signature(
    input: &SignatureInput<'_>,
    request: &RequestHead<'_>,
    options: &ValidateOptions,
    now: i64,
) -> Result<(i64, Coverage), AuthError> {
    let uncovered = check_coverage(input, request, options)?;
    Ok((check_freshness(input, options, now)?, uncovered))
}

/// The authority that the client has named, if it is one of the host's.
pub(super) fn authority_of<'a>(
    request: &RequestHead<'a>,
    options: &ValidateOptions,
) -> Result<Authority<'a>, AuthError> {
    if options.forwarded_host.is_none() {
        if let Some(listed) = request.known_authority(options.listed_authorities()) {
            return Ok(listed);
        }
    }
    let authority = named_authority(request, options)?;
    if options.lists_authority(authority) {
        Ok(authority)
    } else {
        Err(unlisted(authority, options.listed_authorities()))
    }
}

/// The authority that the client has named, whether it is one of the host's or not.
#[inline]
pub(crate) fn named_authority<'a>(
    request: &RequestHead<'a>,
    options: &ValidateOptions,
) -> Result<Authority<'a>, AuthorityError> {
    match &options.forwarded_host {
        Some(field) => request.authority_in(request.fields().named(field.as_str())),
        None => request.authority(),
    }
}

/// The refusal of a request for another host. It names some of those that are listed: mostly, a
/// proxy has replaced `Host`, and the operator sees at once by what.
#[cold]
fn unlisted(authority: Authority<'_>, listed: &[Box<str>]) -> AuthError {
    let mut detail = String::with_capacity(LISTING_LEN);
    push_escaped(&mut detail, authority.as_str());
    push_listed(&mut detail, listed.iter().map(|one| &**one));
    AuthError::new(AuthErrorKind::UnlistedAuthority).detail(detail)
}

/// Room for a name and some listed ones, in bytes: to refuse takes no more allocations than to
/// accept.
pub(super) const LISTING_LEN: usize = 320;

/// Names some of what the host has listed.
pub(super) fn push_listed<'a>(detail: &mut String, listed: impl IntoIterator<Item = &'a str>) {
    const SHOWN: usize = 3;
    for (index, one) in listed.into_iter().take(SHOWN + 1).enumerate() {
        detail.push_str(if index == 0 { ", listed: " } else { ", " });
        if index == SHOWN {
            detail.push('…');
        } else {
            push_escaped(detail, one);
        }
    }
}

fn check_coverage(
    input: &SignatureInput<'_>,
    request: &RequestHead<'_>,
    options: &ValidateOptions,
) -> Result<Coverage, AuthError> {
    // Some signers leave out the query of a request that has none.
    let always = match request.query() {
        None | Some("") => Coverage::ALWAYS.without(Coverage::QUERY),
        Some(_) => Coverage::ALWAYS,
    };
    let required = always | options.required_parts();
    let covered = input.coverage();
    if !covered.includes(required) {
        return Err(not_covered(required.without(covered)));
    }
    if options.names_fields() {
        check_fields(input, request, options)?;
    }
    let uncovered = meaning_of_body(request, options).without(covered);
    // Without a digest, the body itself is refused, whatever it means.
    if uncovered != Coverage::NONE
        && covered.includes(Coverage::CONTENT_DIGEST)
        && request.announces_body()
    {
        return Err(not_covered(uncovered));
    }
    Ok(uncovered)
}

/// Checks the fields that the host has named.
fn check_fields(
    input: &SignatureInput<'_>,
    request: &RequestHead<'_>,
    options: &ValidateOptions,
) -> Result<(), AuthError> {
    let is_there = |field: &&str| request.fields().named(field).next().is_some();
    let mut required = options
        .required_fields()
        .chain(options.fields_required_if_present().filter(is_there));
    match required.find(|field| !input.components().cover_field(field)) {
        Some(field) => Err(AuthError::new(AuthErrorKind::NotCovered).detail(field)),
        None => Ok(()),
    }
}

/// The fields that say what a body means, as far as the request has them: bytes under another
/// `Content-Type` or `Content-Encoding` are another body for the handler.
fn meaning_of_body(request: &RequestHead<'_>, options: &ValidateOptions) -> Coverage {
    let fields = request.fields();
    let mut parts = Coverage::NONE;
    if fields.has(KnownField::ContentEncoding) {
        parts = parts | Coverage::CONTENT_ENCODING;
    }
    if fields.has(KnownField::ContentType) && !options.accepts_uncovered_content_type() {
        parts = parts | Coverage::CONTENT_TYPE;
    }
    parts
}

/// The refusal of a signature that leaves these parts uncovered.
pub(super) fn not_covered(parts: Coverage) -> AuthError {
    AuthError::new(AuthErrorKind::NotCovered).detail(parts.names().next().unwrap_or_default())
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
    let max_skew = options.max_skew();
    if created > now.saturating_add(max_skew) {
        return refuse(AuthErrorKind::InFuture, ahead(created, now, max_skew));
    }
    match input.expires() {
        Some(expires) if expires < now => {
            let detail = format!("{} s ago", now.saturating_sub(expires));
            refuse(AuthErrorKind::Expired, detail)
        }
        _ => Ok(created),
    }
}

/// Says how far a time is in the future, or else that it has another unit than seconds.
#[cold]
fn ahead(created: i64, now: i64, max_skew: i64) -> String {
    if seems_in_milliseconds(created, now) {
        return format!(
            "`created` is {created}, which seems to be in milliseconds: the consumer must count in \
             seconds"
        );
    }
    let ahead = created.saturating_sub(now);
    format!("compare the clocks: {ahead} s ahead, {max_skew} s allowed")
}

/// Whether a time is near the present if it counts milliseconds.
pub(crate) fn seems_in_milliseconds(created: i64, now: i64) -> bool {
    const YEAR: u64 = 366 * 24 * 60 * 60;
    // Microseconds have more digits than an integer of RFC 9651.
    (created / 1_000).abs_diff(now) < YEAR
}
