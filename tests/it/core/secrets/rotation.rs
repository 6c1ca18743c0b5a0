//! Secrets in memory: sets, rotation while others read, and retirement.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, SecretError, SecretSet, SecretStore,
    SignOptions, ValidateOptions, sign_request, validate_auth,
};
use http::Request;

use crate::support::secret::{NEW, OLD, is_set_of, secret};

#[test]
fn a_set_holds_three_previous_secrets() {
    let previous = |count| (0..count).map(|_| secret(OLD)).collect::<Vec<_>>();
    assert_eq!(
        SecretSet::with_previous(secret(NEW), previous(3))
            .unwrap()
            .accepted()
            .count(),
        4
    );
    let error = SecretSet::with_previous(secret(NEW), previous(4)).unwrap_err();
    assert!(
        matches!(error, SecretError::TooManyPrevious { count: 4 }),
        "{error}"
    );
}

#[test]
fn memory_rotates_retires_and_removes() {
    let secrets = MemorySecrets::new();
    assert!(matches!(
        secrets.rotate("a", secret(NEW)),
        Err(SecretError::NotFound { .. })
    ));
    assert!(matches!(
        secrets.retire("a"),
        Err(SecretError::NotFound { .. })
    ));

    let handle = secrets.clone();
    let generations: Vec<String> = (0..6)
        .map(|n| format!("generation {n}, long enough"))
        .collect();
    handle.insert("a", secret(&generations[0]));
    for generation in &generations[1..] {
        handle.rotate("a", secret(generation)).unwrap();
    }
    let newest: Vec<&str> = generations
        .iter()
        .rev()
        .take(4)
        .map(String::as_str)
        .collect();
    assert!(
        is_set_of(&secrets.lookup("a").unwrap(), &newest),
        "the current one and three before it"
    );

    secrets.retire("a").unwrap();
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &newest[..1]));
    assert!(secrets.remove("a"));
    assert!(!secrets.remove("a"));
    assert!(matches!(
        secrets.lookup("a"),
        Err(SecretError::NotFound { .. })
    ));
}

#[test]
fn a_revoked_name_stays_revoked_until_a_secret_is_inserted() {
    let secrets = MemorySecrets::new();
    let is_revoked = |name| matches!(secrets.lookup(name), Err(SecretError::Revoked { name: shown, .. }) if shown == name);
    secrets.insert("a", secret(OLD));
    assert!(secrets.clone().revoke("a"), "it was there");
    assert!(!secrets.revoke("a"), "it was there once only");
    assert!(is_revoked("a"));
    assert!(format!("{secrets:?}").contains("revoked"), "{secrets:?}");
    for error in [
        secrets.rotate("a", secret(NEW)).unwrap_err(),
        secrets.retire("a").unwrap_err(),
    ] {
        assert!(matches!(error, SecretError::Revoked { .. }), "{error:?}");
    }
    assert!(is_revoked("a"));
    secrets.insert("a", secret(NEW));
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));
    // Before there was anything, and for nobody else.
    assert!(!secrets.revoke("b"));
    assert!(is_revoked("b"));
    assert!(secrets.lookup("a").is_ok());
    // What is removed is neither there nor revoked.
    assert!(!secrets.remove("b"));
    assert!(matches!(
        secrets.lookup("b"),
        Err(SecretError::NotFound { .. })
    ));
}

const REFUSED: u32 = u32::MAX / 2;

/// A signature made with any secret that was current a moment ago is accepted all the time, and
/// nobody sees half a rotation.
#[test]
fn requests_are_accepted_during_a_rotation() {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, secret("generation 0, long enough"));
    let validated = [AtomicU32::new(0), AtomicU32::new(0)];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for validated in &validated {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut request = Request::get("https://host.example/").body("").unwrap();
                    sign_request(&mut request, &secrets, &SignOptions::new()).unwrap();
                    match validate_auth(&request, &secrets, &ValidateOptions::new()) {
                        Ok(_) => validated.fetch_add(1, Ordering::Relaxed),
                        Err(_) => validated.swap(REFUSED, Ordering::Relaxed),
                    };
                }
            });
        }
        for generation in 1..200 {
            let before = validated
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed));
            secrets
                .rotate(
                    DEFAULT_SECRET_NAME,
                    secret(&format!("generation {generation}, long enough")),
                )
                .unwrap();
            // No request may outlive two rotations, however slow its thread is: three previous
            // secrets are accepted.
            while validated.iter().zip(before).any(|(count, before)| {
                (before..before + 2).contains(&count.load(Ordering::Relaxed))
            }) {
                thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(
        validated
            .iter()
            .all(|count| (200..REFUSED).contains(&count.load(Ordering::Relaxed))),
        "{validated:?}"
    );
}

#[test]
fn a_retired_secret_is_refused() {
    let (host, consumer) = (MemorySecrets::new(), MemorySecrets::new());
    host.insert(DEFAULT_SECRET_NAME, secret(OLD));
    consumer.insert(DEFAULT_SECRET_NAME, secret(OLD));
    let mut request = Request::get("https://host.example/").body("").unwrap();
    sign_request(&mut request, &consumer, &SignOptions::new()).unwrap();
    let kind = || {
        validate_auth(&request, &host, &ValidateOptions::new())
            .map_err(|error| error.kind())
            .err()
    };

    assert!(
        !validate_auth(&request, &host, &ValidateOptions::new())
            .unwrap()
            .by_previous_secret()
    );
    host.rotate(DEFAULT_SECRET_NAME, secret(NEW)).unwrap();
    assert_eq!(kind(), None);
    assert!(
        validate_auth(&request, &host, &ValidateOptions::new())
            .unwrap()
            .by_previous_secret()
    );
    host.retire(DEFAULT_SECRET_NAME).unwrap();
    assert_eq!(kind(), Some(AuthErrorKind::WrongMac));
    host.revoke(DEFAULT_SECRET_NAME);
    assert_eq!(kind(), Some(AuthErrorKind::Revoked));
    host.remove(DEFAULT_SECRET_NAME);
    assert_eq!(kind(), Some(AuthErrorKind::SecretUnavailable));
}

#[test]
fn a_store_works_behind_a_pointer() {
    let secrets = MemorySecrets::new();
    secrets.insert("a", secret(NEW));
    let shared: std::sync::Arc<dyn SecretStore> = std::sync::Arc::new(secrets.clone());
    let borrowed: &dyn SecretStore = &secrets;
    for store in [&shared as &dyn SecretStore, &borrowed] {
        assert!(is_set_of(&store.lookup("a").unwrap(), &[NEW]));
    }
}
