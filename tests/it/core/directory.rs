//! Consumers that are found by their key id: who they are, when the directory is asked, and what is
//! refused.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_executor::block_on;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, Claim, Consumer, ConsumerDirectory, FindConsumer,
    MAX_DIRECTORY_KEY_ID_LEN, MemorySecrets, SignOptions, ValidateOptions, Validated, sign_request,
    validate_auth,
};
use http::StatusCode;

use crate::support::{
    directory::{SlowDirectory, Tenant, TestDirectory},
    request::{
        INPUT, NOW, TestRequest, get, options, post, secret, secrets, sign_options, signed_by,
        signed_with, time, with_signature,
    },
    secret::{NEW, OLD, secret as secret_of},
};

fn found() -> ValidateOptions {
    options().consumer_directory()
}

fn by(key_id: &str) -> TestRequest {
    signed_with(post(), &sign_options().key_id(key_id))
}

fn with_secret(key_id: &str, text: &str) -> TestRequest {
    let secrets = MemorySecrets::new();
    secrets.insert("any", secret_of(text));
    let mut request = post();
    let options = sign_options().key_id(key_id).secret_name("any");
    sign_request(&mut request, &secrets, &options).unwrap();
    request
}

fn validate(
    request: &TestRequest,
    directory: &dyn ConsumerDirectory,
) -> Result<Validated, AuthError> {
    validate_with(request, directory, &found())
}

fn validate_with(
    request: &TestRequest,
    directory: &dyn ConsumerDirectory,
    options: &ValidateOptions,
) -> Result<Validated, AuthError> {
    let claim = Claim::parse(request, options)?;
    let mut head = block_on(claim.verify_in(directory))?;
    head.update(request.body());
    head.finish()
}

#[track_caller]
fn assert_refused(request: &TestRequest, directory: &TestDirectory, kind: Kind, asked: usize) {
    let error = validate(request, directory).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:#}");
    assert_eq!(directory.take_asked(), asked, "{error:#}");
}

#[test]
fn the_proof_names_the_consumer_and_has_what_is_attached() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(3)] {
        let validated = validate(&by("site-a"), &directory).unwrap();
        assert_eq!(validated.consumer(), "Shop A");
        assert_eq!(validated.secret_name(), "Shop A");
        assert_eq!(validated.key_id(), Some("site-a"));
        assert!(!validated.by_previous_secret());
        assert_eq!(validated.attached(), Some(Arc::new(Tenant(7))));
        assert_eq!(validated.attached::<String>(), None, "another type");

        for (text, is_previous) in [(NEW, false), (OLD, true)] {
            let validated = validate(&with_secret("site-b", text), &directory).unwrap();
            assert_eq!(validated.consumer(), "Shop B");
            assert_eq!(validated.by_previous_secret(), is_previous);
            assert_eq!(validated.attached::<Tenant>(), None);
        }
        assert_eq!(directory.take_asked(), 3);
    }
    // Without a directory, nothing is attached.
    let validated = validate_auth(&by("site-a"), &secrets(), &options()).unwrap();
    assert_eq!(validated.attached::<Tenant>(), None);
}

#[test]
fn what_is_wrong_has_its_reason_and_the_peer_one_answer() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(1)] {
        let cases = [
            (by("nobody"), Kind::UnknownKeyId),
            (by("gone"), Kind::Revoked),
            (by("site-b"), Kind::WrongMac),
        ];
        let mut answers = cases.map(|(request, kind)| {
            let error = validate(&request, &directory).unwrap_err();
            assert_eq!(error.kind(), kind, "{error:#}");
            assert_eq!(directory.take_asked(), 1);
            format!("{:?}", error.to_response(&found()))
        });
        answers.sort();
        assert_eq!(answers[0], answers[2]);

        let error = validate(&by("nobody"), &directory).unwrap_err();
        let reason = error.to_string();
        let expected = r#"keyid "nobody", which the directory does not know"#;
        assert!(reason.ends_with(expected), "{reason}");
        assert_eq!(directory.take_asked(), 1);

        let error = validate(&by("down"), &directory).unwrap_err();
        assert_eq!(error.kind(), Kind::DirectoryUnavailable);
        assert!(format!("{error:#}").contains("no route to the database"));
        let response = error.to_response(&found());
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
}

