//! The text for an operator: readable, escaped and cut.

use std::{collections::BTreeSet, error::Error as StdError};

use hmac_auth::{
    AuthError, AuthErrorKind, EnvSecrets, FileSecrets, MemorySecrets, Secret, SecretEncoding,
    SecretError, SecretSet, SecretStore, signature::SIGNATURE_INPUT,
};
use http::HeaderValue;

use crate::support::{
    refusals::{assert_readable, chain, covering, refusals, refused, with_digest, with_uri},
    request::{INPUT, get, options, secret, signed_as, with_header, with_signature},
};

#[test]
fn refusals_are_readable() {
    let mut texts = BTreeSet::new();
    for (kind, error) in refusals() {
        assert_readable(&error);
        assert!(
            texts.insert(error.to_string()),
            "two kinds look the same: {kind:?}"
        );
    }
}

/// Malformed fields have the place and the expectation as their source.
#[test]
fn sources_tell_what_the_sentence_does_not() {
    let sources: Vec<_> = refusals()
        .into_iter()
        .filter(|(_, error)| error.source().is_some())
        .map(|(kind, error)| (kind, chain(&error)))
        .collect();
    let of = |kind| {
        sources
            .iter()
            .find(|(one, _)| *one == kind)
            .map(|(_, chain)| chain[1].as_str())
    };
    assert_eq!(
        of(AuthErrorKind::MalformedSignatureInput),
        Some("at byte 6: expected a quoted string")
    );
    assert!(
        of(AuthErrorKind::SecretUnavailable)
            .unwrap()
            .contains("hmac-authentication-secret-key")
    );
    let malformed = refused(&with_digest("sha-256=nonsense"), &options());
    assert_eq!(malformed.kind(), AuthErrorKind::MalformedDigest);
    assert!(
        chain(&malformed)[1].starts_with("at byte 8: "),
        "{malformed:?}"
    );
    let malformed = refused(
        &with_header(get(), "signature", "sig1=nonsense"),
        &options(),
    );
    assert_eq!(malformed.kind(), AuthErrorKind::MalformedSignature);
    assert!(
        chain(&malformed)[1].starts_with("at byte 5: "),
        "{malformed:?}"
    );
}

