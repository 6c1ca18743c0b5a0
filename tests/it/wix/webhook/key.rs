//! The public key in the texts in which configurations hold it.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE},
};
use hmac_auth::wix::{WebhookEvent, WebhookKey, WebhookKeyError as Error, WebhookOptions};

use crate::support::webhook::{FILE, NOW, at, pem, vector};

fn verifies(text: &str) -> bool {
    let key = WebhookKey::from_pem(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let options = WebhookOptions::new(key).at(at(NOW));
    WebhookEvent::verify(vector("domain event").0.as_bytes(), &options).is_ok()
}

#[test]
fn a_key_is_read_from_every_text_that_holds_it() {
    let pem_text = pem("app", "public");
    let trimmed = pem_text.trim();
    let base64: String = trimmed
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let wrapped = STANDARD.encode(pem_text);
    let wrapped: Vec<&str> = wrapped
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    for text in [
        pem_text.to_owned(),
        trimmed.to_owned(),
        format!("\r\n  {trimmed}\n\n"),
        format!("\u{feff}{pem_text}"),
        pem_text.replace('\n', "\r\n"),
        pem_text.replace('\n', "\\n"),
        pem_text.replace('\n', "\\r\\n"),
        pem_text.replace('\n', "\\\\n"),
        trimmed.replace('\n', " "),
        trimmed.replace('\n', ""),
        format!("\"{pem_text}\""),
        format!("'{trimmed}'"),
        format!("\"{}\"", pem_text.replace('\n', "\\n")),
        STANDARD.encode(pem_text),
        STANDARD_NO_PAD.encode(trimmed),
        URL_SAFE.encode(pem_text),
        format!("\"{}\"\n", STANDARD.encode(trimmed)),
        wrapped.join("\n"),
        base64,
        pem("app", "public_pkcs1").to_owned(),
        STANDARD.encode(pem("app", "public_pkcs1")),
    ] {
        assert!(verifies(&text), "{text}");
    }
    assert!(!verifies(pem("other", "public")));
    let parsed: WebhookKey = pem_text.parse().unwrap();
    assert_eq!(
        format!("{parsed:?}"),
        format!("{:?}", WebhookKey::from_pem(trimmed).unwrap())
    );
}

#[test]
fn what_is_no_key_is_named_with_a_remedy() {
    let public = pem("app", "public");
    let inside = "\nMIIB!\n";
    let label = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----");
    for (text, expected) in [
        (String::new(), Error::Empty),
        (" \n".to_owned(), Error::Empty),
        ("\"\"".to_owned(), Error::Empty),
        (
            "d245bbf8-57eb-49d6-aeff-beff6d82cd39".to_owned(),
            Error::NotPem,
        ),
        ("not a key!".to_owned(), Error::NotPem),
        ("https://example.com/key.pem".to_owned(), Error::NotPem),
        // The shell and Docker cut a variable after its first line.
        (public.lines().next().unwrap().to_owned(), Error::Truncated),
        (
            public.lines().take(3).collect::<Vec<_>>().join("\n"),
            Error::Truncated,
        ),
        ("-----BEGIN PUBLIC".to_owned(), Error::Truncated),
        (
            STANDARD.encode(public.lines().next().unwrap()),
            Error::Truncated,
        ),
        (format!("{public}{public}"), Error::Several),
        (format!("key:\n{public}"), Error::Several),
        (
            label("PUBLIC KEY").replace("\nAAAA\n", inside),
            Error::NotBase64,
        ),
        (
            label("PUBLIC KEY").replace("\nAAAA\n", "\n"),
            Error::NotBase64,
        ),
        (pem("app", "private").to_owned(), Error::PrivateKey),
        (label("PRIVATE KEY"), Error::PrivateKey),
        (label("ENCRYPTED PRIVATE KEY"), Error::PrivateKey),
        (STANDARD.encode(pem("app", "private")), Error::PrivateKey),
        (
            FILE["test_only_keys"]["certificate"]
                .as_str()
                .unwrap()
                .to_owned(),
            Error::WrongLabel {
                label: "CERTIFICATE".to_owned(),
            },
        ),
        (label("PUBLIC KEY"), Error::NotRsa),
        (pem("ec", "public").to_owned(), Error::NotRsa),
        (
            pem("short", "public").to_owned(),
            Error::WrongLength { bits: 1024 },
        ),
    ] {
        let error = WebhookKey::from_pem(&text).unwrap_err();
        assert_eq!(error, expected, "{text}");
    }
}

/// Bytes that stand behind the key are no part of it, and an altered key is another one or none.
#[test]
fn the_whole_of_the_key_counts() {
    let base64: String = pem("app", "public")
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let der = STANDARD.decode(base64).unwrap();
    let longer = [&der[..], &[0]].concat();
    let shorter = &der[..der.len() - 1];
    for changed in [&longer[..], shorter] {
        let error = WebhookKey::from_pem(&STANDARD.encode(changed)).unwrap_err();
        assert_eq!(error, Error::NotRsa);
    }
    for index in (0..der.len()).step_by(7) {
        let mut changed = der.clone();
        changed[index] ^= 1;
        let Ok(key) = WebhookKey::from_pem(&STANDARD.encode(changed)) else {
            continue;
        };
        let options = WebhookOptions::new(key).at(at(NOW));
        let (text, _) = vector("domain event");
        assert!(
            WebhookEvent::verify(text.as_bytes(), &options).is_err(),
            "byte {index}"
        );
    }
}

#[test]
fn no_error_shows_the_text() {
    let secret = "Zm9v-secret-Zm9v";
    for text in [
        secret.to_owned(),
        format!("-----BEGIN {secret}"),
        format!("-----BEGIN PUBLIC KEY-----{secret}!"),
        format!("-----BEGIN PUBLIC KEY-----{secret}!-----END PUBLIC KEY-----"),
        format!("{secret}-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----"),
    ] {
        let error = WebhookKey::from_pem(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
}

#[test]
fn several_keys_may_be_accepted() {
    let key = |name| WebhookKey::from_pem(pem(name, "public")).unwrap();
    let only_other = WebhookOptions::new(key("other")).at(at(NOW));
    let both = only_other.clone().also_accept(key("app"));
    let (text, _) = vector("domain event");
    assert!(WebhookEvent::verify(text.as_bytes(), &only_other).is_err());
    assert!(WebhookEvent::verify(text.as_bytes(), &both).is_ok());
    let (text, _) = vector("by another key");
    assert!(WebhookEvent::verify(text.as_bytes(), &both).is_ok());
}
