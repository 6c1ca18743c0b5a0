//! Fingerprints: operators see which secret it is, and the secret stays unseen.

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, Secret, SecretSet, generate_secret,
    validate_auth,
};

use crate::support::{
    request::{get, options, post, signed},
    secret::{NEW, OLD, secret},
};

/// Computed by `openssl dgst -sha256 -hmac`.
#[test]
fn a_fingerprint_is_the_one_of_openssl() {
    for (text, fingerprint) in [
        ("b5a8f2c9d01e4763a1908d7c6b5e4f30", "be8f3651"),
        (OLD, "d775ec5d"),
        (NEW, "9b9bff2d"),
    ] {
        assert_eq!(secret(text).fingerprint().to_string(), fingerprint);
    }
}

#[test]
fn a_fingerprint_is_32_bits_of_a_mac() {
    for _ in 0..100 {
        let secret = Secret::from_text(&generate_secret().unwrap()).unwrap();
        let mac = secret.mac(b"hmac-auth fingerprint v1\n").into_bytes();
        let [a, b, c, d, ..] = mac;
        let digits = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        assert_eq!(secret.fingerprint().to_string(), digits);
        assert_eq!(format!("{secret:?}"), format!("Secret({digits})"));
        assert_eq!(secret.clone().fingerprint(), secret.fingerprint());
    }
    // It belongs to the bytes, however they were spelled.
    let hex = Secret::from_hex("30313233343536373839616263646566").unwrap();
    let base64 = Secret::from_base64("MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
    let text = secret("0123456789abcdef");
    assert_eq!(hex.fingerprint(), text.fingerprint());
    assert_eq!(base64.fingerprint(), text.fingerprint());
    assert_ne!(secret(OLD).fingerprint(), secret(NEW).fingerprint());
}

#[test]
fn a_set_shows_the_fingerprint_of_each_secret() {
    let texts = [NEW, OLD, "an older secret, long enough"];
    let [new, old, older] = texts.map(|text| secret(text).fingerprint());
    let set = SecretSet::with_previous(secret(NEW), texts[1..].iter().map(|text| secret(text)));
    let set = set.unwrap();
    assert!(set.fingerprints().eq([new, old, older]));
    assert_eq!(
        format!("{set:?}"),
        format!("SecretSet(current {new}, previous {old} {older})")
    );
    assert_eq!(
        format!("{:?}", SecretSet::new(secret(OLD))),
        format!("SecretSet(current {old})")
    );
    let memory = MemorySecrets::new();
    memory.insert_set("site-a", set);
    assert!(
        format!("{memory:?}").contains(&new.to_string()),
        "{memory:?}"
    );
}

#[test]
fn a_wrong_mac_shows_which_secrets_were_tried() {
    let host = MemorySecrets::new();
    host.insert(DEFAULT_SECRET_NAME, secret(OLD));
    host.rotate(DEFAULT_SECRET_NAME, secret(NEW)).unwrap();
    for request in [signed(get()), signed(post())] {
        let error = validate_auth(&request, &host, &options()).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::WrongMac);
        for fingerprint in [secret(OLD).fingerprint(), secret(NEW).fingerprint()] {
            for text in [error.to_string(), format!("{error:#}")] {
                assert!(text.contains(&fingerprint.to_string()), "{text}");
            }
        }
        // The peer does not learn them.
        assert_eq!(
            error.public_body(),
            r#"{"error":"Invalid authentication token"}"#
        );
    }
}
