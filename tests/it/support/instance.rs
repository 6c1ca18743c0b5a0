//! App instances signed as Wix signs them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    Secret, SecretSet,
    wix::{AppInstance, AppInstanceError, AppInstanceErrorKind as Kind, AppInstanceOptions},
};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "d245bbf8-57eb-49d6-aeff-beff6d82cd39";

pub(crate) const NOW: u64 = 1_700_000_000; // 2023-11-14T22:13:20Z

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn options() -> AppInstanceOptions {
    AppInstanceOptions::new().at(at(NOW))
}

pub(crate) fn secrets() -> SecretSet {
    Secret::from_text(SECRET).unwrap().into()
}

pub(crate) fn signed_text(payload: &str) -> String {
    format!(
        "{}.{payload}",
        URL_SAFE_NO_PAD.encode(
            Secret::from_text(SECRET)
                .unwrap()
                .mac(payload.as_bytes())
                .into_bytes()
        )
    )
}

pub(crate) fn signed(json: impl AsRef<[u8]>) -> String {
    signed_text(&URL_SAFE_NO_PAD.encode(json))
}

pub(crate) fn parse(text: &str) -> Result<AppInstance, AppInstanceError> {
    AppInstance::parse(text, &secrets(), &options())
}

pub(crate) fn refusal(text: &str) -> Kind {
    parse(text).expect_err(text).kind()
}

/// The documented shape of a site owner, with some fields replaced; `Value::Null` writes a null, a
/// missing one is removed.
pub(crate) fn payload(changes: &[(&str, Option<Value>)]) -> String {
    let mut payload = json!({
        "instanceId": "130db01f-83b1-17c8-1803-c27217800b45",
        "appDefId": "bbebb",
        "signDate": "2023-11-14T22:00:00.123Z",
        "uid": "de6bdd4c-6090-427a-a9f7-d1222b659088",
        "permissions": "OWNER",
        "demoMode": false,
        "siteOwnerId": "owner",
        "siteMemberId": "member",
        "expirationDate": "2023-11-15T02:00:00.123Z",
        "loginAccountId": "account",
        "vendorProductId": "Premium-Package",
        "originInstanceId": "origin",
        "pai": null,
        "lpai": null,
    });
    let fields = payload.as_object_mut().unwrap();
    for (name, value) in changes {
        match value {
            Some(value) => fields.insert((*name).to_owned(), value.clone()),
            None => fields.remove(*name),
        };
    }
    payload.to_string()
}
