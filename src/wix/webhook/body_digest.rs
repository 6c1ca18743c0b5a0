//! The field `Digest` of payment plugins: a JWT with the hash of the body.

use http::HeaderMap;
use serde_json::Value;

use super::{
    claims::{malformed, read, verified_claims},
    error::{WebhookError, WebhookErrorKind as Kind},
    hex::hex,
    options::WebhookOptions,
};
use crate::{crypto::Sha256, escape::escape};

/// The claim `data`. A hash that stands there twice is an error.
#[derive(serde::Deserialize)]
struct Data {
    #[serde(rename = "SHA256")]
    sha256: String,
}

/// Verifies that Wix has signed this body, as it does for payment plugins.
///
/// The field `Digest` holds `JWT=…`, or the JWT alone. Its `data.SHA256` is the hash of the raw
/// body in hexadecimal digits.
///
/// ```
/// use hmac_auth::wix::{WebhookError, WebhookOptions, verify_body_digest};
///
/// fn create_transaction(
///     request: &http::Request<Vec<u8>>,
///     options: &WebhookOptions,
/// ) -> Result<(), WebhookError> {
///     verify_body_digest(request.headers(), request.body(), options)?;
///     // Only now read the body as JSON.
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// [`WebhookError`]: its kind is for the operator, its response for the peer.
///
/// # Security
///
/// Only the body is signed: no path, no method, no app. Limit the size of the body before.
///
/// Nothing here remembers a request. It can come again, from Wix or from somebody who has seen it:
/// handle each transaction once, by the id that the body has for it.
pub fn verify_body_digest(
    headers: &HeaderMap,
    body: &[u8],
    options: &WebhookOptions,
) -> Result<(), WebhookError> {
    let text = digest_field(headers)?;
    let (json, claims) = verified_claims(text, options)?;
    match claims.data {
        Value::Object(_) => {}
        Value::String(_) => return Err(Kind::Webhook.into()),
        _ => return Err(malformed("`data` is not an object")),
    }
    let signed = read::<Data>(&json)?.data.sha256;
    // The same hash in upper case is the same hash.
    if signed.eq_ignore_ascii_case(&hex(Sha256::digest(body))) {
        Ok(())
    } else {
        Err(Kind::WrongDigest.into())
    }
}

/// The JWT in the one `Digest` field.
fn digest_field(headers: &HeaderMap) -> Result<&[u8], WebhookError> {
    let mut lines = headers.get_all("digest").iter();
    let (line, None) = (lines.next().ok_or(Kind::NoDigest)?, lines.next()) else {
        return Err(Kind::SeveralDigests.into());
    };
    let value = line.as_bytes().trim_ascii();
    if value.contains(&b',') {
        return Err(Kind::SeveralDigests.into());
    }
    let text = match value.split_at_checked("jwt=".len()) {
        Some((name, text)) if name.eq_ignore_ascii_case(b"jwt=") => text,
        _ => value,
    };
    if text.is_empty() {
        return Err(WebhookError::new(Kind::NoDigest).detail("the field is empty"));
    }
    if let Some(end) = text.iter().position(|byte| *byte == b'=') {
        let name = escape(&String::from_utf8_lossy(&text[..end]));
        let detail = format!("the field `Digest` has `{name}=`, not `JWT=`");
        return Err(WebhookError::new(Kind::NotJwt).detail(detail));
    }
    Ok(text)
}
