//! The replay guard of a layer: each signature counts once, and the service waits.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, ReplayGuard, ReplayId, SignOptions, UseOnce, ValidateOptions,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::ServiceExt;

use crate::support::{
    layers::{
        Forgetful, Handler, Host, Step, ask, ask_both, data, expecting, guard, host, layer, whole,
        with_body,
    },
    request::{NOW, post, secrets, signed, signed_with, time},
};

#[tokio::test]
async fn a_signature_counts_once_for_all_layers_with_the_same_guard() {
    let guard = Arc::new(guard());
    let (one, other) = (
        layer().replay_guard(Arc::clone(&guard)),
        layer().replay_guard(guard).streaming(),
    );
    let (first, second) = (signed(post()), signed(post()));
    assert_eq!(ask(&one, whole(first.clone())).await.refusal(), None);
    assert_eq!(ask(&other, whole(second.clone())).await.refusal(), None);
    for request in [first, second] {
        for seen in [
            ask(&one, whole(request.clone())).await,
            ask(&other, whole(request.clone())).await,
        ] {
            assert_eq!((seen.refusal(), seen.calls), (Some(Kind::Replayed), 0));
        }
    }
}

#[tokio::test]
async fn a_layer_has_a_guard_unless_it_is_told_not_to() {
    let options = || ValidateOptions::new().authorities(["host.example"]);
    // The guard of a new layer goes by the clock, so here all do.
    let (layer, stream) = (
        host(secrets(), options()),
        host(secrets(), options()).streaming(),
    );
    let open = layer.clone().without_replay_guard();
    let request = signed_with(post(), &SignOptions::new());
    assert_eq!(ask(&layer, whole(request.clone())).await.refusal(), None);
    assert_eq!(
        ask(&layer.clone(), whole(request.clone())).await.refusal(),
        Some(Kind::Replayed)
    );
    assert_eq!(ask(&stream, whole(request.clone())).await.refusal(), None);
    assert_eq!(
        ask(&stream.clone(), whole(request.clone())).await.refusal(),
        Some(Kind::Replayed)
    );
    for _ in 0..2 {
        assert!(
            ask_both(&open, || whole(request.clone()))
                .await
                .iter()
                .all(|seen| seen.refusal().is_none())
        );
    }
}