/// The details of refusals quote the peer. Nothing of it may act on the terminal or the log of the
/// operator.
#[test]
fn what_peers_write_is_shown_escaped_and_cut() {
    let long = "x".repeat(5_000);
    let key_id = |value: &str| {
        refused(
            &signed_as(get(), &format!(r#"{INPUT};keyid="{value}""#)),
            &options().key_ids([("a", "b")]),
        )
    };
    let authority = |value: &str| {
        refused(
            &signed_as(with_uri(get(), &format!("https://{value}/")), INPUT),
            &options(),
        )
    };
    let component = |value: &str| {
        let input = covering(&format!(
            r#""@method" "@authority" "@path" "@query" {value}"#
        ));
        refused(&with_signature(get(), "sig1", &input, &[0; 32]), &options())
    };
    let label = |value: &str| refused(&with_signature(get(), value, INPUT, &[0; 32]), &options());
    for (error, shown) in [
        (key_id(&long), "xxx…"),
        (key_id(r"\\e[31m"), r#"keyid "\\e[31m""#),
        (authority("evil.example"), "evil.example"),
        (authority(&long), "xxx…"),
        (component(r#""@nonsense""#), "\"@nonsense\""),
        (component(&format!(r#""{long}""#)), "xxx…"),
        (
            component(&format!(r#""@query-param";name="{long}""#)),
            "xxx…",
        ),
        (component(&format!(r#""x-site";sf;key="{long}""#)), "xxx…"),
        (
            refused(
                &with_header(get(), "signature", &format!("{long}=:AAAA:")),
                &options(),
            ),
            "xxx…",
        ),
        (label(&long), "does not match"),
    ] {
        assert!(error.to_string().contains(shown), "{error}");
        assert_readable(&error);
        assert!(!format!("{error:?}").contains(char::is_control));
    }
    // Bytes that are not printable ASCII are refused by the parsers, and not quoted.
    for value in [
        &b"sig1=(\"@method\"\xff)"[..],
        b"sig1=(\"@method\");keyid=\"\xc2\x9b31m\"",
        b"\xf0\x9f\x98\x80=()",
        b"sig1=(\"\t\")",
    ] {
        let mut request = get();
        request
            .headers_mut()
            .insert(SIGNATURE_INPUT, HeaderValue::from_bytes(value).unwrap());
        let error = refused(&request, &options());
        assert_eq!(error.kind(), AuthErrorKind::MalformedSignatureInput);
        assert_readable(&error);
        assert!(
            chain(&error).iter().all(|text| text.is_ascii()),
            "{error:?}"
        );
    }
}

/// `Random` needs an operating system without random bytes, and `Unavailable` is for the stores of
/// others.
#[test]
fn every_secret_error_is_reached_and_readable() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("directory")).unwrap();
    std::fs::write(directory.path().join("short"), "short").unwrap();
    std::fs::write(directory.path().join("revoked-one.revoked"), "").unwrap();
    let files = FileSecrets::new(directory.path());
    let revoked = MemorySecrets::new();
    revoked.revoke("site-a");
    let source_of = |error| match error {
        SecretError::Unusable { source, .. } => *source,
        other => other,
    };
    let accident_in = |text: &str, encoding| {
        std::fs::write(directory.path().join("accident"), text).unwrap();
        let store = FileSecrets::new(directory.path()).encoding(encoding);
        source_of(store.lookup("accident").unwrap_err())
    };
    let too_many = || SecretSet::with_previous(secret(), (0..4).map(|_| secret()));
    let errors = [
        ("TooShort", Secret::from_text("short").unwrap_err()),
        (
            "Encoding",
            Secret::from_hex("no hexadecimal digits at all").unwrap_err(),
        ),
        (
            "Encoding",
            Secret::from_base64("no base64 at all").unwrap_err(),
        ),
        ("TooManyPrevious", too_many().unwrap_err()),
        ("InvalidName", files.lookup("../etc/passwd").unwrap_err()),
        ("InvalidName", EnvSecrets::new("X_").lookup("").unwrap_err()),
        ("NotFound", files.lookup("missing").unwrap_err()),
        (
            "NotFound",
            EnvSecrets::new("UNSET_").lookup("missing").unwrap_err(),
        ),
        (
            "NotFound",
            MemorySecrets::new().lookup("missing").unwrap_err(),
        ),
        (
            "NotFound",
            MemorySecrets::new()
                .rotate("missing", secret())
                .unwrap_err(),
        ),
        ("Unusable", files.lookup("short").unwrap_err()),
        (
            "Unusable",
            FileSecrets::new(directory.path())
                .encoding(SecretEncoding::Hex)
                .lookup("short")
                .unwrap_err(),
        ),
        (
            "Accident",
            accident_in("\"a secret, and quotation marks\"", SecretEncoding::Text),
        ),
        (
            "RawVariable",
            source_of(
                EnvSecrets::new("")
                    .encoding(SecretEncoding::Raw)
                    .lookup("path")
                    .unwrap_err(),
            ),
        ),
        ("Revoked", revoked.lookup("site-a").unwrap_err()),
        ("Revoked", files.lookup("revoked-one").unwrap_err()),
        ("Unreadable", files.lookup("directory").unwrap_err()),
        (
            "Unavailable",
            SecretError::Unavailable {
                name: "site-a".to_owned(),
                source: "the vault is sealed".into(),
            },
        ),
    ];
    for (variant, error) in errors {
        let debug = format!("{error:?}");
        assert!(debug.starts_with(variant), "{variant}: {debug}");
        assert_readable(&error);
        // A host that gets this error says so, with the error as its source.
        let text = error.to_string();
        let kind = match variant {
            "Revoked" => AuthErrorKind::Revoked,
            _ => AuthErrorKind::SecretUnavailable,
        };
        let refusal = AuthError::from(error);
        assert_eq!((refusal.kind(), chain(&refusal)[1].clone()), (kind, text));
    }
}

/// One line has all that is known, whichever error it is.
#[test]
fn the_alternate_form_writes_the_sources() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("short"), "short\n").unwrap();
    std::fs::create_dir(directory.path().join("folder")).unwrap();
    let files = FileSecrets::new(directory.path());
    let unavailable = SecretError::Unavailable {
        name: "site-a".to_owned(),
        source: "the connection was refused".into(),
    };
    let random = SecretError::Random(std::io::Error::other("no entropy"));
    let secret_errors = [
        files.lookup("short").unwrap_err(),
        files.lookup("folder").unwrap_err(),
        files.lookup("missing").unwrap_err(),
        unavailable,
        random,
    ];
    let mut not_ascii = get();
    let value = HeaderValue::from_bytes("ü".as_bytes()).unwrap();
    not_ascii.headers_mut().insert("content-type", value);
    let malformed = with_header(get(), "signature-input", "(");
    let sign_errors = [not_ascii, malformed].map(|mut request| {
        let options = crate::support::request::sign_options();
        let secrets = crate::support::request::secrets();
        hmac_auth::sign_request(&mut request, &secrets, &options).unwrap_err()
    });
    let random = hmac_auth::SignError::Random(std::io::Error::other("no entropy"));
    let mut with_source = 0;
    let errors = secret_errors.iter().map(|error| error as &dyn StdError);
    let errors = errors.chain(sign_errors.iter().map(|error| error as &dyn StdError));
    for error in errors.chain([&random as &dyn StdError]) {
        let chain = chain(error);
        assert_eq!(error.to_string(), chain[0]);
        assert_eq!(format!("{error:#}"), chain.join(": "));
        with_source += usize::from(chain.len() > 1);
    }
    assert_eq!(with_source, 7);
    // An error that is only passed on writes those of the other one.
    let passed_on = hmac_auth::SignError::from(files.lookup("short").unwrap_err());
    assert!(
        format!("{passed_on:#}").ends_with("are needed"),
        "{passed_on:#}"
    );
}
