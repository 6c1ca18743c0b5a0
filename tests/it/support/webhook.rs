//! Webhooks signed as Wix signs them, with keys that are for tests only.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac_auth::wix::{WebhookError, WebhookErrorKind, WebhookEvent, WebhookKey, WebhookOptions};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_700_000_000; // 2023-11-14T22:13:20Z

pub(crate) const HEADER: &str = r#"{"alg":"RS256","kid":"app-key-1","typ":"JWT"}"#;

/// The keys, and texts that other programs have signed.
pub(crate) static FILE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../data/wix-webhooks.json")).unwrap());

/// A text of the file of vectors, and when it was signed.
pub(crate) fn vector(name: &str) -> (&'static str, SystemTime) {
    let all = FILE["signed"].as_array().unwrap();
    let vector = all.iter().find(|vector| vector["name"] == name);
    let vector = vector.unwrap_or_else(|| panic!("no vector {name}"));
    (
        vector["jwt"].as_str().unwrap(),
        at(vector["at"].as_u64().unwrap()),
    )
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn pem(key: &str, kind: &str) -> &'static str {
    FILE["test_only_keys"][key][kind].as_str().unwrap()
}

pub(crate) fn options() -> WebhookOptions {
    WebhookOptions::new(WebhookKey::from_pem(pem("app", "public")).unwrap()).at(at(NOW))
}

/// The two texts as a JWT that the private key of the name has signed.
pub(crate) fn signed_by(key: &str, header: &str, claims: impl AsRef<[u8]>) -> String {
    let lines = pem(key, "private").lines();
    let base64: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let key = EncodingKey::from_rsa_der(&STANDARD.decode(base64).unwrap());
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::RS256).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn signed(claims: &(impl ToString + ?Sized)) -> String {
    signed_by("app", HEADER, claims.to_string())
}

/// Claims of now, valid for an hour.
pub(crate) fn claims(data: impl Into<Value>) -> Value {
    json!({"data": data.into(), "iat": NOW - 1, "exp": NOW + 3600})
}

/// The text that stands in the claim `data` of a webhook.
pub(crate) fn envelope(event_type: &str, data: &str) -> Value {
    json!({"eventType": event_type, "instanceId": "i-1", "data": data})
}

/// A signed webhook whose `data` holds this envelope.
pub(crate) fn webhook(envelope: &Value) -> String {
    signed(&claims(envelope.to_string()))
}

pub(crate) fn verify(text: impl AsRef<[u8]>) -> Result<WebhookEvent, WebhookError> {
    WebhookEvent::verify(text.as_ref(), &options())
}

#[track_caller]
pub(crate) fn refusal(text: impl AsRef<[u8]>) -> WebhookErrorKind {
    verify(text).expect_err("accepted").kind()
}
