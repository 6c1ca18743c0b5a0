//! The replay guard, for each order in which threads can take their steps.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use hmac_auth::{AuthErrorKind, MemoryReplayGuard, ReplayGuard, ReplayId};
use loom::{model::Builder, sync::Arc, thread};
use threads::{START, id, time};

/// Each order in which a thread is stopped so often, at most, before its step is done.
fn for_each_order(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::with_clock(|| time(START))
}

type Claimed = Result<(), AuthErrorKind>;

fn claim(guard: &MemoryReplayGuard, id: &ReplayId, consumer: &str) -> Claimed {
    let answer = pin!(guard.use_once(id, consumer));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.map_err(|error| error.kind()),
        Poll::Pending => panic!("this guard does not wait"),
    }
}

/// Both claims at once: what became of them, and how many signatures the guard then counts.
fn both(
    guard: MemoryReplayGuard,
    claims: [(ReplayId, &'static str); 2],
) -> ([Claimed; 2], Arc<MemoryReplayGuard>) {
    let guard = Arc::new(guard);
    let [first, (id, consumer)] = claims;
    let other = {
        let guard = Arc::clone(&guard);
        thread::spawn(move || claim(&guard, &first.0, first.1))
    };
    let this = claim(&guard, &id, consumer);
    ([other.join().expect("no panic"), this], guard)
}

fn wins(claims: &[Claimed]) -> usize {
    claims.iter().filter(|claimed| claimed.is_ok()).count()
}

#[test]
fn of_two_equal_claims_exactly_one_wins() {
    let used = id(START);
    for_each_order(move || {
        let (claims, guard) = both(guard(), [(used.clone(), "a"), (used.clone(), "a")]);
        assert_eq!((wins(&claims), guard.len()), (1, 1));
        assert!(claims.contains(&Err(AuthErrorKind::Replayed)));
    });
}

#[test]
fn two_signatures_win_both_and_count_both() {
    let ids = [id(START), id(START + 1)];
    for_each_order(move || {
        let [a, b] = ids.clone();
        let (claims, guard) = both(guard(), [(a, "a"), (b, "a")]);
        assert_eq!((wins(&claims), guard.len()), (2, 2));
        assert!(format!("{guard:?}").contains("consumers: 1,"), "{guard:?}");
    });
}

#[test]
fn the_last_place_is_given_once() {
    let ids = [id(START), id(START)];
    for_each_order(move || {
        let [a, b] = ids.clone();
        let (claims, guard) = both(guard().capacity(1), [(a, "a"), (b, "b")]);
        assert_eq!((wins(&claims), guard.len()), (1, 1));
        assert!(claims.contains(&Err(AuthErrorKind::ReplayGuardFull)));
        // The other one leaves no quota behind.
        assert!(format!("{guard:?}").contains("consumers: 1,"), "{guard:?}");
    });
}

/// The first consumer has places in reserve, and takes one of them while the other one needs it.
#[test]
fn a_place_in_reserve_is_given_once() {
    let ids: Vec<_> = (0..5).map(|_| id(START + 1)).collect();
    let others: Vec<_> = (0..8).map(|_| id(START)).collect();
    for_each_order(move || {
        let guard = guard().capacity(12);
        let [first @ .., a, b] = &ids[..] else {
            panic!("five");
        };
        // Two of three meet in one part: the second takes two places, and uses one.
        for id in first {
            claim(&guard, id, "a").expect("an empty guard");
        }
        for (id, consumer) in others.iter().zip(["c", "d", "e", "f", "g", "h", "i", "j"]) {
            claim(&guard, id, consumer).expect("a place, although it is in reserve");
        }
        let (claims, guard) = both(guard, [(a.clone(), "a"), (b.clone(), "b")]);
        assert_eq!((wins(&claims), guard.len()), (1, 12));
        assert!(claims.contains(&Err(AuthErrorKind::ReplayGuardFull)));
    });
}

/// One consumer has used up its quota. Its claim must not take a place away from another one, not
/// even for a moment.
#[test]
fn a_refused_consumer_takes_no_place_from_another() {
    let ids = [id(START), id(START), id(START)];
    for_each_order(move || {
        let [first, a, b] = ids.clone();
        let guard = guard().capacity(2).capacity_per_consumer(1);
        claim(&guard, &first, "a").expect("an empty guard");
        let (claims, guard) = both(guard, [(a, "a"), (b, "b")]);
        assert_eq!(claims, [Err(AuthErrorKind::ReplayGuardFull), Ok(())]);
        assert_eq!(guard.len(), 2);
    });
}

/// A claim, an expiry and a quota meet: the guard is full of a second that is over, and both
/// claims need its place.
#[test]
fn what_is_over_gives_its_place_to_exactly_one() {
    let ids = [id(START), id(START + 61), id(START + 61), id(START + 122)];
    for_each_order(move || {
        let [old, a, b, later] = ids.clone();
        let guard = guard().capacity(2).capacity_per_consumer(1);
        claim(&guard, &old, "a").expect("an empty guard");
        let (claims, guard) = both(guard, [(a, "a"), (b, "a")]);
        assert_eq!(wins(&claims), 1, "{claims:?}");
        assert!(claims.contains(&Err(AuthErrorKind::ReplayGuardFull)));
        assert!((1..=2).contains(&guard.len()));
        assert_eq!(
            claim(&guard, &old, "a"),
            Err(AuthErrorKind::BeforeGuardStart),
            "what was dropped is not accepted again"
        );
        // The quota is free again: nothing was lost, and nothing was counted twice.
        claim(&guard, &later, "a").expect("all before it is over");
    });
}

/// Two claims drop the last signatures of a consumer.
#[test]
fn nothing_is_kept_of_a_consumer_that_is_gone() {
    let ids = [id(START), id(START + 1), id(START + 62), id(START + 62)];
    for_each_order(move || {
        let [first, second, a, b] = ids.clone();
        let guard = guard().capacity(2);
        for id in [first, second] {
            claim(&guard, &id, "gone").expect("a place");
        }
        let (claims, guard) = both(guard, [(a, "a"), (b, "b")]);
        assert_eq!((wins(&claims), guard.len()), (2, 2));
        assert!(format!("{guard:?}").contains("consumers: 2,"), "{guard:?}");
    });
}
