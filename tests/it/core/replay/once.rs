//! Accepting a proof once with any guard, outside of a layer.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_executor::block_on;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, MemoryReplayGuard, ReplayGuard, ReplayId, UseOnce, Validated,
};
use http::StatusCode;

use crate::support::request::{NOW, get, signed, time, validate};

fn proof() -> Validated {
    validate(&signed(get())).unwrap()
}

fn memory() -> MemoryReplayGuard {
    MemoryReplayGuard::new().started_at(time(NOW))
}

/// A guard that answers after a while, as one behind a network does.
struct Slow<G>(Arc<G>);

impl<G: ReplayGuard + 'static> ReplayGuard for Slow<G> {
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce {
        let (guard, id, consumer) = (Arc::clone(&self.0), id.clone(), consumer.to_owned());
        UseOnce::pending(async move {
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls < 3 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
            guard.use_once(&id, &consumer).await
        })
    }
}

/// A guard that cannot be reached.
struct Gone;

impl ReplayGuard for Gone {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::pending(async { Err(AuthError::replay_guard_unavailable("connection refused")) })
    }
}

#[test]
fn any_guard_gives_a_proof_back_once() {
    let guards: [Box<dyn ReplayGuard>; 3] = [
        Box::new(memory()),
        Box::new(Arc::new(memory())),
        Box::new(Slow(Arc::new(memory()))),
    ];
    for guard in &guards {
        let guard: &dyn ReplayGuard = &**guard;
        let first = proof();
        let accepted = block_on(guard.accept_once(first.clone())).unwrap();
        assert_eq!(
            accepted.replay_id().as_bytes(),
            first.replay_id().as_bytes()
        );
        let refusal = block_on(guard.accept_once(first)).unwrap_err();
        assert_eq!(refusal.kind(), Kind::Replayed);
        block_on(guard.accept_once(proof())).unwrap();
    }
}

#[test]
fn a_guard_that_cannot_be_reached_refuses() {
    let refusal = block_on(Gone.accept_once(proof())).unwrap_err();
    assert_eq!(refusal.kind(), Kind::ReplayGuardUnavailable);
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
}

fn poll_to_end<F: Future>(mut future: Pin<&mut F>) {
    let mut context = Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {}
}

/// What a future says when it is polled after its end.
fn polled_again<F: Future>(future: F) -> String {
    let mut future = pin!(future);
    poll_to_end(future.as_mut());
    let again = AssertUnwindSafe(|| poll_to_end(future));
    let panic = catch_unwind(again).expect_err("the future panics");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().expect("a message").to_string(),
    }
}

#[test]
fn an_answer_that_is_polled_again_panics_as_the_layers_do() {
    let guard = memory();
    let slow = Slow(Arc::new(memory()));
    for message in [
        polled_again(UseOnce::ready(Ok(()))),
        polled_again(UseOnce::ready(Err(Kind::Replayed.into()))),
        polled_again(UseOnce::pending(async { Ok(()) })),
        polled_again(guard.accept_once(proof())),
        polled_again(slow.accept_once(proof())),
        polled_again(Gone.accept_once(proof())),
    ] {
        assert_eq!(
            message,
            "a future must not be polled again after it was ready"
        );
    }
}
