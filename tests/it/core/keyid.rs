//! Key ids and algorithms: the host decides, and the request only selects.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AlgParameter, AuthErrorKind as Kind, DEFAULT_SECRET_NAME, MIN_SECRET_LEN, MemorySecrets,
    Secret, SecretError, validate_auth,
};

use crate::support::{
    request::{
        self, INPUT, get, options, refusal, secret, secrets, sign_options, signed_as, signed_by,
        signed_with, validate, with_signature,
    },
    store::Noting,
};

/// An unknown key became an empty key.
#[test]
pub(crate) fn pitfall_08_an_unknown_key_id_never_falls_back() {
    for len in 0..MIN_SECRET_LEN {
        assert!(
            matches!(Secret::from_bytes(&vec![b'x'; len]), Err(SecretError::TooShort { len: found }) if found == len)
        );
        assert!(Secret::from_text(&"x".repeat(len)).is_err());
        assert!(Secret::from_hex(&"ab".repeat(len)).is_err());
        assert!(Secret::from_base64(&STANDARD.encode(vec![7; len])).is_err());
    }
    // HMAC pads its key with zeros: this one gives the MACs of the empty key.
    let empty = Secret::from_bytes(&[0; 16]).unwrap();
    let store = secrets();
    store.insert(
        "secret-a",
        Secret::from_text("the secret of site a").unwrap(),
    );
    let options = options().key_ids([("site-a", "secret-a"), ("site-b", "secret-b")]);
    for key in [&empty, &secret()] {
        for (key_id, expected) in [
            (r#";keyid="site-a""#, Kind::WrongMac),
            // Listed, but its secret is not there.
            (r#";keyid="site-b""#, Kind::SecretUnavailable),
            (r#";keyid="site-c""#, Kind::UnknownKeyId),
            (r#";keyid="""#, Kind::UnknownKeyId),
            (r#";keyid="SITE-A""#, Kind::UnknownKeyId),
            (r#";keyid="site-a ""#, Kind::UnknownKeyId),
            ("", Kind::UnknownKeyId),
        ] {
            let request = signed_by(key, get(), &format!("{INPUT}{key_id}"));
            assert_eq!(
                validate_auth(&request, &store, &options)
                    .unwrap_err()
                    .kind(),
                expected,
                "{key_id}"
            );
        }
    }
    // The shared mode has no fallback either.
    let nothing = MemorySecrets::new();
    let request = signed_by(&empty, get(), INPUT);
    assert_eq!(
        validate_auth(&request, &nothing, &request::options())
            .unwrap_err()
            .kind(),
        Kind::SecretUnavailable
    );
}

/// The request chose the algorithm.
#[test]
pub(crate) fn pitfall_12_the_request_does_not_choose_the_algorithm() {
    validate(&signed_as(get(), INPUT)).unwrap();
    validate(&signed_as(get(), &format!(r#"{INPUT};alg="hmac-sha256""#))).unwrap();
    validate(&signed_with(
        get(),
        &sign_options().alg(AlgParameter::HmacSha256),
    ))
    .unwrap();
    for alg in [
        "",
        "none",
        "NONE",
        "hmac-sha1",
        "hmac-sha512",
        "hmac-sha384",
        "HMAC-SHA256",
        "hmac-sha256 ",
        "hmac_sha256",
        "sha256",
    ] {
        // The MAC is right: only the name of the algorithm is not.
        let input = format!(r#"{INPUT};alg="{alg}""#);
        assert_eq!(
            refusal(&signed_as(get(), &input)),
            Kind::UnsupportedAlgorithm,
            "{alg}"
        );
        for mac in [&[][..], &[0; 20], &[0; 32], &[0; 64]] {
            assert!(
                validate(&with_signature(get(), "sig1", &input, mac)).is_err(),
                "{alg}"
            );
        }
    }
    for not_a_string in ["hmac-sha256", "1", "?1", ":aG1hYy1zaGEyNTY=:"] {
        let request = with_signature(
            get(),
            "sig1",
            &format!("{INPUT};alg={not_a_string}"),
            &[0; 32],
        );
        assert_eq!(
            refusal(&request),
            Kind::MalformedSignatureInput,
            "{not_a_string}"
        );
    }
}

/// The sender chose the key to verify with.
#[test]
pub(crate) fn pitfall_14_a_key_id_only_selects_from_the_hosts_list() {
    let all = secrets();
    for name in ["secret-a", "secret-b", "admin", "site-a"] {
        all.insert(
            name,
            Secret::from_text(&format!("the secret named {name}")).unwrap(),
        );
    }
    let secret_named = |name: &str| Secret::from_text(&format!("the secret named {name}")).unwrap();
    let store = Noting::new(all);
    let listed = options().key_ids([("site-a", "secret-a"), ("site-b", "secret-b")]);

    // The name of a secret is no key id, and a path is none either.
    for key_id in [
        "admin",
        "secret-a",
        DEFAULT_SECRET_NAME,
        "../secret-a",
        "site-c",
    ] {
        let request = signed_by(
            &secret_named("admin"),
            get(),
            &format!(r#"{INPUT};keyid="{key_id}""#),
        );
        assert_eq!(
            validate_auth(&request, &store, &listed).unwrap_err().kind(),
            Kind::UnknownKeyId,
            "{key_id}"
        );
        assert!(store.names().is_empty(), "{key_id}: asked for a secret");
    }
    // One consumer cannot pass as another, nor with a secret that happens to be named as the key
    // id.
    for (key_id, name, expected) in [
        ("site-a", "secret-a", None),
        ("site-b", "secret-b", None),
        ("site-a", "secret-b", Some(Kind::WrongMac)),
        ("site-b", "secret-a", Some(Kind::WrongMac)),
        ("site-a", "site-a", Some(Kind::WrongMac)),
        ("site-a", "admin", Some(Kind::WrongMac)),
    ] {
        let request = signed_by(
            &secret_named(name),
            get(),
            &format!(r#"{INPUT};keyid="{key_id}""#),
        );
        let outcome = validate_auth(&request, &store, &listed);
        assert_eq!(
            outcome.as_ref().err().map(hmac_auth::AuthError::kind),
            expected,
            "{key_id} {name}"
        );
        assert_eq!(store.names(), [key_id.replace("site", "secret")]);
        if let Ok(validated) = outcome {
            assert_eq!(
                (validated.key_id(), validated.consumer()),
                (Some(key_id), key_id)
            );
        }
    }
    // With one secret for all, the key id has no say at all.
    for key_id in ["admin", "secret-a", "../secret-a", ""] {
        let request = signed_by(
            &secret_named("admin"),
            get(),
            &format!(r#"{INPUT};keyid="{key_id}""#),
        );
        assert_eq!(
            validate_auth(&request, &store, &options())
                .unwrap_err()
                .kind(),
            Kind::WrongMac,
            "{key_id}"
        );
        assert_eq!(store.names(), [DEFAULT_SECRET_NAME]);
    }
}

/// The operator sees at once whether the consumer or the list is wrong.
#[test]
fn the_reason_names_the_key_id_and_some_that_are_listed() {
    for (names, expected) in [
        (&["b", "a"][..], r#"keyid "site-c", listed: a, b"#),
        (
            &["d", "c", "b", "a"],
            r#"keyid "site-c", listed: a, b, c, …"#,
        ),
    ] {
        let listed = options().key_ids(names.iter().map(|name| (*name, *name)));
        let request = signed_with(get(), &sign_options().key_id("site-c"));
        let error = validate_auth(&request, &secrets(), &listed).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownKeyId);
        assert!(error.to_string().ends_with(expected), "{error}");
        let request = signed_with(get(), &sign_options());
        let error = validate_auth(&request, &secrets(), &listed).unwrap_err();
        assert!(
            error.to_string().contains("keyid is absent, listed: a, b"),
            "{error}"
        );
    }
}
