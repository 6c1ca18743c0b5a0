//! Names of secrets: endings with a meaning are no names.

use std::fs;

use hmac_auth::{EnvSecrets, FileSecrets, SecretError, SecretStore};

use crate::support::secret::NEW;

/// The previous secret of one consumer was the secret of another one.
#[test]
pub(crate) fn pitfall_34_reserved_endings_are_no_names() {
    let directory = tempfile::tempdir().unwrap();
    let files = FileSecrets::new(directory.path());
    for name in [
        "partner.previous",
        "partner.previous-2",
        "partner.previous-3",
        "partner.previous-4",
        "partner.previous-10",
        "partner.revoked",
        // The same file where the file system ignores case, or a dot at the end.
        "partner.Previous",
        "partner.PREVIOUS-2",
        "partner.Revoked",
        "partner.previous.",
        "partner.",
        // Previous secrets of a previous secret.
        "partner.previous.previous",
    ] {
        fs::write(directory.path().join(name), NEW).unwrap();
        let error = files.lookup(name).unwrap_err();
        assert!(
            matches!(error, SecretError::InvalidName { .. }),
            "{name}: {error:?}"
        );
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(".previous"), "{text}");
    }
    for name in [
        "previous",
        "revoked",
        "a.previously",
        "previous.a",
        "a-previous",
    ] {
        fs::write(directory.path().join(name), NEW).unwrap();
        assert!(files.lookup(name).is_ok(), "{name}");
    }

    for (prefix, name) in [
        ("", "partner-previous"),
        ("", "partner_PREVIOUS"),
        ("", "partner.previous"),
        ("APP_", "partner previous"),
        ("APP_", "Partner-Previous-2"),
        ("APP_", "partner.previous.3"),
        ("APP_", "partner-previous-10"),
        ("APP_", "partner-revoked"),
        // The previous secret of `partner` in a store with no prefix.
        ("PARTNER_", "previous"),
        ("PARTNER", "-previous"),
        ("partner_", "previous-2"),
    ] {
        let error = EnvSecrets::new(prefix).lookup(name).unwrap_err();
        assert!(
            matches!(error, SecretError::InvalidName { .. }),
            "{prefix} {name}: {error:?}"
        );
        assert!(error.to_string().contains("_PREVIOUS"), "{error}");
    }
    for name in ["previous", "previously-a", "a-previously", "previous-a"] {
        let error = EnvSecrets::new("").lookup(name).unwrap_err();
        assert!(
            matches!(error, SecretError::NotFound { .. }),
            "{name}: {error:?}"
        );
    }
}

/// What cannot be a name is shown escaped.
#[test]
fn an_invalid_name_does_not_act_on_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let error = FileSecrets::new(directory.path())
        .lookup("a\n\u{1b}[2J")
        .unwrap_err();
    assert!(!error.to_string().contains(char::is_control), "{error}");
}
