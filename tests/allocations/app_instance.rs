//! The allocations of an app instance of Wix: one for its JSON text, and one for each of its
//! strings. An app instance whose signature is wrong costs none.

use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    Secret, SecretSet,
    wix::{AppInstance, AppInstanceErrorKind, AppInstanceOptions},
};
use serde_json::Value;

use crate::counting::counted;

/// The fields whose strings an [`AppInstance`] owns. An empty string needs no memory.
const OWNED_STRINGS: [&str; 10] = [
    "instanceId",
    "appDefId",
    "uid",
    "aid",
    "permissions",
    "vendorProductId",
    "siteOwnerId",
    "siteMemberId",
    "loginAccountId",
    "originInstanceId",
];

#[test]
fn reading_allocates_what_is_kept_and_refusing_before_it_nothing() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("../data/wix-app-instances.json")).unwrap();
    assert_eq!(samples.len(), 11);
    // When the youngest had not expired yet: 2021-12-27T12:00:00Z.
    let options = AppInstanceOptions::new()
        .max_age(Duration::MAX)
        .at(UNIX_EPOCH + Duration::from_secs(1_640_606_400));
    for sample in samples {
        let of = |name: &str| sample[name].as_str().unwrap().to_owned();
        let (name, mut text) = (of("name"), of("instance"));
        let secret = Secret::from_text(&of("secret")).unwrap_or_else(|_| {
            // One of them has a secret that is too short: its payload is signed anew.
            let secret = Secret::from_text(&"x".repeat(16)).unwrap();
            let payload = text.split_once('.').unwrap().1;
            text = format!(
                "{}.{payload}",
                URL_SAFE_NO_PAD.encode(secret.mac(payload.as_bytes()).into_bytes())
            );
            secret
        });
        let secrets = SecretSet::new(secret);
        let (count, outcome) = counted(|| AppInstance::parse(&text, &secrets, &options));
        if sample["verifies"] == true {
            let instance = outcome.unwrap();
            let is_owned = |field: &&str| {
                instance
                    .field(field)
                    .is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()))
            };
            let strings = OWNED_STRINGS.iter().filter(|field| is_owned(field)).count();
            assert!((1..=7).contains(&strings), "{name}: {strings}");
            assert_eq!(count, 1 + strings, "{name}");
        } else {
            assert_eq!(
                outcome.unwrap_err().kind(),
                AppInstanceErrorKind::WrongMac,
                "{name}"
            );
            assert_eq!(count, 0, "{name}");
        }
    }
}
