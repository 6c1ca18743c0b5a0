//! The replay guard of a layer: each signature counts once, and the service waits.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, atomic::Ordering},
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
    layers::{Handler, Host, Step, ask, ask_both, data, guard, host, layer, whole, with_body},
    request::{post, secrets, signed, signed_with},
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

/// A guard that has just forgotten all signatures, as it may once they are stale.
struct Forgetful;

impl ReplayGuard for Forgetful {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::ready(Ok(()))
    }
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
