//! The time that a refusal names.

use http::{
    HeaderMap,
    header::{AGE, DATE},
};

use crate::time::unix_seconds;

/// The `Date` of an answer to this very request.
///
/// `Age` says that a cache has answered (RFC 9111 section 5.1), whatever its value is: the `Date` is
/// then that of an answer to somebody else. Two lines of `Date` say nothing.
pub(super) fn date_of(answer: &HeaderMap) -> Option<i64> {
    if answer.contains_key(AGE) {
        return None;
    }
    let mut lines = answer.get_all(DATE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let time = httpdate::parse_http_date(line.to_str().ok()?).ok()?;
    Some(unix_seconds(time))
}
