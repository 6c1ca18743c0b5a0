//! What stands in for the webhooks of Wix: a key pair for tests, and one webhook that it signs.

use std::{
    error::Error,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The keys of the crate's tests. Everybody knows the private one.
const TEST_FILE: &str = include_str!("../../tests/data/wix-webhooks.json");

/// What the dashboard of the app shows.
pub(crate) fn public_key() -> Result<String, Box<dyn Error>> {
    key("public")
}

/// Tells the backend that somebody has installed the app, as Wix does.
pub(crate) async fn send(url: &str, instance_id: &str) -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    // Three levels of JSON: the claims, the event, and its data.
    let event = json!({ "eventType": "AppInstalled", "instanceId": instance_id, "data": "{}" });
    let claims = json!({ "data": event.to_string(), "iat": now, "exp": now + 3600 });
    let response = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .post(url)
        .header("content-type", "text/plain")
        .body(signed(&claims)?)
        .send()
        .await?;
    // Wix would send it again.
    response.error_for_status()?;
    Ok(())
}

fn signed(claims: &Value) -> Result<String, Box<dyn Error>> {
    let pem = key("private")?;
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let key = EncodingKey::from_rsa_der(&STANDARD.decode(lines.collect::<String>())?);
    Ok(jsonwebtoken::encode(
        &Header::new(Algorithm::RS256),
        claims,
        &key,
    )?)
}

fn key(kind: &str) -> Result<String, Box<dyn Error>> {
    let file: Value = serde_json::from_str(TEST_FILE)?;
    let pem = file["test_only_keys"]["app"][kind].as_str();
    Ok(pem.ok_or("the file has no such key")?.to_owned())
}
