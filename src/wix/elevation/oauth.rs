//! The two OAuth endpoints of Wix share this: they get JSON, and answer with JSON or an error.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::error::{ElevationError, ElevationErrorKind};
use crate::escape::push_escaped;

/// The longest answer that is read, in bytes. Real ones have one or two thousand.
pub(super) const MAX_RESPONSE_LEN: usize = 64 * 1024;

/// The longest time that a `Retry-After` counts for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// A word of this length with that many digits may be a token or a secret. Error codes are shorter
/// or have fewer digits.
const MIN_HIDDEN_LEN: usize = 16;
const MIN_HIDDEN_DIGITS: usize = 3;

/// A request with `content` as its JSON body. The texts in `content` have `values_len` bytes.
pub(super) fn json_request(
    uri: &'static str,
    content: &impl Serialize,
    values_len: usize,
) -> Request<Vec<u8>> {
    // There is room for everything at once, even if each character is escaped: a buffer that grows
    // leaves copies of secrets behind.
    let mut body = Vec::with_capacity(128 + 6 * values_len);
    serde_json::to_writer(&mut body, content).expect("a struct of strings, written into memory");
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(uri);
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    request
}

/// The JSON object of an answer. If Wix answered 4xx, the error has the kind `refused`.
pub(super) fn json_response(
    response: &Response<impl AsRef<[u8]>>,
    refused: ElevationErrorKind,
    now: SystemTime,
) -> Result<Map<String, Value>, ElevationError> {
    let (status, body) = (response.status(), response.body().as_ref());
    let kind = match status.as_u16() {
        200..=299 => return read(body),
        429 => ElevationErrorKind::RateLimited,
        400..=499 => refused,
        500..=599 => ElevationErrorKind::Unavailable,
        _ => ElevationErrorKind::MalformedResponse,
    };
    let mut detail = format!("status {}", status.as_u16());
    if let Ok(error) = read(body) {
        push_reason(&mut detail, &error);
    }
    let wait = if status.is_server_error() || status == 429 {
        retry_after(response.headers(), now)
    } else {
        None
    };
    Err(ElevationError::new(kind).detail(detail).retry_in(wait))
}

/// Whether an answer is an error of RFC 6749 section 5.2 about the app, and not about a token.
pub(super) fn is_about_client(response: &Response<impl AsRef<[u8]>>) -> bool {
    read(response.body().as_ref()).is_ok_and(|error| {
        matches!(
            text(&error, "error"),
            Some("invalid_client" | "unauthorized_client")
        )
    })
}

/// A text that is present. A value that is empty, null or of another type counts as absent.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Whole seconds, rounded down: a number, or a text of digits.
pub(super) fn seconds(object: &Map<String, Value>, name: &str) -> Option<u64> {
    match object.get(name)? {
        Value::Number(number) => number.as_u64().or_else(|| {
            let seconds = Duration::try_from_secs_f64(number.as_f64()?);
            Some(seconds.ok()?.as_secs())
        }),
        Value::String(text) => digits(text),
        _ => None,
    }
}

pub(super) fn malformed(detail: impl Into<Arc<str>>) -> ElevationError {
    ElevationError::new(ElevationErrorKind::MalformedResponse).detail(detail)
}

/// What a 2xx says of an error, without secrets and escaped: `None` if it names none.
pub(super) fn reason(answer: &Map<String, Value>) -> Option<String> {
    let mut detail = String::new();
    push_reason(&mut detail, answer);
    detail
        .strip_prefix(", ")
        .filter(|_| is_error(answer))
        .map(str::to_owned)
}

/// Whether an answer names an error. A `message` alone may say anything.
fn is_error(answer: &Map<String, Value>) -> bool {
    ["error", "error_description"]
        .iter()
        .any(|name| text(answer, name).is_some())
        || answer
            .get("details")
            .is_some_and(|details| details.get("applicationError").is_some())
}

fn read(body: &[u8]) -> Result<Map<String, Value>, ElevationError> {
    if body.len() > MAX_RESPONSE_LEN {
        return Err(malformed("it has more than 64 KiB"));
    }
    // The message of `serde_json` may show a value, and the value may be a token.
    match serde_json::from_slice(body) {
        Ok(Fields(fields)) => Ok(fields),
        Err(error) => Err(malformed(format!(
            "it is not a JSON object, or has a field twice (line {}, column {})",
            error.line(),
            error.column()
        ))),
    }
}

/// The fields of a JSON object. A field that stands there twice is an error: two readers could take
/// different ones.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field stands there twice"));
            }
        }
        Ok(Fields(fields))
    }
}

/// Adds the texts of an error, which has the form of RFC 6749 section 5.2 or that of Wix.
fn push_reason(detail: &mut String, error: &Map<String, Value>) {
    let application_error = error
        .get("details")
        .and_then(|details| details.get("applicationError"));
    let of_application = |name| application_error.and_then(|error| error.get(name));
    let texts = [
        error.get("error"),
        of_application("code"),
        error.get("error_description"),
        of_application("description"),
        error.get("message"),
    ];
    for text in texts.into_iter().flatten().filter_map(Value::as_str) {
        if !text.is_empty() {
            detail.push_str(", `");
            push_escaped(detail, &without_secrets(text));
            detail.push('`');
        }
    }
}

/// Leaves out each word that may be a token or a secret, because Wix may repeat what it got.
fn without_secrets(text: &str) -> String {
    let is_part_of_word = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let mut out = String::new();
    for piece in text.split_inclusive(|c| !is_part_of_word(c)) {
        let word = piece.trim_end_matches(|c| !is_part_of_word(c));
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_hidden = word.len() >= MIN_HIDDEN_LEN && digits >= MIN_HIDDEN_DIGITS;
        out.push_str(if is_hidden { "…" } else { word });
        out.push_str(&piece[word.len()..]);
    }
    out
}

/// `Retry-After` (RFC 9110 section 10.2.3), in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?;
    let text = value.to_str().ok()?.trim_ascii();
    let wait = match digits(text) {
        Some(seconds) => Duration::from_secs(seconds),
        None => until_date(text, now)?,
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The time until a date of HTTP; none if the date has passed.
fn until_date(text: &str, now: SystemTime) -> Option<Duration> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    let date = crate::time::system_time(date.as_second())?;
    Some(date.duration_since(now).unwrap_or_default())
}

fn digits(text: &str) -> Option<u64> {
    // `parse` alone would accept `+5`.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
