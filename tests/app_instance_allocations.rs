//! How often the heap is asked for memory for an app instance of Wix: once, for the text that it keeps.

#[path = "common/counting.rs"]
mod counting;

use std::time::{Duration, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use counting::counted;
use hmac_auth::{
    Secret, SecretSet,
    wix::{AppInstance, AppInstanceErrorKind, AppInstanceOptions},
};
use serde_json::Value;

#[test]
fn reading_allocates_the_kept_text_and_refusing_before_it_nothing() {
    let samples: Vec<Value> =
        serde_json::from_str(include_str!("data/wix-app-instances.json")).unwrap();
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
            outcome.unwrap();
            assert_eq!(count, 1, "{name}");
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
