//! The places of the guard: what one claim has in reserve is there for every other one.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac_auth::{
    AuthErrorKind, MemoryReplayGuard, MemorySecrets, Secret, SignOptions, ValidateOptions,
    Validated, sign_request, validate_auth,
};
use http::Request;

const START: u64 = 1_800_000_000;

fn time(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

/// A new request of this consumer, made and validated in so many seconds.
fn request(consumer: &str, seconds: u64) -> Validated {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text("a secret for the places of the guard").unwrap();
    secrets.insert(consumer, secret);
    let mut request = Request::get("https://host.example/").body("").unwrap();
    let sign = SignOptions::new()
        .secret_name(consumer)
        .key_id(consumer)
        .at(time(START + seconds));
    sign_request(&mut request, &secrets, &sign).unwrap();
    let options = ValidateOptions::new()
        .key_ids([(consumer, consumer)])
        .at(time(START + seconds));
    validate_auth(&request, &secrets, &options).unwrap()
}

fn guard(capacity: usize, capacity_per_consumer: usize) -> MemoryReplayGuard {
    MemoryReplayGuard::new()
        .started_at(time(START))
        .capacity(capacity)
        .capacity_per_consumer(capacity_per_consumer)
}

fn is_accepted(guard: &MemoryReplayGuard, validated: Validated) -> bool {
    match guard.first_use(validated) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), AuthErrorKind::ReplayGuardFull);
            false
        }
    }
}

fn accepted(guard: &MemoryReplayGuard, consumer: &str, second: u64, count: usize) -> usize {
    let requests = (0..count).map(|_| request(consumer, second));
    requests
        .filter(|one| is_accepted(guard, one.clone()))
        .count()
}

/// The first consumer claims in many seconds, and claims again and again in each part.
#[test]
fn another_consumer_gets_every_place_that_is_left() {
    let guard = guard(6_000, 6_000);
    for second in 0..5 {
        assert_eq!(accepted(&guard, "a", second, 500), 500);
    }
    assert_eq!(guard.len(), 2_500);
    assert_eq!(accepted(&guard, "b", 5, 3_600), 3_500);
    assert_eq!(guard.len(), 6_000);
    assert_eq!(accepted(&guard, "a", 6, 1), 0);
}

#[test]
fn a_consumer_gets_every_place_of_its_share_in_any_second() {
    let guard = guard(100_000, 3_000);
    for second in 0..5 {
        assert_eq!(accepted(&guard, "a", second, 500), 500);
    }
    assert_eq!(accepted(&guard, "a", 5, 600), 500);
    assert_eq!(guard.len(), 3_000);
    assert_eq!(accepted(&guard, "b", 5, 1), 1);
}

/// Each has places in reserve when the other one's turn comes.
#[test]
fn consumers_that_take_turns_get_their_own_places() {
    let guard = guard(100_000, 2_000);
    let mut counts = [0; 2];
    for round in 0..2_100 {
        let turn = round / 3 % 2;
        for _ in 0..2 {
            counts[turn] += accepted(&guard, ["a", "b"][turn], 1, 1);
        }
    }
    assert_eq!(counts, [2_000; 2]);
}

/// What a late request claims is of a second that is not the newest one any more.
#[test]
fn late_claims_hold_no_places_back() {
    let guard = guard(4_000, 4_000);
    assert_eq!(accepted(&guard, "a", 1, 1_000), 1_000);
    assert_eq!(accepted(&guard, "a", 0, 400), 400);
    assert_eq!(accepted(&guard, "b", 1, 2_700), 2_600);
    assert_eq!(guard.len(), 4_000);
}

#[test]
fn all_places_come_back_when_their_seconds_are_over() {
    let guard = guard(2_000, 2_000);
    for round in 0..3 {
        let second = round * 100;
        assert_eq!(accepted(&guard, "a", second, 900), 900);
        assert_eq!(accepted(&guard, "b", second + 1, 1_200), 1_100);
        assert_eq!(guard.len(), 2_000);
    }
}

/// The places of many consumers come back piece by piece, but each consumer finds its own.
#[test]
fn the_places_of_many_consumers_come_back_to_each_of_them() {
    let guard = guard(3_000, 2);
    for second in [0, 100, 200] {
        for name in 0..1_500 {
            assert_eq!(accepted(&guard, &format!("{second}-{name}"), second, 1), 1);
            assert_eq!(accepted(&guard, &format!("{name}"), second, 1), 1);
        }
        assert_eq!(guard.len(), 3_000);
        assert_eq!(accepted(&guard, "another", second, 1), 0);
    }
    // Those who used both of their places have them again, too.
    let guard = guard.capacity_per_consumer(1);
    for name in 0..1_500 {
        assert_eq!(accepted(&guard, &format!("{name}"), 300, 2), 1);
    }
}

/// Somebody comes first after many consumers are gone, and does not wait for all of them.
#[test]
fn one_claim_does_not_clear_up_after_all_consumers() {
    let guard = guard(10_000, 10);
    let consumers = |guard: &MemoryReplayGuard| -> usize {
        let text = format!("{guard:?}");
        let (_, rest) = text.split_once("consumers: ").unwrap();
        rest.split(',').next().unwrap().parse().unwrap()
    };
    for name in 0..6_400 {
        assert_eq!(accepted(&guard, &format!("{name}"), 0, 1), 1);
    }
    assert_eq!(accepted(&guard, "new", 100, 1), 1);
    assert!(consumers(&guard) > 6_400 - 20);
    for name in 0..4_000 {
        assert_eq!(accepted(&guard, &format!("new-{name}"), 100, 1), 1);
    }
    assert_eq!(consumers(&guard), 4_001);
}

#[test]
fn threads_get_exactly_as_many_places_as_there_are() {
    let guard = guard(3_000, 2_000);
    let requests = ["a", "a", "b", "b"].map(|consumer| {
        let all = (0..1_000).map(|number| request(consumer, number % 3));
        all.collect::<Vec<_>>()
    });
    let (barrier, count) = (Barrier::new(requests.len()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for requests in &requests {
            scope.spawn(|| {
                barrier.wait();
                let accepted = requests
                    .iter()
                    .filter(|one| is_accepted(&guard, (*one).clone()));
                count.fetch_add(accepted.count(), Ordering::Relaxed);
            });
        }
    });
    assert_eq!((count.into_inner(), guard.len()), (3_000, 3_000));
}
