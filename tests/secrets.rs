//! Secrets: encodings, limits, the three stores, and rotation while others read.

use std::{
    error::Error,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, MemorySecrets, Secret,
    SecretEncoding, SecretError, SecretSet, SecretStore, SignOptions, ValidateOptions,
    generate_secret, sign_request, validate_auth,
};
use http::Request;

const OLD: &str = "the old secret, long enough";
const NEW: &str = "the new secret, long enough";

fn secret(text: &str) -> Secret {
    Secret::from_text(text).expect("long enough")
}

/// Two secrets are the same if they give the same MAC.
fn same(left: &Secret, right: &Secret) -> bool {
    left.mac(b"probe").into_bytes() == right.mac(b"probe").into_bytes()
}

fn is_set_of(set: &SecretSet, texts: &[&str]) -> bool {
    set.accepted().count() == texts.len()
        && set
            .accepted()
            .zip(texts)
            .all(|(one, text)| same(one, &secret(text)))
}

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

const REFUSED: u32 = u32::MAX / 2;

/// A signature made with any secret that was current a moment ago is accepted all the time, and nobody sees half a rotation.
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
            // No request may outlive two rotations, however slow its thread is: three previous secrets are accepted.
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

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) {
    fs::write(directory.join(name), content).unwrap();
}

/// Makes a file look as if it had been there for an hour, so that its content is kept.
fn age(directory: &Path, name: &str, hours: u64) {
    let file = fs::File::options()
        .write(true)
        .open(directory.join(name))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours))
        .unwrap();
}

#[test]
fn files_give_current_and_previous_without_the_newline() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "site-a", format!("{NEW}\n"));
    write(directory.path(), "site-a.previous", format!("{OLD}\r\n"));
    write(
        directory.path(),
        "site-a.previous-2",
        "no newline, long enough",
    );
    write(
        directory.path(),
        "site-a.previous-3",
        "two newlines, long enough\n\n",
    );
    let secrets = FileSecrets::new(directory.path());
    let set = secrets.lookup("site-a").unwrap();
    assert!(is_set_of(
        &set,
        &[
            NEW,
            OLD,
            "no newline, long enough",
            "two newlines, long enough\n"
        ]
    ));

    write(directory.path(), "site-b", "MDEyMzQ1Njc4OWFiY2RlZg==\n");
    let base64 = FileSecrets::new(directory.path()).encoding(SecretEncoding::Base64);
    assert!(is_set_of(
        &base64.lookup("site-b").unwrap(),
        &["0123456789abcdef"]
    ));
}

#[test]
fn a_changed_file_is_picked_up() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = FileSecrets::new(directory.path());
    write(directory.path(), "a", OLD);
    age(directory.path(), "a", 2);
    for _ in 0..2 {
        assert!(
            is_set_of(&secrets.lookup("a").unwrap(), &[OLD]),
            "the second time from memory"
        );
    }
    // Same length, older than what was read: the change still shows.
    write(directory.path(), "a", NEW);
    age(directory.path(), "a", 3);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));
    // Two writes within one tick of the clock, of the same length, and no time to settle.
    for content in [OLD, NEW, OLD] {
        write(directory.path(), "a", content);
        assert!(is_set_of(&secrets.lookup("a").unwrap(), &[content]));
    }
    write(directory.path(), "a.previous", NEW);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD, NEW]));
    fs::remove_file(directory.path().join("a.previous")).unwrap();
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]));
    fs::remove_file(directory.path().join("a")).unwrap();
    assert!(matches!(
        secrets.lookup("a"),
        Err(SecretError::NotFound { .. })
    ));
}

/// Kubernetes mounts links to a directory that it replaces as a whole.
#[cfg(unix)]
#[test]
fn a_switched_link_is_picked_up() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for (version, content) in [("v1", OLD), ("v2", NEW)] {
        fs::create_dir(path.join(version)).unwrap();
        write(&path.join(version), "a", content);
        age(&path.join(version), "a", 2);
    }
    symlink("v1", path.join("current")).unwrap();
    symlink("current/a", path.join("a")).unwrap();
    let secrets = FileSecrets::new(path);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]));
    symlink("v2", path.join("next")).unwrap();
    fs::rename(path.join("next"), path.join("current")).unwrap();
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));
}

#[test]
fn an_unusable_file_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = FileSecrets::new(directory.path());
    write(directory.path(), "empty", "");
    write(directory.path(), "newline", "\n");
    write(directory.path(), "short", "fifteen bytes..\n");
    write(directory.path(), "binary", [0xff; 32]);
    write(directory.path(), "large", vec![b'x'; 64 * 1024 + 1]);
    fs::create_dir(directory.path().join("directory")).unwrap();
    for name in ["empty", "newline", "short", "binary"] {
        let error = secrets.lookup(name).unwrap_err();
        assert!(matches!(error, SecretError::Unusable { .. }), "{error:?}");
        assert!(
            error.to_string().contains(name) && error.source().is_some(),
            "{error}"
        );
    }
    assert!(matches!(
        secrets.lookup("directory"),
        Err(SecretError::Unreadable { .. })
    ));
    assert!(
        matches!(secrets.lookup("large"), Err(SecretError::Unreadable { .. })),
        "not the beginning of it"
    );
    assert!(
        matches!(secrets.lookup("absent"), Err(SecretError::NotFound { place, .. }) if place.ends_with("absent"))
    );
    // A name is not a path.
    for name in [
        "",
        ".",
        "..",
        "../empty",
        "a/b",
        "a\\b",
        ".hidden",
        "a\0b",
        "/etc/passwd",
        "ünï",
    ] {
        assert!(
            matches!(secrets.lookup(name), Err(SecretError::InvalidName { .. })),
            "{name}"
        );
    }
}

#[test]
fn a_file_that_becomes_unusable_is_refused_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = FileSecrets::new(directory.path());
    write(directory.path(), "a", OLD);
    age(directory.path(), "a", 2);
    assert!(secrets.lookup("a").is_ok());
    write(directory.path(), "a", "");
    assert!(
        matches!(secrets.lookup("a"), Err(SecretError::Unusable { .. })),
        "never the old one, never an empty one"
    );
    write(directory.path(), "a", NEW);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));
}
