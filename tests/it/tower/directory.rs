//! A layer that finds its consumers in a directory, in both modes.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use hmac_auth::{
    AuthErrorKind as Kind, Consumer, ConsumerDirectory, FindConsumer, MemoryReplayGuard,
    ValidateOptions, tower::ValidateAuthLayer,
};
use http::StatusCode;

use crate::support::{
    directory::{SlowDirectory, TestDirectory},
    layers::{Seen, ask, ask_both, guard, stale, whole},
    recorder::Recorder,
    request::{
        NOW, TestRequest, options, post, secret, secrets, sign_options, signed, signed_with, time,
    },
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

/// The time of the host, which goes on while the directory is asked.
#[tokio::test]
async fn what_becomes_stale_while_the_directory_is_asked_is_refused() {
    for (seconds, refusal) in [(60, None), (61, Some(Kind::Stale))] {
        let now = Arc::new(AtomicI64::new(NOW));
        let clock = Arc::clone(&now);
        let options = ValidateOptions::new()
            .authorities(["host.example"])
            .clock(move || time(clock.load(Ordering::Relaxed)));
        let slow = SlowDirectory {
            now: Arc::clone(&now),
            seconds,
        };
        let layer = ValidateAuthLayer::with_directory(slow, options).without_replay_guard();
        let request = || {
            now.store(NOW, Ordering::Relaxed);
            whole(by("site-a"))
        };
        for seen in ask_both(&layer, request).await {
            assert_eq!(seen.refusal(), refusal, "after {seconds} s");
        }
    }
}

/// A peer that goes away takes its question along.
#[tokio::test]
async fn a_request_that_is_dropped_asks_no_longer() {
    struct Held(Arc<()>);

    impl ConsumerDirectory for Held {
        fn find(&self, _: &str) -> FindConsumer {
            let held = Arc::clone(&self.0);
            FindConsumer::pending(async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(None)
            })
        }
    }

    let held = Arc::new(());
    let directory = Held(Arc::clone(&held));
    let layer = ValidateAuthLayer::with_directory(directory, options()).replay_guard(guard());
    let before = Arc::strong_count(&held);
    {
        let mut waiting = Box::pin(ask_both(&layer, || whole(by("site-a"))));
        assert!(poll_once(&mut waiting).is_pending());
        assert_eq!(Arc::strong_count(&held), before + 1);
    }
    assert_eq!(Arc::strong_count(&held), before);
}

fn poll_once<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}
