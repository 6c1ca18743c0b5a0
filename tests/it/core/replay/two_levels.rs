//! A guard in memory in front of one that several hosts share.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use futures_executor::block_on;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, MemoryReplayGuard, ReplayGuard, ReplayId,
    TwoLevelReplayGuard, UseOnce, Validated, validate_auth,
};

use crate::support::request::{NOW, get, options, secrets, sign_options, signed_with, time};

/// What the shared guard says to each request.
#[derive(Clone, Copy)]
enum Says {
    First,
    Replayed,
    Unavailable,
    /// It is not asked, because it knows.
    KnowsBetter,
    Nothing,
}

struct Shared {
    says: Says,
    asked: Arc<AtomicUsize>,
}

impl ReplayGuard for Shared {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let says = self.says;
        UseOnce::pending(async move {
            match says {
                Says::First => Ok(()),
                Says::Replayed | Says::KnowsBetter => Err(Kind::Replayed.into()),
                Says::Unavailable => Err(AuthError::replay_guard_unavailable("it is down")),
                Says::Nothing => std::future::pending().await,
            }
        })
    }

    fn known_refusal(&self, _: &ReplayId) -> Option<AuthError> {
        matches!(self.says, Says::KnowsBetter).then(|| Kind::BeforeGuardStart.into())
    }
}

/// A guard with two levels, and how often the second one was asked.
fn guard(memory: MemoryReplayGuard, says: Says) -> (TwoLevelReplayGuard, Arc<AtomicUsize>) {
    let asked = Arc::default();
    let shared = Shared {
        says,
        asked: Arc::clone(&asked),
    };
    (TwoLevelReplayGuard::new(memory, shared), asked)
}

/// Signed long before each guard of these tests was made.
fn proof() -> Validated {
    let request = signed_with(get(), &sign_options());
    validate_auth(&request, &secrets(), &options()).unwrap()
}

fn claim(guard: &TwoLevelReplayGuard, proof: &Validated) -> Result<(), Kind> {
    let claimed = block_on(guard.accept_once(proof.clone()));
    claimed.map(|_| ()).map_err(|error| error.kind())
}

fn known(guard: &TwoLevelReplayGuard, proof: &Validated) -> Option<Kind> {
    let known = guard.known_refusal(proof.replay_id());
    known.map(|error| error.kind())
}

#[test]
fn a_replay_to_this_host_does_not_ask_the_shared_guard() {
    let (guard, asked) = guard(MemoryReplayGuard::new(), Says::First);
    let first = proof();
    assert_eq!(known(&guard, &first), None);
    assert_eq!(claim(&guard, &first), Ok(()));
    for _ in 0..5 {
        assert_eq!(known(&guard, &first), Some(Kind::Replayed));
        assert_eq!(claim(&guard, &first), Err(Kind::Replayed));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(claim(&guard, &proof()), Ok(()));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn what_another_host_has_accepted_is_refused_and_then_known_here() {
    let (guard, asked) = guard(MemoryReplayGuard::new(), Says::Replayed);
    let seen_elsewhere = proof();
    for _ in 0..5 {
        assert_eq!(claim(&guard, &seen_elsewhere), Err(Kind::Replayed));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// The shared guard may have remembered it, so a second try must not be a first use.
#[test]
fn what_the_shared_guard_failed_about_stays_used() {
    let (guard, asked) = guard(MemoryReplayGuard::new(), Says::Unavailable);
    let unknown = proof();
    assert_eq!(claim(&guard, &unknown), Err(Kind::ReplayGuardUnavailable));
    assert_eq!(claim(&guard, &unknown), Err(Kind::Replayed));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_request_that_is_given_up_stays_used() {
    let (guard, _) = guard(MemoryReplayGuard::new(), Says::Nothing);
    let given_up = proof();
    {
        let mut waiting = pin!(guard.accept_once(given_up.clone()));
        let polled = waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        // Meanwhile, too.
        assert_eq!(claim(&guard, &given_up), Err(Kind::Replayed));
    }
    assert_eq!(claim(&guard, &given_up), Err(Kind::Replayed));
    assert_eq!(guard.memory().len(), 1);
}

#[test]
fn a_full_memory_refuses_and_asks_nobody() {
    for memory in [
        MemoryReplayGuard::new().capacity(3),
        MemoryReplayGuard::new().capacity_per_consumer(3),
    ] {
        let (guard, asked) = guard(memory, Says::First);
        for _ in 0..3 {
            assert_eq!(claim(&guard, &proof()), Ok(()));
        }
        assert_eq!(claim(&guard, &proof()), Err(Kind::ReplayGuardFull));
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }
}

/// A host that scales to zero is started by a request that is older than itself.
#[test]
fn the_start_of_the_process_refuses_nothing() {
    for memory in [
        MemoryReplayGuard::new(),
        MemoryReplayGuard::with_clock(|| time(NOW + 30)),
        MemoryReplayGuard::new().started_at(time(NOW + 30)),
        MemoryReplayGuard::new().refuse_until(std::time::Duration::from_secs(10)),
    ] {
        let (guard, _) = guard(memory, Says::First);
        let early = proof();
        assert_eq!(known(&guard, &early), None);
        assert_eq!(claim(&guard, &early), Ok(()));
        assert_eq!(claim(&guard, &early), Err(Kind::Replayed));
    }
}

#[test]
fn what_the_shared_guard_refuses_at_once_takes_no_place() {
    let (guard, asked) = guard(MemoryReplayGuard::new(), Says::KnowsBetter);
    let distrusted = proof();
    assert_eq!(known(&guard, &distrusted), Some(Kind::BeforeGuardStart));
    assert_eq!(claim(&guard, &distrusted), Err(Kind::BeforeGuardStart));
    assert!(guard.memory().is_empty());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn the_shared_guard_may_stay_in_the_hands_of_its_owner() {
    let shared: Arc<dyn ReplayGuard> = Arc::new(Shared {
        says: Says::First,
        asked: Arc::default(),
    });
    let guard = TwoLevelReplayGuard::new(MemoryReplayGuard::new(), Arc::clone(&shared));
    assert_eq!(claim(&guard, &proof()), Ok(()));
    assert!(format!("{guard:?}").contains("len: 1"));
}
