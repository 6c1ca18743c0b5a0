//! Secrets in files: each change is picked up, and each unusable file is an error.

use std::{
    error::Error,
    fs,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use hmac_auth::{FileSecrets, Secret, SecretEncoding, SecretError, SecretStore};

use crate::support::secret::{NEW, OLD, is_set_of, same};

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
        "two words, long enough\n",
    );
    let secrets = FileSecrets::new(directory.path());
    let set = secrets.lookup("site-a").unwrap();
    assert!(is_set_of(
        &set,
        &[
            NEW,
            OLD,
            "no newline, long enough",
            "two words, long enough"
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
    // So that a file which is as before is not read again.
    thread::sleep(Duration::from_millis(150));
    let secrets = FileSecrets::new(path);
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[OLD]));
    symlink("v2", path.join("next")).unwrap();
    fs::rename(path.join("next"), path.join("current")).unwrap();
    assert!(is_set_of(&secrets.lookup("a").unwrap(), &[NEW]));
}

#[test]
fn a_directory_that_is_none_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let error = FileSecrets::new(&missing).lookup("a").unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
    assert!(text.contains("nor its directory"), "{text}");
    // The system says that a file is no directory: that is no missing file.
    write(directory.path(), "file", OLD);
    let file = directory.path().join("file");
    let error = FileSecrets::new(&file).lookup("a").unwrap_err();
    let text = format!("{error} {}", error.source().unwrap());
    assert!(
        text.contains("irectory") && text.contains(".revoked"),
        "{text}"
    );
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
fn a_file_has_64_kib() {
    let directory = tempfile::tempdir().unwrap();
    for (len, is_accepted) in [
        (64 * 1024 - 1, true),
        (64 * 1024, true),
        (64 * 1024 + 1, false),
        (64 * 1024 + 2, false),
    ] {
        let content = "x".repeat(len);
        write(directory.path(), "a", &content);
        let found = FileSecrets::new(directory.path()).lookup("a");
        assert_eq!(
            found.is_ok_and(|set| is_set_of(&set, &[&content])),
            is_accepted,
            "{len}"
        );
    }
}

/// `openssl rand 32 >name`: nothing is cut off.
#[test]
fn raw_bytes_are_taken_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let secrets = FileSecrets::new(directory.path()).encoding(SecretEncoding::Raw);
    for content in [
        &[0xff; 32][..],
        b"ends with a line break\n",
        b"ends with two of them\r\n\n",
        b" \"begins\" like an accident",
        b"\xef\xbb\xbfa byte order mark",
        b"\xff\xfeanother byte order mark",
        b"a NUL\0 and more of it",
    ] {
        write(directory.path(), "a", content);
        let set = secrets.lookup("a").unwrap();
        assert!(same(set.current(), &Secret::from_bytes(content).unwrap()));
    }
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "a", [0xff; 15]);
    let secrets = FileSecrets::new(directory.path()).encoding(SecretEncoding::Raw);
    assert!(matches!(
        secrets.lookup("a"),
        Err(SecretError::Unusable { .. })
    ));
}