#[tokio::test]
async fn a_wrong_body_uses_the_signature_up_only_if_it_is_streamed() {
    let (buffered, streamed) = (layer(), layer().streaming());
    let request = signed(post());
    let forged = || with_body(request.clone(), [data(r#"{"month":12,"site":"a"}"#)]);
    assert_eq!(
        ask(&buffered, forged()).await.refusal(),
        Some(Kind::WrongDigest)
    );
    assert_eq!(ask(&buffered, whole(request.clone())).await.refusal(), None);
    assert_eq!(
        ask(&streamed, forged()).await.refusal(),
        Some(Kind::WrongDigest)
    );
    assert_eq!(
        ask(&streamed, whole(request.clone())).await.refusal(),
        Some(Kind::Replayed)
    );
}

/// A body that comes so late that the guard may have forgotten the signature would make a replay of
/// it.
#[tokio::test]
async fn a_signature_that_goes_stale_during_the_body_is_refused() {
    let second = Duration::from_secs(1);
    let options = || ValidateOptions::new().authorities(["host.example"]);
    let ask_late = async |sign_options: SignOptions, options| {
        let request = signed_with(post(), &sign_options);
        let body = Bytes::from(request.body().clone());
        let late = with_body(
            request,
            [Step::Late(Duration::from_millis(2_100)), Step::Data(body)],
        );
        let seen = ask(&host(secrets(), options).replay_guard(Forgetful), late).await;
        (seen.refusal(), seen.calls)
    };
    let (stale, expired) = tokio::join!(
        ask_late(SignOptions::new(), options().max_time_diff(second)),
        ask_late(SignOptions::new().expires_in(second), options()),
    );
    assert_eq!(
        [stale, expired],
        [(Some(Kind::Stale), 0), (Some(Kind::Expired), 0)]
    );
}

/// A guard that answers when it is let.
struct Gate(Arc<Semaphore>);

impl ReplayGuard for Gate {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        let gate = Arc::clone(&self.0);
        UseOnce::pending(async move {
            gate.acquire()
                .await
                .map(SemaphorePermit::forget)
                .map_err(AuthError::replay_guard_unavailable)
        })
    }
}

async fn assert_waits_for(gate: &Semaphore, layer: &impl Host) {
    for kind in [None, Some(Kind::ReplayGuardUnavailable)] {
        let handler = Handler::default();
        let calls = Arc::clone(&handler.calls);
        let mut answer = pin!(layer.layer(handler).oneshot(whole(signed(post()))));
        let first = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending() && calls.load(Ordering::Relaxed) == 0);
        if kind.is_none() {
            gate.add_permits(1);
        } else {
            gate.close();
        }
        assert_eq!(answer.await.unwrap().extensions().get().copied(), kind);
        assert_eq!(calls.load(Ordering::Relaxed), usize::from(kind.is_none()));
    }
}

#[tokio::test]
async fn the_service_waits_for_the_guard() {
    let gate = || Arc::new(Semaphore::new(0));
    let (one, other) = (gate(), gate());
    assert_waits_for(&one, &layer().replay_guard(Gate(Arc::clone(&one)))).await;
    assert_waits_for(
        &other,
        &layer().replay_guard(Gate(Arc::clone(&other))).streaming(),
    )
    .await;
}

/// Somebody who has recorded a request cannot have its body read again and again.
#[tokio::test]
async fn a_used_up_request_is_refused_with_its_body_unread() {
    let guard = Arc::new(guard());
    let layer = layer().replay_guard(Arc::clone(&guard));
    let request = signed(post());
    assert_eq!(ask(&layer, whole(request.clone())).await.refusal(), None);
    // `Expect` shows that nothing is even dropped.
    let again = || expecting(whole(request.clone()));
    for seen in ask_both(&layer, again).await {
        let refusal = (seen.refusal(), seen.calls, seen.polls);
        assert_eq!(refusal, (Some(Kind::Replayed), 0, 0));
    }
    // So is a request from before the start of the guard, which may be used up.
    let late = self::guard().started_at(time(NOW + 1));
    let layer = layer.replay_guard(late);
    for seen in ask_both(&layer, || expecting(whole(signed(post())))).await {
        let refusal = (seen.refusal(), seen.calls, seen.polls);
        assert_eq!(refusal, (Some(Kind::BeforeGuardStart), 0, 0));
    }
    assert_eq!(guard.len(), 1, "asking has changed nothing");
}

/// A guard far away would make each request wait twice.
#[tokio::test]
async fn a_guard_that_knows_nothing_at_once_is_asked_after_the_body_only() {
    #[derive(Default)]
    struct Remote(AtomicUsize);

    impl ReplayGuard for Remote {
        fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
            self.0.fetch_add(1, Ordering::Relaxed);
            UseOnce::ready(Err(Kind::Replayed.into()))
        }
    }

    let remote = Arc::new(Remote::default());
    let layer = layer().replay_guard(Arc::clone(&remote));
    let forged = with_body(signed(post()), [data("forged")]);
    assert_eq!(ask(&layer, forged).await.refusal(), Some(Kind::WrongDigest));
    assert_eq!(remote.0.load(Ordering::Relaxed), 0);
    let seen = ask(&layer, whole(signed(post()))).await;
    assert_eq!((seen.refusal(), seen.polls), (Some(Kind::Replayed), 2));
    assert_eq!(remote.0.load(Ordering::Relaxed), 1);
}

/// The body of the first was still coming when the guard was asked about the second.
#[tokio::test]
async fn of_two_requests_whose_bodies_come_at_once_one_is_accepted() {
    let layer = layer();
    let request = signed(post());
    let slow = || {
        let body = Bytes::from(request.body().clone());
        with_body(request.clone(), [Step::Wait, Step::Data(body)])
    };
    let (one, other) = tokio::join!(ask(&layer, slow()), ask(&layer, slow()));
    let mut refusals = [one.refusal(), other.refusal()];
    refusals.sort_by_key(Option::is_some);
    assert_eq!(refusals, [None, Some(Kind::Replayed)]);
}
