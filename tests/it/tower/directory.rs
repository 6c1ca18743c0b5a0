//! A layer that finds its consumers in a directory, in both modes.

use std::sync::Arc;

use hmac_auth::{AuthErrorKind as Kind, Consumer, MemoryReplayGuard, tower::ValidateAuthLayer};
use http::StatusCode;

use crate::support::{
    directory::TestDirectory,
    layers::{Seen, ask, ask_both, guard, stale, whole},
    recorder::Recorder,
    request::{TestRequest, options, post, secret, secrets, sign_options, signed, signed_with},
};

fn layer_of(directory: &Arc<TestDirectory>) -> ValidateAuthLayer {
    Recorder::install();
    ValidateAuthLayer::with_directory(Arc::clone(directory), options()).replay_guard(guard())
}

fn by(key_id: &str) -> TestRequest {
    signed_with(post(), &sign_options().key_id(key_id))
}

fn answer(seen: &Seen) -> String {
    let (head, body) = (&seen.response, seen.response.body());
    format!("{} {:?} {body:?}", head.status(), head.headers())
}

#[tokio::test]
async fn a_found_consumer_reaches_the_service_once() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(3)] {
        let layer = layer_of(&directory);
        layer.check().unwrap();
        for seen in ask_both(&layer, || whole(by("site-a"))).await {
            assert_eq!((seen.refusal(), seen.calls), (None, 1));
            assert_eq!(seen.response.headers()["x-consumer"], "Shop A");
        }
        assert_eq!(directory.take_asked(), 2);
        let request = by("site-a");
        assert_eq!(ask(&layer, whole(request.clone())).await.refusal(), None);
        for seen in ask_both(&layer, || whole(request.clone())).await {
            assert_eq!((seen.refusal(), seen.calls), (Some(Kind::Replayed), 0));
        }
    }
}

#[tokio::test]
async fn unknown_wrong_and_revoked_look_alike() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(1)] {
        let layer = layer_of(&directory);
        let mut answers = Vec::new();
        for (key_id, kind) in [
            ("nobody", Kind::UnknownKeyId),
            ("site-b", Kind::WrongMac),
            ("gone", Kind::Revoked),
        ] {
            for seen in ask_both(&layer, || whole(by(key_id))).await {
                assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
                assert_eq!(seen.response.status(), StatusCode::UNAUTHORIZED);
                answers.push(answer(&seen));
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:#?}");
        for seen in ask_both(&layer, || whole(by("down"))).await {
            assert_eq!(
                (seen.refusal(), seen.calls),
                (Some(Kind::DirectoryUnavailable), 0)
            );
            assert_eq!(seen.response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(seen.response.headers().contains_key("retry-after"));
        }
    }
}

#[tokio::test]
async fn what_needs_no_secret_is_refused_without_a_question() {
    let directory = TestDirectory::new();
    let layer = layer_of(&directory);
    for (request, kind) in [
        (post(), Kind::MissingSignature),
        (signed(post()), Kind::UnknownKeyId),
        (stale(), Kind::UnknownKeyId),
        (by(&"k".repeat(257)), Kind::UnknownKeyId),
    ] {
        for seen in ask_both(&layer, || whole(request.clone())).await {
            assert_eq!(seen.refusal(), Some(kind));
        }
    }
    assert_eq!(directory.take_asked(), 0);
}

#[tokio::test]
async fn listed_key_ids_contradict_a_directory() {
    let directory = TestDirectory::new();
    let listed = options().key_ids([("site-a", "a-secret")]);
    let layer = ValidateAuthLayer::with_directory(Arc::clone(&directory), listed);
    assert_eq!(layer.check().unwrap_err().kind(), Kind::Misconfigured);
    for seen in ask_both(&layer, || whole(by("site-a"))).await {
        assert_eq!(seen.refusal(), Some(Kind::Misconfigured));
    }
    let layer = ValidateAuthLayer::new(secrets(), options().consumer_directory());
    assert_eq!(layer.check().unwrap_err().kind(), Kind::Misconfigured);
    for seen in ask_both(&layer, || whole(by("site-a"))).await {
        assert_eq!(seen.refusal(), Some(Kind::Misconfigured));
    }
}

/// The quota is that of the consumer, whichever of its key ids it uses.
#[tokio::test]
async fn a_guard_counts_by_the_name_of_the_consumer() {
    let directory = TestDirectory::new();
    for key_id in ["first", "second"] {
        directory.insert(key_id, Consumer::new("Shop C", secret()));
    }
    let guard = Arc::new(guard().capacity_per_consumer(2));
    let layer = layer_of(&directory).replay_guard(Arc::clone(&guard));
    for (key_id, refusal) in [
        ("first", None),
        ("second", None),
        ("first", Some(Kind::ReplayGuardFull)),
        ("second", Some(Kind::ReplayGuardFull)),
        ("site-a", None),
    ] {
        assert_eq!(ask(&layer, whole(by(key_id))).await.refusal(), refusal);
    }
    assert_eq!(MemoryReplayGuard::len(&guard), 3);
}
