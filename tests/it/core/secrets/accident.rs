//! What looks like an accident in a configured text is an error that names it, never part of a key.

use std::{error::Error, fs};

use hmac_auth::{FileSecrets, Secret, SecretEncoding, SecretError, SecretStore};

use crate::support::secret::{NEW, is_set_of, same, secret};

/// The result of a store for a file with this content.
fn read(content: &[u8], encoding: SecretEncoding) -> Result<Secret, SecretError> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), content).unwrap();
    let secrets = FileSecrets::new(directory.path()).encoding(encoding);
    secrets.lookup("a").map(|set| set.current().clone())
}

/// What is wrong with the content, in the words for the operator.
#[track_caller]
fn reason(content: &[u8], encoding: SecretEncoding) -> String {
    let error = read(content, encoding).expect_err("an accident");
    assert!(matches!(error, SecretError::Unusable { .. }), "{error:?}");
    error.source().expect("the reason").to_string()
}

#[test]
fn an_accident_is_named_and_never_part_of_a_key() {
    for (content, named) in [
        (format!("{NEW}\n\n"), "more than one line break"),
        (format!("{NEW}\r\n\r\n"), "more than one line break"),
        (format!("\n{NEW}"), "begins with a line break"),
        (format!("{NEW}\r"), "carriage return"),
        (format!("{NEW}\r\r\n"), "carriage return"),
        (format!("{NEW}\n{NEW}\n"), "several lines"),
        (format!("{NEW}\r\n{NEW}"), "several lines"),
        (format!("{NEW}\r{NEW}"), "carriage return"),
        (format!("\u{feff}{NEW}"), "byte order mark"),
        (format!("{NEW}\u{feff}{NEW}"), "byte order mark"),
        (format!("\"{NEW}\""), "quotation mark"),
        (format!("'{NEW}'\n"), "quotation mark"),
        (format!("\"{NEW}"), "quotation mark"),
        (format!("{NEW}'"), "quotation mark"),
        (format!("`{NEW}`"), "quotation mark"),
        (format!("\u{201c}{NEW}\u{201d}"), "quotation mark"),
        (format!(" {NEW}"), "begins with a blank"),
        (format!("{NEW} "), "ends with a blank"),
        (format!("{NEW} \n"), "ends with a blank"),
        (format!("\t{NEW}"), "begins with a blank"),
        (format!("{NEW}\t"), "ends with a blank"),
        (format!("{NEW}\u{a0}"), "ends with a blank"),
        (format!("{NEW}\0"), "NUL"),
        (format!("{NEW}\0{NEW}"), "NUL"),
        (format!("{NEW}\u{1b}[0m"), "control character"),
        (format!("{NEW}\t{NEW}"), "control character"),
        (format!("{NEW}\u{7f}"), "control character"),
        (format!("{NEW}\u{85}"), "control character"),
        (format!("{NEW}\u{200b}"), "invisible character"),
        (format!("{NEW}\u{200e}{NEW}"), "invisible character"),
        (format!("{NEW}\u{ad}{NEW}"), "invisible character"),
        (format!("{NEW}\u{fffd}"), "replacement character"),
    ] {
        let reason = reason(content.as_bytes(), SecretEncoding::Text);
        assert!(reason.contains(named), "{content:?}: {reason}");
        assert!(!reason.contains(NEW), "{reason}");
    }
    let utf_16: Vec<u8> = std::iter::once(0xfeff)
        .chain(NEW.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let reason = reason(&utf_16, SecretEncoding::Text);
    assert!(reason.contains("UTF-16"), "{reason}");
}

#[test]
fn what_is_no_accident_is_part_of_the_key() {
    for text in [
        "two words and more",
        "it's a \"quoted\" word",
        "a=b; c=d, $e #f \\n %20",
        "größer als nötig",
        "geheim\u{df}, \u{43a}\u{43b}\u{44e}\u{447} und \u{9375}",
    ] {
        for end in ["", "\n", "\r\n"] {
            let read = read(format!("{text}{end}").as_bytes(), SecretEncoding::Text).unwrap();
            assert!(same(&read, &secret(text)), "{text:?} {end:?}");
        }
    }
}

/// A caller who has the text says what it is.
#[test]
fn from_text_changes_nothing() {
    for text in [
        format!("{NEW}\n"),
        format!("\"{NEW}\""),
        format!("\u{feff} {NEW}\r\n\n"),
        format!("{NEW}\0."),
    ] {
        let made = Secret::from_text(&text).unwrap();
        assert!(same(&made, &Secret::from_bytes(text.as_bytes()).unwrap()));
        assert!(!same(&made, &secret(NEW)));
    }
}

#[test]
fn hexadecimal_and_base64_have_the_same_rule() {
    let (hex, base64) = (
        "30313233343536373839616263646566",
        "MDEyMzQ1Njc4OWFiY2RlZg==",
    );
    for (text, encoding) in [(hex, SecretEncoding::Hex), (base64, SecretEncoding::Base64)] {
        for end in ["", "\n", "\r\n"] {
            let read = read(format!("{text}{end}").as_bytes(), encoding).unwrap();
            assert!(same(&read, &secret("0123456789abcdef")), "{end:?}");
        }
        for (content, named) in [
            (format!("{text}\n\n"), "more than one line break"),
            (format!("{text} \n"), "ends with a blank"),
            (format!("\"{text}\""), "quotation mark"),
            (format!("\u{feff}{text}"), "byte order mark"),
            (format!("{text}\r"), "carriage return"),
            (format!("{text}\n{text}\n"), "several lines"),
            (
                format!("{}!{}", &text[..8], &text[8..]),
                "the secret is not",
            ),
        ] {
            let reason = reason(content.as_bytes(), encoding);
            assert!(reason.contains(named), "{content:?}: {reason}");
        }
    }
}

#[test]
fn what_is_no_text_is_advised_to_be_raw_bytes() {
    for encoding in [
        SecretEncoding::Text,
        SecretEncoding::Hex,
        SecretEncoding::Base64,
    ] {
        let reason = reason(&[0xfd; 32], encoding);
        assert!(reason.contains("`SecretEncoding::Raw`"), "{reason}");
        assert!(!reason.contains("real encoding"), "{reason}");
    }
}

/// `docker run --env-file` and a mounted file: one value, one secret.
#[test]
fn a_set_with_a_previous_secret_names_the_file_with_the_accident() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a"), NEW).unwrap();
    fs::write(directory.path().join("a.previous-2"), format!("'{NEW}'")).unwrap();
    let secrets = FileSecrets::new(directory.path());
    let error = secrets.lookup("a").unwrap_err();
    assert!(error.to_string().contains("a.previous-2"), "{error}");
    fs::write(directory.path().join("a.previous-2"), format!("{NEW}\n")).unwrap();
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW, NEW]));
}
