//! Secrets in environment variables, in a process of their own: these tests set variables.

#[path = "it/support/secret.rs"]
mod secret;

use std::{error::Error, fs};

use hmac_auth::{EnvSecrets, FileSecrets, SecretEncoding, SecretError, SecretStore};
use secret::{NEW, OLD, is_set_of, same};

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

/// The reasons of an error, outermost first.
fn chain(error: &SecretError) -> String {
    std::iter::successors(Some(error as &dyn Error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The same value mounted as a file and set as a variable gave two secrets.
#[test]
fn a_variable_and_a_file_have_one_rule() {
    let directory = tempfile::tempdir().unwrap();
    let mut accepted = 0;
    for (index, value) in [
        NEW.to_owned(),
        format!("{NEW}\n"),
        format!("{NEW}\r\n"),
        format!("{NEW}\n\n"),
        format!("{NEW}\r"),
        format!("\n{NEW}"),
        format!("{NEW}\n{NEW}"),
        format!("\u{feff}{NEW}"),
        format!("\"{NEW}\""),
        format!("'{NEW}'"),
        format!("{NEW}\""),
        format!("{NEW} "),
        format!("\t{NEW}"),
        format!("{NEW}\u{a0}"),
        format!("{NEW}\u{1b}"),
        format!("{NEW}\u{200b}"),
        "30313233343536373839616263646566\n".to_owned(),
        "MDEyMzQ1Njc4OWFiY2RlZg==\r\n".to_owned(),
        "too short\n".to_owned(),
        "\n".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        set(&format!("T3_{index}"), &value);
        fs::write(directory.path().join(index.to_string()), &value).unwrap();
        for encoding in [
            SecretEncoding::Text,
            SecretEncoding::Hex,
            SecretEncoding::Base64,
        ] {
            let name = index.to_string();
            let variable = EnvSecrets::new("T3_").encoding(encoding).lookup(&name);
            let file = FileSecrets::new(directory.path())
                .encoding(encoding)
                .lookup(&name);
            match (variable, file) {
                (Ok(variable), Ok(file)) => {
                    assert!(same(variable.current(), file.current()), "{value:?}");
                    accepted += 1;
                }
                (Err(variable), Err(file)) => {
                    let reason = |error: &SecretError| error.source().unwrap().to_string();
                    assert_eq!(reason(&variable), reason(&file), "{value:?}");
                    assert!(!chain(&variable).contains(NEW));
                }
                (variable, file) => panic!("{value:?}: {variable:?}, {file:?}"),
            }
        }
    }
    // Three line ends of one text; hexadecimal in each encoding; base64 in two of them.
    assert_eq!(accepted, 8);
}

#[test]
fn an_emptied_previous_variable_is_to_be_removed() {
    for (name, value) in [("empty", ""), ("break", "\n"), ("short", "changeme")] {
        let variable = format!("T4_{}", name.to_uppercase());
        set(&variable, NEW);
        set(&format!("{variable}_PREVIOUS_2"), value);
        let text = chain(&EnvSecrets::new("T4_").lookup(name).unwrap_err());
        let names = format!("environment variable {variable}_PREVIOUS_2 (remove it");
        assert!(text.contains(&names), "{text}");
        assert!(
            !text.contains("generate") && !text.contains("rand"),
            "{text}"
        );
    }
    set("T4_CURRENT", "");
    let text = chain(&EnvSecrets::new("T4_").lookup("current").unwrap_err());
    assert!(text.contains("openssl rand -hex 32"), "{text}");
}

#[test]
fn a_variable_revokes_a_secret() {
    for (name, value) in [("a", "1"), ("b", ""), ("c", "false")] {
        let variable = format!("T5_{}", name.to_uppercase());
        set(&variable, NEW);
        set(&format!("{variable}_REVOKED"), value);
        let error = EnvSecrets::new("T5_").lookup(name).unwrap_err();
        assert!(matches!(error, SecretError::Revoked { .. }), "{error:?}");
        assert!(
            error.to_string().contains(&format!("{variable}_REVOKED")),
            "{error}"
        );
    }
    // Also without a secret.
    set("T5_GONE_REVOKED", "1");
    assert!(matches!(
        EnvSecrets::new("T5_").lookup("gone"),
        Err(SecretError::Revoked { .. })
    ));
}

#[test]
fn a_variable_holds_no_raw_bytes() {
    set("T6_RAW", NEW);
    let secrets = EnvSecrets::new("T6_").encoding(SecretEncoding::Raw);
    let text = chain(&secrets.lookup("raw").unwrap_err());
    assert!(text.contains("T6_RAW") && text.contains("base64"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_an_error_that_names_it() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    // SAFETY: as in `set`.
    unsafe { std::env::set_var("T7_BYTES", OsStr::from_bytes(&[0xfd; 32])) };
    let text = chain(&EnvSecrets::new("T7_").lookup("bytes").unwrap_err());
    assert!(
        text.contains("T7_BYTES") && text.contains("UTF-8"),
        "{text}"
    );
}

/// The previous secret of one consumer was the secret of another one.
#[test]
fn no_name_reads_a_variable_with_a_meaning() {
    for (prefix, name) in [
        ("T8_", "a-previous"),
        ("T8_", "a.Previous.2"),
        ("T8_", "a revoked"),
        ("T8_A_", "previous"),
        ("t8_a_", "previous_3"),
    ] {
        for ending in ["A_PREVIOUS", "A_PREVIOUS_2", "A_PREVIOUS_3", "A_REVOKED"] {
            set(&format!("T8_{ending}"), NEW);
        }
        let error = EnvSecrets::new(prefix).lookup(name).unwrap_err();
        assert!(
            matches!(error, SecretError::InvalidName { .. }),
            "{prefix} {name}: {error:?}"
        );
    }
}
