//! Secrets that are absent, empty, short or public are never used.

use std::{collections::BTreeSet, fs, process::Command};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, MemorySecrets, Secret,
    SecretError, SecretSet, SecretStore, generate_secret, sign_request, validate_auth,
};

use crate::support::{
    implements::implements,
    request::{
        INPUT, SECRET, get, options, refusal, refusal_with, secret, sign_options, signed, signed_by,
    },
};

/// A secret that was not set became an empty HMAC key.
#[test]
pub(crate) fn pitfall_09_an_unset_variable_and_an_empty_file_are_errors() {
    const CHILD: &str = "PITFALL_09_CHILD";
    // The variables of a process can only be set from outside, so this test runs itself with them.
    if std::env::var_os(CHILD).is_some() {
        let store = EnvSecrets::new("PITFALL_09_");
        store.lookup("good").unwrap();
        for name in ["empty", "short", "previous-is-empty"] {
            let error = store.lookup(name).unwrap_err();
            assert!(
                matches!(&error, SecretError::Unusable { source, .. } if matches!(**source, SecretError::TooShort { .. })),
                "{name}: {error:?}"
            );
        }
        assert!(matches!(
            store.lookup("unset").unwrap_err(),
            SecretError::NotFound { .. }
        ));
        return;
    }
    let (_binary, this_test) = concat!(
        module_path!(),
        "::pitfall_09_an_unset_variable_and_an_empty_file_are_errors"
    )
    .split_once("::")
    .unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this_test])
        .envs([
            (CHILD, "1"),
            ("PITFALL_09_GOOD", SECRET),
            ("PITFALL_09_EMPTY", ""),
            ("PITFALL_09_SHORT", "fifteen bytes.."),
        ])
        .envs([
            ("PITFALL_09_PREVIOUS_IS_EMPTY", SECRET),
            ("PITFALL_09_PREVIOUS_IS_EMPTY_PREVIOUS", ""),
        ])
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}{}",
        String::from_utf8_lossy(&child.stderr)
    );

    let directory = tempfile::tempdir().unwrap();
    let store = FileSecrets::new(directory.path());
    for (name, content) in [
        ("empty", ""),
        ("newline", "\n"),
        ("crlf", "\r\n"),
        ("short", "fifteen bytes..\n"),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
        let error = store.lookup(name).unwrap_err();
        assert!(
            matches!(&error, SecretError::Unusable { source, .. } if matches!(**source, SecretError::TooShort { .. })),
            "{name}: {error:?}"
        );
        // Neither side goes on without it.
        let options = options().secret_name(name);
        assert_eq!(
            validate_auth(&signed(get()), &store, &options)
                .unwrap_err()
                .kind(),
            Kind::SecretUnavailable
        );
        assert!(sign_request(&mut get(), &store, &sign_options().secret_name(name)).is_err());
    }
    fs::write(directory.path().join("good"), SECRET).unwrap();
    fs::write(directory.path().join("good.previous"), "").unwrap();
    assert!(
        store.lookup("good").is_err(),
        "an empty previous secret is left out"
    );
    fs::remove_file(directory.path().join("good.previous")).unwrap();
    store.lookup("good").unwrap();
    assert!(matches!(
        store.lookup("unset").unwrap_err(),
        SecretError::NotFound { .. }
    ));
}

/// A secret was part of the program.
#[test]
pub(crate) fn pitfall_10_there_is_no_default_secret() {
    let directory = tempfile::tempdir().unwrap();
    let stores: [&dyn SecretStore; 4] = [
        &MemorySecrets::new(),
        &MemorySecrets::default(),
        &EnvSecrets::new("PITFALL_10_UNSET_"),
        &FileSecrets::new(directory.path()),
    ];
    for store in stores {
        assert!(matches!(
            store.lookup(DEFAULT_SECRET_NAME),
            Err(SecretError::NotFound { .. })
        ));
        assert!(sign_request(&mut get(), store, &sign_options()).is_err());
        assert_eq!(
            validate_auth(&signed(get()), store, &options())
                .unwrap_err()
                .kind(),
            Kind::SecretUnavailable
        );
    }
    let generated: BTreeSet<String> = (0..100).map(|_| generate_secret().unwrap()).collect();
    assert_eq!(generated.len(), 100, "generated secrets are new each time");
    assert!(
        generated
            .iter()
            .all(|text| URL_SAFE_NO_PAD.decode(text).unwrap().len() == 32)
    );
    assert!(implements!(MemorySecrets: Default).1);
    for (question, answer) in [
        implements!(Secret: Default),
        implements!(SecretSet: Default),
    ] {
        assert!(!answer, "{question}");
    }
}

/// A public key was used as an HMAC key.
#[test]
pub(crate) fn pitfall_13_no_public_key_is_a_secret() {
    let public_key = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";
    let confused = Secret::from_text(public_key).unwrap();
    let listed = options().key_ids([("site-a", DEFAULT_SECRET_NAME)]);
    for alg in [
        "rsa-pss-sha512",
        "rsa-v1_5-sha256",
        "ecdsa-p256-sha256",
        "ecdsa-p384-sha384",
        "ed25519",
    ] {
        for key in [&confused, &secret()] {
            let input = format!(r#"{INPUT};alg="{alg}";keyid="site-a""#);
            assert_eq!(
                refusal(&signed_by(key, get(), &input)),
                Kind::UnsupportedAlgorithm,
                "{alg}"
            );
            assert_eq!(
                refusal_with(&signed_by(key, get(), &input), &listed),
                Kind::UnsupportedAlgorithm,
                "{alg}"
            );
        }
    }
    // Called HMAC, it is just a wrong secret.
    let input = format!(r#"{INPUT};alg="hmac-sha256";keyid="site-a""#);
    assert_eq!(
        refusal(&signed_by(&confused, get(), &input)),
        Kind::WrongMac
    );
    assert_eq!(
        refusal_with(&signed_by(&confused, get(), &input), &listed),
        Kind::WrongMac
    );
}
