//! The guard among the other checks: asked last, never forgetful, and never permissive.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER,
    MemoryReplayGuard, SecretError, SecretSet, SecretStore, SignOptions, ValidateOptions,
    Validated, sign_request, validate_auth,
};

use crate::support::{
    edit::{edited, with_body, with_uri, without},
    request::{
        INPUT, NOW, TestRequest, base_of, get, options, post, refusal, secrets, signed, signed_as,
        time, validate, with_signature,
    },
};

/// A store that is never there.
struct Failing;

impl SecretStore for Failing {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        Err(SecretError::Unavailable {
            name: name.to_owned(),
            source: "the vault is sealed".into(),
        })
    }
}

/// The check of the nonce that nobody had configured said yes.
#[test]
pub(crate) fn pitfall_20_no_default_says_yes() {
    // A guard that nobody has configured remembers.
    for guard in [MemoryReplayGuard::new(), MemoryReplayGuard::default()] {
        let mut request = get();
        sign_request(&mut request, &secrets(), &SignOptions::new()).unwrap();
        let live = ValidateOptions::new().authorities(["host.example"]);
        let validated = validate_auth(&request, &secrets(), &live).unwrap();
        guard.first_use(validated.clone()).unwrap();
        assert_eq!(
            guard.first_use(validated.clone()).unwrap_err().kind(),
            Kind::Replayed
        );
        let again = validate_auth(&request, &secrets(), &live).unwrap();
        assert_eq!(
            guard.first_use(again.clone()).unwrap_err().kind(),
            Kind::Replayed
        );
    }
    assert_eq!(DEFAULT_REPLAY_CAPACITY, 1 << 20);
    assert_eq!(DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, 1 << 19);

    // A store that fails does not let pass.
    assert_eq!(
        validate_auth(&signed(get()), &Failing, &options())
            .unwrap_err()
            .kind(),
        Kind::SecretUnavailable
    );
}

/// A full cache forgot nonces that were still good, and so did a restart.
#[test]
pub(crate) fn pitfall_21_the_guard_forgets_nothing_that_is_fresh() {
    let validated = |index: usize, at: i64| {
        let request = signed_as(
            get(),
            &format!(
                r#"{};nonce="{index}""#,
                INPUT.replace("1700000000", &at.to_string())
            ),
        );
        validate_auth(&request, &secrets(), &options().at(time(at))).unwrap()
    };
    let kind =
        |outcome: Result<Validated, hmac_auth::AuthError>| outcome.err().map(|error| error.kind());
    let guard = MemoryReplayGuard::new().started_at(time(NOW)).capacity(50);
    for index in 0..50 {
        assert_eq!(
            kind(guard.first_use(validated(index, NOW))),
            None,
            "{index}"
        );
    }
    for index in 50..100 {
        assert_eq!(
            kind(guard.first_use(validated(index, NOW))),
            Some(Kind::ReplayGuardFull),
            "{index}"
        );
        // Nor later, as long as the first ones could be replayed.
        assert_eq!(
            kind(guard.first_use(validated(index, NOW + 60))),
            Some(Kind::ReplayGuardFull),
            "{index}"
        );
    }
    for index in 0..50 {
        assert_eq!(
            kind(guard.first_use(validated(index, NOW))),
            Some(Kind::Replayed),
            "{index}"
        );
    }
    assert_eq!(guard.len(), 50);
    // When they are stale, there is room again.
    assert_eq!(kind(guard.first_use(validated(100, NOW + 61))), None);
    // One consumer does not take the room of the others.
    let guard = MemoryReplayGuard::new()
        .started_at(time(NOW))
        .capacity_per_consumer(1);
    assert_eq!(kind(guard.first_use(validated(0, NOW))), None);
    assert_eq!(
        kind(guard.first_use(validated(1, NOW))),
        Some(Kind::ReplayGuardFull)
    );

    // After a restart: what was made before it may have been used before it.
    let restarted = MemoryReplayGuard::new().started_at(time(NOW + 30));
    for at in [NOW, NOW + 29] {
        assert_eq!(
            kind(restarted.first_use(validated(0, at))),
            Some(Kind::BeforeGuardStart)
        );
    }
    assert_eq!(kind(restarted.first_use(validated(0, NOW + 30))), None);
    let weakened = MemoryReplayGuard::new()
        .started_at(time(NOW + 30))
        .accept_replays_across_restarts();
    assert_eq!(kind(weakened.first_use(validated(0, NOW))), None);
}

/// A nonce was remembered before the MAC was checked, so that a forgery could use it up.
#[test]
pub(crate) fn pitfall_22_a_forgery_does_not_use_up_the_signature() {
    let guard = MemoryReplayGuard::new().started_at(time(NOW - 60));
    let handle = |request: &TestRequest| {
        validate(request).and_then(|validated| guard.first_use(validated.clone()))
    };
    let good = signed(post());
    for forged in [
        with_body(good.clone(), b"other"),
        with_uri(good.clone(), "https://host.example/other"),
        edited(&good, "signature", |signature| {
            signature.replacen(':', ":AAAA", 1)
        }),
        without(good.clone(), "content-digest"),
        with_signature(get(), "sig1", INPUT, &[0; 32]),
    ] {
        assert!(!matches!(
            handle(&forged).unwrap_err().kind(),
            Kind::Replayed | Kind::ReplayGuardFull
        ));
        assert!(guard.is_empty(), "a forgery was remembered");
    }
    handle(&good).unwrap();
    assert_eq!(handle(&good).unwrap_err().kind(), Kind::Replayed);
    assert_eq!(guard.len(), 1);
    // A forgery of what was used is still just a forgery.
    assert_eq!(
        handle(&with_body(good, b"other")).unwrap_err().kind(),
        Kind::WrongDigest
    );
}

/// The nonce was not signed.
#[test]
pub(crate) fn pitfall_24_the_nonce_is_signed() {
    let request = signed(get());
    let nonce = validate(&request)
        .unwrap()
        .nonce()
        .expect("there is a nonce")
        .to_owned();
    assert_eq!(URL_SAFE_NO_PAD.decode(&nonce).unwrap().len(), 16);
    let last_line = base_of(
        &request,
        request.headers()["signature-input"]
            .to_str()
            .unwrap()
            .strip_prefix("sig1=")
            .unwrap(),
    );
    assert!(
        last_line
            .lines()
            .last()
            .unwrap()
            .contains(&format!("nonce=\"{nonce}\""))
    );

    let other = validate(&signed(get()))
        .unwrap()
        .nonce()
        .unwrap()
        .to_owned();
    assert_ne!(other, nonce);
    for changed in [
        format!(";nonce=\"{other}\""),
        ";nonce=\"\"".to_owned(),
        String::new(),
    ] {
        let changed = edited(&request, "signature-input", |input| {
            input.replace(&format!(";nonce=\"{nonce}\""), &changed)
        });
        assert_eq!(refusal(&changed), Kind::WrongMac);
    }
    // Equal requests of one second differ by it, so that none is taken for a replay of another.
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    let nonces: BTreeSet<String> = (0..1_000)
        .map(|_| {
            let validated = validate(&signed(get())).unwrap();
            guard.first_use(validated.clone()).unwrap();
            validated.nonce().unwrap().to_owned()
        })
        .collect();
    assert_eq!((nonces.len(), guard.len()), (1_000, 1_000));
}