/// All checks that need no secret come first, and such a request costs no look-up.
#[test]
fn the_directory_is_asked_last() {
    let directory = TestDirectory::new();
    let long = "k".repeat(MAX_DIRECTORY_KEY_ID_LEN + 1);
    let stale = sign_options().key_id("site-a").at(time(NOW - 61));
    let mut elsewhere = by("site-a");
    *elsewhere.uri_mut() = "https://other.example/orders".parse().unwrap();
    for (request, kind) in [
        (post(), Kind::MissingSignature),
        (signed_with(post(), &sign_options()), Kind::UnknownKeyId),
        (by(&long), Kind::UnknownKeyId),
        (signed_with(post(), &stale), Kind::Stale),
        (elsewhere, Kind::UnlistedAuthority),
    ] {
        assert_refused(&request, &directory, kind, 0);
    }
    // At the limit, and one request asks once.
    let longest = &long[1..];
    assert_refused(&by(longest), &directory, Kind::UnknownKeyId, 1);
    directory.insert(longest, Consumer::new("long", secret()));
    assert_eq!(
        validate(&by(longest), &directory).unwrap().consumer(),
        "long"
    );
    let mut changed = by("site-a");
    changed.body_mut().push(b' ');
    directory.take_asked();
    assert_refused(&changed, &directory, Kind::WrongDigest, 1);
}

#[test]
fn a_key_id_is_compared_as_it_is() {
    let directory = TestDirectory::new();
    directory.insert(r#"a "quoted" \ id"#, Consumer::new("quoted", secret()));
    directory.insert("", Consumer::new("empty", secret()));
    for (key_id, consumer) in [(r#"a "quoted" \ id"#, "quoted"), ("", "empty")] {
        let input = format!(
            r#"{INPUT};keyid="{}""#,
            key_id.replace('\\', r"\\").replace('"', r#"\""#)
        );
        let request = signed_by(&secret(), get(), &input);
        let validated = validate(&request, &directory).unwrap();
        assert_eq!(
            (validated.consumer(), validated.key_id()),
            (consumer, Some(key_id))
        );
    }
    for other in ["Site-A", "site-a ", " site-a", "site-"] {
        assert_eq!(
            validate(&by(other), &directory).unwrap_err().kind(),
            Kind::UnknownKeyId,
            "{other:?}"
        );
    }
}

/// Four signatures by the labels a to d, the last one by `site-a`.
fn with_strangers(key_ids: [&str; 3]) -> TestRequest {
    let mut request = get();
    for (label, key_id) in ["a", "b", "c"].into_iter().zip(key_ids) {
        let input = format!(r#"{INPUT};keyid="{key_id}""#);
        request = with_signature(request, label, &input, &[7; 32]);
    }
    let input = format!(r#"{INPUT};keyid="site-a""#);
    let base = crate::support::request::base_of(&get(), &input);
    let mac = secret().mac(base.as_bytes()).into_bytes();
    with_signature(request, "d", &input, &mac)
}

#[test]
fn signatures_of_others_stand_beside_that_of_a_consumer() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(2)] {
        let request = with_strangers(["x", "gone", "down"]);
        assert_eq!(validate(&request, &directory).unwrap().consumer(), "Shop A");
        assert_eq!(directory.take_asked(), 4);
        // A key id that comes again asks once, whatever the answer was.
        for key_id in ["x", "gone", "down", "site-b"] {
            let request = with_strangers([key_id; 3]);
            assert_eq!(validate(&request, &directory).unwrap().consumer(), "Shop A");
            assert_eq!(directory.take_asked(), 2, "{key_id}");
        }
        let mut changed = with_strangers(["site-a"; 3]);
        *changed.uri_mut() = "https://host.example/orders?page=3".parse().unwrap();
        assert_refused(&changed, &directory, Kind::WrongMac, 1);
        // The reason of the one that came furthest.
        let mut changed = with_strangers(["x", "site-b", "gone"]);
        *changed.uri_mut() = "https://host.example/orders?page=3".parse().unwrap();
        assert_refused(&changed, &directory, Kind::WrongMac, 4);
        let mut changed = with_strangers(["x", "down", "gone"]);
        *changed.uri_mut() = "https://host.example/orders?page=3".parse().unwrap();
        assert_refused(&changed, &directory, Kind::DirectoryUnavailable, 4);
    }
}

#[test]
fn options_name_the_consumers_or_leave_them_to_a_directory() {
    let directory = TestDirectory::new();
    let request = by("site-a");
    found().check().unwrap();
    for options in [
        found().key_ids([("site-a", "a-secret")]),
        options()
            .key_ids([("site-a", "a-secret")])
            .consumer_directory(),
    ] {
        let error = options.check().unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
        assert!(error.to_string().contains("`key_ids`"), "{error}");
        let error = validate_with(&request, &directory, &options).unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
    }
    // Secrets alone with options that ask for a directory, and the other way round.
    let error = validate_auth(&request, &secrets(), &found()).unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured);
    assert!(
        error.to_string().contains("`consumer_directory`"),
        "{error}"
    );
    assert_eq!(
        found().check_with(&secrets()).unwrap_err().kind(),
        Kind::Misconfigured
    );
    let error = validate_with(&request, &directory, &options()).unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured);
    assert!(
        error.to_string().contains("`consumer_directory`"),
        "{error}"
    );
}

#[test]
fn a_claim_takes_a_consumer_that_somebody_else_has_found() {
    let (request, options) = (by("site-a"), found());
    let claim = Claim::parse(&request, &options).unwrap();
    assert_eq!(claim.key_id().as_deref(), Some("site-a"));
    let consumer = Consumer::new("by hand", secret());
    let mut head = claim.verify_consumer(&consumer).unwrap();
    head.update(request.body());
    assert_eq!(head.finish().unwrap().consumer(), "by hand");
    let other = Consumer::new("other", secret_of(NEW));
    assert_eq!(
        claim.verify_consumer(&other).unwrap_err().kind(),
        Kind::WrongMac
    );
}

#[test]
fn the_debug_text_of_a_consumer_shows_no_secret() {
    let consumer = Consumer::new("Shop A", secret_of(NEW)).attach(Arc::new(Tenant(7)));
    let text = format!("{consumer:?}");
    assert!(text.contains("Shop A") && !text.contains(NEW), "{text}");
    assert!(!text.contains('7') || !text.contains("Tenant"), "{text}");
}

#[test]
#[should_panic(expected = "polled again")]
fn an_answer_is_given_once() {
    let mut find = FindConsumer::ready(Ok(None));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut find).poll(&mut cx).is_ready());
    let _ = Pin::new(&mut find).poll(&mut cx);
}

