//! Secrets in environment variables, in a process of their own: these tests set variables.

#[path = "it/support/secret.rs"]
mod secret;

use std::error::Error;

use hmac_auth::{EnvSecrets, SecretEncoding, SecretError, SecretStore};
use secret::{NEW, OLD, is_set_of};

/// Each test has variables of its own, so that they can run at the same time.
fn set(variable: &str, value: &str) {
    // SAFETY: the environment is only touched through the standard library here, which locks it.
    unsafe { std::env::set_var(variable, value) };
}

#[test]
fn environment_gives_current_and_previous() {
    set("T1_SITE_A_KEY", NEW);
    set("T1_SITE_A_KEY_PREVIOUS", OLD);
    set("T1_SITE_A_KEY_PREVIOUS_3", "the oldest secret of all");
    let secrets = EnvSecrets::new("T1_");
    assert!(is_set_of(
        &secrets.lookup("site-a.key").unwrap(),
        &[NEW, OLD, "the oldest secret of all"]
    ));

    set("T1_HEX", "30313233343536373839616263646566");
    let hex = EnvSecrets::new("T1_").encoding(SecretEncoding::Hex);
    assert!(is_set_of(
        &hex.lookup("hex").unwrap(),
        &["0123456789abcdef"]
    ));
}

#[test]
fn an_unset_or_unusable_variable_is_an_error_that_names_it() {
    set("T2_EMPTY", "");
    set("T2_SHORT", "too short");
    set("T2_GOOD", NEW);
    set("T2_GOOD_PREVIOUS", "");
    let secrets = EnvSecrets::new("T2_");
    assert!(
        matches!(secrets.lookup("unset"), Err(SecretError::NotFound { place, .. }) if place == "environment variable T2_UNSET")
    );
    assert!(matches!(
        secrets.lookup(""),
        Err(SecretError::InvalidName { .. })
    ));
    for (name, variable) in [
        ("empty", "T2_EMPTY"),
        ("short", "T2_SHORT"),
        ("good", "T2_GOOD_PREVIOUS"),
    ] {
        let error = secrets.lookup(name).unwrap_err();
        assert!(error.to_string().contains(variable), "{error}");
        let source = error.source().expect("the reason").to_string();
        assert!(source.contains("at least 16"), "{source}");
    }
    // An error is not kept: the next look-up sees the correction.
    set("T2_SHORT", NEW);
    assert!(is_set_of(&secrets.lookup("short").unwrap(), &[NEW]));
}
