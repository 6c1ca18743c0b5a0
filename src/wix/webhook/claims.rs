//! The claims of a JWT that Wix has signed: when, until when, by whom, for whom, and what.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    error::{WebhookError, WebhookErrorKind as Kind},
    json,
    options::WebhookOptions,
    signed_text::verified_json,
};
use crate::time::system_time;

/// The claims with the times that were checked. A claim that stands there twice is an error.
#[derive(Deserialize)]
pub(super) struct Claims<D> {
    iat: Date,
    exp: Date,
    nbf: Option<Date>,
    pub(super) iss: Option<Value>,
    pub(super) aud: Option<Value>,
    pub(super) data: D,
}

impl<D> Claims<D> {
    pub(super) fn issued_at(&self) -> SystemTime {
        self.iat.0
    }

    pub(super) fn expires_at(&self) -> SystemTime {
        self.exp.0
    }
}

/// Verifies a JWT, and reads its claims and checks its times.
pub(super) fn verified_claims(
    text: &[u8],
    options: &WebhookOptions,
) -> Result<(String, Claims<Value>), WebhookError> {
    let json = verified_json(text, options)?;
    let claims: Claims<Value> = read(&json)?;
    let not_before = claims.nbf.map(|date| date.0);
    options.check(claims.issued_at(), not_before, claims.expires_at())?;
    Ok((json, claims))
}

/// Reads the claims. `D` says which fields `data` must have.
pub(super) fn read<D: DeserializeOwned>(json: &str) -> Result<Claims<D>, WebhookError> {
    json::object(json).map_err(malformed)
}

pub(super) fn malformed(reason: impl Into<String>) -> WebhookError {
    WebhookError::new(Kind::MalformedClaims).detail(reason)
}

/// Seconds since 1970. A fraction is cut off.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Date(SystemTime);

impl TryFrom<f64> for Date {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, &'static str> {
        // The end of the year 9999. A time in milliseconds is far beyond it.
        const MAX: f64 = 253_402_300_799.0;
        if !(0.0..=MAX).contains(&seconds) {
            return Err("a time is not in seconds since 1970");
        }
        let since = Duration::try_from_secs_f64(seconds.trunc());
        let since = since
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok());
        since
            .and_then(system_time)
            .map(Self)
            .ok_or("a time is out of range")
    }
}
