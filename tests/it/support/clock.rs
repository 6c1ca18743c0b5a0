//! Requests signed at any second, and what a host says about them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_auth::{
    AuthErrorKind, SignError, SignOptions, ValidateOptions, sign_request, validate_auth,
};

use crate::support::request::{self, TestRequest, get, secrets, signed_as, time};

/// The largest integer of RFC 8941 section 3.3.1.
pub(crate) const MAX: i64 = 999_999_999_999_999;

pub(crate) const LONG: Duration = Duration::MAX;

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A correctly signed request with these time parameters, as text.
pub(crate) fn with_times(times: &str) -> TestRequest {
    signed_as(
        get(),
        &format!(r#"("@method" "@authority" "@path" "@query"){times}"#),
    )
}

pub(crate) fn created(created: i64) -> TestRequest {
    with_times(&format!(";created={created}"))
}

/// `None` if accepted.
pub(crate) fn outcome(request: &TestRequest, options: &ValidateOptions) -> Option<AuthErrorKind> {
    validate_auth(request, &secrets(), options)
        .err()
        .map(|error| error.kind())
}

/// Signs at `at` with `options` and expects the error, with the request as it was.
pub(crate) fn sign_fails(options: &SignOptions) {
    let mut request = request::post();
    let headers = request.headers().clone();
    let error = sign_request(&mut request, &secrets(), options).unwrap_err();
    assert!(matches!(error, SignError::TimeOutOfRange), "{error:?}");
    assert_eq!(*request.headers(), headers);
    assert_eq!(request.body(), request::post().body());
}

/// As late as the platform can represent, on Unix the second `i64::MAX`.
pub(crate) fn far_future() -> SystemTime {
    UNIX_EPOCH
        .checked_add(seconds(i64::MAX.unsigned_abs()))
        .unwrap_or_else(|| time(MAX))
}

pub(crate) fn far_past() -> SystemTime {
    UNIX_EPOCH
        .checked_sub(seconds(i64::MAX.unsigned_abs()))
        .unwrap_or(UNIX_EPOCH)
}
