//! Answers of Wix about tokens: they count only if they say what the caller relies on, and they are
//! read as their JSON says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_auth::wix::{
    AccessToken, ElevationError, ElevationErrorKind as Kind, SubjectType, TokenInfo, VisitorToken,
};
use http::{HeaderMap, Response, header};
use serde_json::{Map, Value};

use super::{choices::Choices, host, json::repeats_name};

const APP_ID: &str = "app-1";

/// The payload is `{"instanceId":"i-1","signDate":"2027-01-15T08:00:00Z"}`, and the signature is
/// none. Wix has judged the text, so it does not matter.
const ASKED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.eyJpbnN0YW5jZUlkIjoiaS0xIiwic2lnbkRhdGUiOiIyMDI3LTAxLTE1VDA4OjAwOjAwWiJ9";

/// Reads an answer with this body.
///
/// # Panics
///
/// If the answer is taken for another one than it is.
pub fn run(data: &[u8]) {
    let mut choices = Choices::new(data);
    let reader = choices.below(4);
    let status = choices.one_of(&[200, 200, 200, 200, 201, 302, 400, 401, 429, 500]);
    let mut response = Response::builder().status(status);
    if choices.once_in(4) {
        response = response.header(header::RETRY_AFTER, choices.text());
    }
    let Ok(response) = response.body(choices.rest()) else {
        return;
    };
    let fields = fields(&response);
    let now = host::now();
    match reader {
        0 => {
            let info = TokenInfo::from_response(&response, APP_ID, now);
            compare_info(info, fields.as_ref(), false, &response);
        }
        1 => {
            let info = TokenInfo::from_response_about(ASKED, &response, APP_ID, now);
            compare_info(info, fields.as_ref(), true, &response);
        }
        2 => match AccessToken::from_response(&response, now) {
            Ok(token) => {
                let mut headers = HeaderMap::new();
                token.authorize_headers(&mut headers);
                compare_token(&headers, token.expires_at(), fields.as_ref());
            }
            Err(error) => refuse_token(&error, fields.as_ref(), &response),
        },
        _ => match VisitorToken::from_response(&response, now) {
            Ok(token) => {
                let mut headers = HeaderMap::new();
                token.authorize_headers(&mut headers);
                compare_token(&headers, token.expires_at(), fields.as_ref());
            }
            Err(error) => refuse_token(&error, fields.as_ref(), &response),
        },
    }
}

/// The JSON object of a good answer.
fn fields(response: &Response<&[u8]>) -> Option<Map<String, Value>> {
    let is_good = response.status().is_success();
    is_good
        .then(|| serde_json::from_slice(response.body()).ok())
        .flatten()
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Whole seconds, as a number or a text of digits.
fn seconds(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    match fields.get(name)? {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Value::Number(number) => number.as_u64().or_else(|| {
            let seconds = Duration::try_from_secs_f64(number.as_f64()?);
            seconds.ok().map(|seconds| seconds.as_secs())
        }),
        _ => None,
    }
}

fn time(fields: &Map<String, Value>, name: &str) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds(fields, name)?))
}

/// Whether the answer says that a token is good, for this app, and until when.
fn good_until(fields: &Map<String, Value>, has_asked: bool) -> Option<SystemTime> {
    let is_active = match fields.get("active")? {
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        value => *value == Value::Bool(true),
    };
    let is_absent = fields.get("exp").is_none_or(Value::is_null);
    let id = text(fields, "instanceId")?;
    let expires_at = match time(fields, "exp") {
        None if has_asked && is_absent && id.eq_ignore_ascii_case("i-1") => {
            host::now() + Duration::from_secs(86_400)
        }
        exp => exp?,
    };
    let is_good = is_active
        && text(fields, "error").is_none()
        && expires_at > host::now()
        && text(fields, "clientId")?.eq_ignore_ascii_case(APP_ID)
        && id.trim() == id;
    is_good.then_some(expires_at)
}

fn compare_info(
    info: Result<TokenInfo, ElevationError>,
    fields: Option<&Map<String, Value>>,
    has_asked: bool,
    response: &Response<&[u8]>,
) {
    let expected = fields.and_then(|fields| good_until(fields, has_asked));
    match info {
        Err(error) => refuse(&error, expected.is_some(), response),
        Ok(info) => {
            let fields = fields.expect("a good answer");
            assert_eq!(Some(info.expires_at()), expected);
            assert_eq!(
                Some(info.instance_id().as_str()),
                text(fields, "instanceId")
            );
            assert_eq!(info.subject_id(), text(fields, "subjectId"));
            assert_eq!(info.account_id(), text(fields, "accountId"));
            assert_eq!(info.site_id(), text(fields, "siteId"));
            assert_eq!(info.vendor_product_id(), text(fields, "vendorProductId"));
            let is_member = text(fields, "subjectType") == Some("MEMBER");
            assert_eq!(info.subject_type() == SubjectType::Member, is_member);
        }
    }
}

fn refuse_token(
    error: &ElevationError,
    fields: Option<&Map<String, Value>>,
    response: &Response<&[u8]>,
) {
    let expected = fields.is_some_and(|fields| expected_token(fields).is_some());
    refuse(error, expected, response);
}

/// A field that stands there twice is the one reason to refuse a good answer.
fn refuse(error: &ElevationError, is_good: bool, response: &Response<&[u8]>) {
    let text = error.to_string();
    assert!(text.chars().all(|char| !char.is_control()), "{text:?}");
    if is_good {
        assert!(repeats_name(response.body()), "refused: {text}");
    }
    match response.status().as_u16() {
        429 => assert_eq!(error.kind(), Kind::RateLimited),
        500 => assert_eq!(error.kind(), Kind::Unavailable),
        _ => {}
    }
}

/// The token of an answer, and until when it is good.
fn expected_token(fields: &Map<String, Value>) -> Option<(&str, SystemTime)> {
    let token = text(fields, "access_token")?;
    let is_token = token.bytes().all(|byte| byte.is_ascii_graphic());
    let lifetime =
        seconds(fields, "expires_in").filter(|seconds| (1..=366 * 86_400).contains(seconds))?;
    is_token.then(|| (token, host::now() + Duration::from_secs(lifetime)))
}

fn compare_token(headers: &HeaderMap, expires_at: SystemTime, fields: Option<&Map<String, Value>>) {
    let (token, until) = fields.and_then(expected_token).expect("a token");
    assert_eq!(headers[header::AUTHORIZATION], token);
    assert_eq!(expires_at, until);
}
