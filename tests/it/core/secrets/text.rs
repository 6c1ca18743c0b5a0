//! The encodings of a secret, and its limits.

use hmac_auth::{Secret, generate_secret};

use crate::support::secret::{same, secret};

#[test]
fn encodings_are_explicit() {
    let hex = "30313233343536373839616263646566";
    let text = "0123456789abcdef";
    assert!(same(
        &secret(text),
        &Secret::from_bytes(text.as_bytes()).unwrap()
    ));
    assert!(same(&secret(text), &Secret::from_hex(hex).unwrap()));
    assert!(same(
        &secret(text),
        &Secret::from_hex(&hex.to_uppercase()).unwrap()
    ));
    assert!(same(
        &secret(text),
        &Secret::from_base64("MDEyMzQ1Njc4OWFiY2RlZg==").unwrap()
    ));
    // Hexadecimal given as text is text.
    assert!(!same(&secret(hex), &secret(text)));
    // Nothing is trimmed.
    assert!(!same(&secret(&format!("{text}\n")), &secret(text)));
}

#[test]
fn unusable_texts_are_refused_with_the_reason() {
    for (result, display) in [
        (
            Secret::from_hex("3031323334353637383961626364656"),
            "the secret is not hexadecimal",
        ),
        (
            Secret::from_hex("3031323334353637383961626364656g"),
            "the secret is not hexadecimal",
        ),
        (
            Secret::from_hex("+0313233343536373839616263646566"),
            "the secret is not hexadecimal",
        ),
        (
            Secret::from_base64("MDEyMzQ1Njc4OWFiY2RlZg"),
            "the secret is not base64",
        ),
        (
            Secret::from_base64("MDEyMzQ1Njc4OWFiY2RlZh=="),
            "the secret is not base64",
        ),
        (Secret::from_text(""), "the secret has 0 bytes, at least 16"),
        (
            Secret::from_text("fifteen bytes.."),
            "the secret has 15 bytes, at least 16",
        ),
        (
            Secret::from_hex("00"),
            "the secret has 1 bytes, at least 16",
        ),
    ] {
        let error = result.expect_err(display);
        assert!(error.to_string().starts_with(display), "{error}");
    }
    assert!(Secret::from_text("sixteen bytes...").is_ok());
}

#[test]
fn generated_secrets_are_new_and_printable() {
    let (one, other) = (generate_secret().unwrap(), generate_secret().unwrap());
    assert_ne!(one, other);
    assert_eq!(one.len(), 43);
    assert!(
        one.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    );
    assert!(Secret::from_text(&one).is_ok());
}
