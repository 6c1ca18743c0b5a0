//! The consumers that a host lists: options that cannot tell them apart are refused at start-up.

use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, FileSecrets, MemorySecrets, SecretError, SecretSet,
    SecretStore, ValidateOptions, validate_auth,
};

use crate::support::{
    request::{INPUT, get, options, signed_as},
    secret::{NEW, OLD, secret},
};

/// What `check` says of these key ids, escaped and cut.
#[track_caller]
fn problem(key_ids: &[(&str, &str)]) -> String {
    let options = options().key_ids(key_ids.iter().copied());
    let error = options.check().unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured);
    let text = error.to_string();
    assert!(text.chars().all(|c| matches!(c, ' '..='~' | '…')), "{text}");
    // Nothing is validated with them either.
    let request = signed_as(get(), &format!(r#"{INPUT};keyid="site-a""#));
    let refusal = validate_auth(&request, &MemorySecrets::new(), &options).unwrap_err();
    assert_eq!(refusal.kind(), Kind::Misconfigured);
    text
}

#[test]
fn a_key_id_is_listed_once() {
    for key_ids in [
        [("site-a", "one"), ("site-a", "other")],
        [("site-a", "one"), ("site-a", "one")],
    ] {
        let text = problem(&key_ids);
        assert!(text.contains("`site-a` is listed twice"), "{text}");
    }
    let text = problem(&[("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")]);
    assert!(text.contains("`a`") && text.contains("`b`"), "{text}");
    // The last list counts, and case matters.
    let twice = options().key_ids([("site-a", "one"), ("site-a", "other")]);
    twice.key_ids([("site-a", "one")]).check().unwrap();
    let cases = options().key_ids([("site-a", "one"), ("Site-A", "other")]);
    cases.check().unwrap();
}

#[test]
fn two_key_ids_have_two_secret_names() {
    let shared = [("site-a", "one"), ("site-b", "other"), ("site-c", "one")];
    let text = problem(&shared);
    for part in [
        "`site-a`",
        "`site-c`",
        "`one`",
        "`accept_shared_secret_names`",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("site-b"), "{text}");
    // Unless somebody says so, in any order.
    options()
        .key_ids(shared)
        .accept_shared_secret_names()
        .check()
        .unwrap();
    options()
        .accept_shared_secret_names()
        .key_ids(shared)
        .check()
        .unwrap();
    let twice = options().accept_shared_secret_names();
    let twice = twice.key_ids([("site-a", "one"), ("site-a", "one")]);
    assert!(twice.check().is_err());
}

#[test]
fn a_key_id_that_no_header_can_carry_is_refused() {
    let long = "x".repeat(8 * 1024 + 1);
    for key_id in [
        "gr\u{f6}\u{df}er",
        "line\nbreak",
        "line\r\nbreak",
        "tab\t",
        "nul\0",
        "\u{7f}",
        "\u{1f600}",
        &long,
    ] {
        let text = problem(&[(key_id, "one"), ("site-b", "other")]);
        assert!(text.contains("the key id `"), "{text}");
        assert!(text.len() < 400, "{text}");
    }
    for key_id in ["", " ", "a \"quoted\" one", "back\\slash", "~", &long[1..]] {
        options().key_ids([(key_id, "one")]).check().unwrap();
    }
}

/// A store with two consumers.
fn two(a: &str, b: &str) -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert("secret-a", secret(a));
    secrets.insert("secret-b", secret(b));
    secrets
}

fn both() -> ValidateOptions {
    options().key_ids([("site-a", "secret-a"), ("site-b", "secret-b")])
}

#[test]
fn check_with_makes_the_checks_of_the_options_first() {
    let error = options()
        .key_ids([("site-a", "secret-a"), ("site-b", "secret-a")])
        .check_with(&two(OLD, NEW))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured);
    assert!(error.to_string().contains("site-b"), "{error}");
}

#[test]
fn each_named_secret_has_to_exist() {
    both().check_with(&two(OLD, NEW)).unwrap();
    let dynamic: &dyn SecretStore = &two(OLD, NEW);
    both().check_with(dynamic).unwrap();
    let secrets = two(OLD, NEW);
    secrets.remove("secret-b");
    let error = both().check_with(&secrets).unwrap_err();
    assert_eq!(error.kind(), Kind::SecretUnavailable);
    assert!(format!("{error:#}").contains("`secret-b`"), "{error:#}");

    // With one secret for all, it is that of the options.
    let error = options().check_with(&secrets).unwrap_err();
    assert!(
        format!("{error:#}").contains(DEFAULT_SECRET_NAME),
        "{error:#}"
    );
    secrets.insert(DEFAULT_SECRET_NAME, secret(NEW));
    options().check_with(&secrets).unwrap();
    options()
        .secret_name("secret-a")
        .check_with(&secrets)
        .unwrap();
    // A name that no store of files can have.
    let directory = tempfile::tempdir().unwrap();
    let error = options()
        .secret_name("site-a.previous")
        .check_with(&FileSecrets::new(directory.path()))
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("site-a.previous"),
        "{error:#}"
    );
}

/// `name.revoked` survives a restart, so the host has to start with it.
#[test]
fn a_revoked_secret_does_not_stop_the_start() {
    let secrets = two(OLD, NEW);
    secrets.revoke("secret-b");
    both().check_with(&secrets).unwrap();
}

#[test]
fn no_two_names_have_one_fingerprint() {
    let fingerprint = secret(OLD).fingerprint().to_string();
    let assert_found = |secrets: &MemorySecrets| {
        let error = both().check_with(secrets).unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
        let text = error.to_string();
        for part in ["`secret-a`", "`secret-b`", &fingerprint] {
            assert!(text.contains(part), "{text}");
        }
    };
    assert_found(&two(OLD, OLD));
    // Also where it is a previous one, on either side or on both.
    let rotated = two(OLD, OLD);
    rotated.rotate("secret-a", secret(NEW)).unwrap();
    assert_found(&rotated);
    rotated
        .rotate("secret-b", secret("of site b, long enough"))
        .unwrap();
    assert_found(&rotated);
    rotated.retire("secret-a").unwrap();
    both().check_with(&rotated).unwrap();
    // One name may have a secret twice, as in the middle of a rotation.
    let twice = two(OLD, NEW);
    let set = SecretSet::with_previous(secret(OLD), [secret(OLD)]).unwrap();
    twice.insert_set("secret-a", set);
    both().check_with(&twice).unwrap();
}

/// Each name is looked up once, and nothing else is.
#[test]
fn a_store_is_asked_once_for_each_name() {
    use crate::support::store::Noting;

    let noting = Noting::new(two(OLD, NEW));
    let shared = options()
        .key_ids([("a", "secret-a"), ("b", "secret-b"), ("c", "secret-a")])
        .accept_shared_secret_names();
    shared.check_with(&noting).unwrap();
    assert_eq!(noting.names(), ["secret-a", "secret-b"]);
}

/// Whatever a store of somebody else says is passed on.
#[test]
fn a_store_that_is_down_stops_the_start() {
    struct Sealed;
    impl SecretStore for Sealed {
        fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
            Err(SecretError::Unavailable {
                name: name.to_owned(),
                source: "the vault is sealed".into(),
            })
        }
    }
    let error = both().check_with(&Sealed).unwrap_err();
    assert_eq!(error.kind(), Kind::SecretUnavailable);
    assert!(format!("{error:#}").ends_with("the vault is sealed"));
}