#[test]
fn what_waits_is_woken() {
    let directory = TestDirectory::waiting(2);
    let (request, options) = (by("site-a"), found());
    let claim = Claim::parse(&request, &options).unwrap();
    let mut verify = pin!(claim.verify_in(&directory));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(verify.as_mut().poll(&mut cx).is_pending());
    }
    let text = format!("{verify:?}");
    assert!(text.contains("VerifyIn { claim: "), "{text}");
    assert!(matches!(verify.as_mut().poll(&mut cx), Poll::Ready(Ok(_))));
}

/// Not only the one secret under the default name: a consumer must not get in by `SignOptions`.
#[test]
fn a_signature_without_a_key_id_has_no_consumer() {
    let directory = TestDirectory::new();
    let request = signed_with(post(), &SignOptions::new().at(time(NOW)));
    assert_refused(&request, &directory, Kind::UnknownKeyId, 0);
}

/// A guard that forgets what is stale would not know it any more.
#[test]
fn what_becomes_stale_while_the_directory_is_asked_is_refused() {
    let expires = sign_options()
        .key_id("site-a")
        .expires_in(Duration::from_secs(20));
    let (lasting, expiring) = (by("site-a"), signed_with(post(), &expires));
    for (request, seconds, expected) in [
        (&lasting, 0, None),
        (&lasting, 60, None),
        (&lasting, 61, Some(Kind::Stale)),
        (&lasting, i64::from(u32::MAX), Some(Kind::Stale)),
        (&expiring, 20, None),
        (&expiring, 21, Some(Kind::Expired)),
    ] {
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = Arc::clone(&now);
        let options = ValidateOptions::new()
            .authorities(["host.example"])
            .consumer_directory()
            .clock(move || time(clock.load(Ordering::Relaxed)));
        let slow = SlowDirectory { now, seconds };
        match validate_with(request, &slow, &options) {
            Ok(validated) => {
                assert_eq!(expected, None, "{seconds}");
                assert_eq!(validated.replay_id().validated_at(), NOW + seconds);
            }
            Err(error) => assert_eq!(Some(error.kind()), expected, "{seconds}: {error}"),
        }
    }
}

/// Whatever the store of secrets says: it is not the one to ask.
#[test]
fn secrets_alone_are_no_use_whether_there_are_any_or_not() {
    let revoked = MemorySecrets::new();
    revoked.revoke(hmac_auth::DEFAULT_SECRET_NAME);
    for secrets in [MemorySecrets::new(), revoked] {
        for request in [by("site-a"), with_strangers(["x", "y", "z"])] {
            let error = validate_auth(&request, &secrets, &found()).unwrap_err();
            assert_eq!(error.kind(), Kind::Misconfigured, "{error}");
        }
    }
}
