//! The replay guard: once only, bounded, nothing evicted early, and safe across restarts and clock
//! changes.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret, SignOptions,
    ValidateOptions, Validated, sign_request, validate_auth,
};
use http::Request;

/// The guard is created at this second.
const START: u64 = 1_800_000_000;

fn second(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(
        DEFAULT_SECRET_NAME,
        Secret::from_text("a secret for the replay tests").unwrap(),
    );
    secrets
}

/// A new request, signed at `created` and validated at `now`.
fn request(created: u64, now: u64) -> Validated {
    request_of(None, created, now)
}

fn request_of(key_id: Option<&str>, created: u64, now: u64) -> Validated {
    let mut request = Request::get("https://host.example/").body("").unwrap();
    let mut sign = SignOptions::new().at(second(created));
    let mut validate = ValidateOptions::new().at(second(now));
    if let Some(key_id) = key_id {
        sign = sign.key_id(key_id);
        validate = validate.key_ids([(key_id, DEFAULT_SECRET_NAME)]);
    }
    sign_request(&mut request, &secrets(), &sign).unwrap();
    validate_auth(&request, &secrets(), &validate).unwrap()
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new().started_at(second(START))
}

fn refusal(guard: &MemoryReplayGuard, validated: &Validated) -> Option<AuthErrorKind> {
    guard
        .first_use(validated.clone())
        .err()
        .map(|error| error.kind())
}

#[test]
fn the_second_use_is_refused_and_another_request_is_not() {
    let guard = guard();
    let first = request(START, START);
    assert_eq!(refusal(&guard, &first), None);
    assert_eq!(refusal(&guard, &first), Some(AuthErrorKind::Replayed));
    // Same request, same second: the nonce makes it another signature.
    assert_eq!(refusal(&guard, &request(START, START)), None);
    assert_eq!(guard.len(), 2);
}

/// So many that each part of the guard grows several times.
#[test]
fn each_of_many_is_refused_again() {
    let guard = guard();
    let all: Vec<_> = (0..12_000).map(|_| request(START, START)).collect();
    for validated in &all {
        assert_eq!(refusal(&guard, validated), None);
    }
    for validated in &all {
        assert_eq!(refusal(&guard, validated), Some(AuthErrorKind::Replayed));
    }
    assert_eq!(guard.len(), all.len());
}

#[test]
fn of_many_threads_exactly_one_wins() {
    for _ in 0..50 {
        let (guard, validated, barrier) = (guard(), request(START, START), Barrier::new(4));
        let wins: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        usize::from(guard.first_use(validated.clone()).is_ok())
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!((wins, guard.len()), (1, 1));
    }
}

#[test]
fn the_capacity_holds_under_threads() {
    let guard = guard().capacity(100).capacity_per_consumer(100);
    let requests: Vec<_> = (0..200).map(|_| request(START, START)).collect();
    let accepted: usize = thread::scope(|scope| {
        let threads: Vec<_> = requests
            .chunks(50)
            .map(|chunk| {
                scope.spawn(|| {
                    chunk
                        .iter()
                        .filter(|&validated| guard.first_use(validated.clone()).is_ok())
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((accepted, guard.len()), (100, 100));
}

/// A signature that the host still accepts is remembered; when the host no longer does, its second
/// is dropped as a whole.
#[test]
fn nothing_is_forgotten_while_it_is_fresh() {
    let guard = guard();
    let old = request(START, START);
    guard.first_use(old.clone()).unwrap();
    for age in 0..=60 {
        assert_eq!(refusal(&guard, &request(START, START + age)), None);
    }
    assert_eq!(guard.len(), 62);
    // 61 s later the signatures of START are stale. The guard drops them when it next sees their
    // shard.
    for _ in 0..2_000 {
        guard.first_use(request(START + 61, START + 61)).unwrap();
    }
    assert_eq!(guard.len(), 2_000);
    assert_eq!(
        refusal(&guard, &old),
        Some(AuthErrorKind::BeforeGuardStart),
        "what was dropped is not accepted again"
    );
}

/// The clock is set back by a minute: signatures whose second was dropped are fresh again, and
/// refused all the same.
#[test]
fn a_clock_that_is_set_back_opens_nothing() {
    let guard = guard();
    let used: Vec<_> = (0..100).map(|_| request(START, START)).collect();
    for validated in &used {
        guard.first_use(validated.clone()).unwrap();
    }
    for _ in 0..2_000 {
        guard.first_use(request(START + 100, START + 100)).unwrap();
    }
    for validated in &used {
        assert_eq!(
            refusal(&guard, validated),
            Some(AuthErrorKind::BeforeGuardStart)
        );
    }
}

#[test]
fn a_full_guard_refuses_and_evicts_nothing() {
    let guard = guard().capacity(3);
    let kept: Vec<_> = (0..3).map(|age| request(START + age, START + 2)).collect();
    for validated in &kept {
        assert_eq!(refusal(&guard, validated), None);
    }
    let error = guard.first_use(request(START + 2, START + 2)).unwrap_err();
    assert_eq!(
        (error.kind(), error.status().as_u16()),
        (AuthErrorKind::ReplayGuardFull, 503)
    );
    for validated in &kept {
        assert_eq!(refusal(&guard, validated), Some(AuthErrorKind::Replayed));
    }
    // 61 s after the first, there is room for one; it does not matter in which shard.
    assert_eq!(refusal(&guard, &request(START + 61, START + 61)), None);
    assert_eq!(
        refusal(&guard, &request(START + 61, START + 61)),
        Some(AuthErrorKind::ReplayGuardFull)
    );
}

#[test]
fn a_refused_request_leaves_no_trace() {
    let guard = guard().capacity(0);
    assert_eq!(
        refusal(&guard, &request(START + 5, START + 5)),
        Some(AuthErrorKind::ReplayGuardFull)
    );
    let guard = guard.capacity(10);
    for now in [5, 6, 60] {
        assert_eq!(
            refusal(&guard, &request(START + 5, START + now)),
            None,
            "second 5 was never dropped"
        );
    }
}

#[test]
fn one_consumer_cannot_take_the_room_of_another() {
    let guard = guard().capacity(10).capacity_per_consumer(4);
    for _ in 0..4 {
        assert_eq!(refusal(&guard, &request_of(Some("a"), START, START)), None);
    }
    assert_eq!(
        refusal(&guard, &request_of(Some("a"), START, START)),
        Some(AuthErrorKind::ReplayGuardFull)
    );
    for _ in 0..4 {
        assert_eq!(refusal(&guard, &request_of(Some("b"), START, START)), None);
    }
    // With one secret for all, the key id is the peer's to choose, and counts for nothing.
    let guard = MemoryReplayGuard::new()
        .started_at(second(START))
        .capacity(10)
        .capacity_per_consumer(2);
    let chosen = |key_id: &str| {
        let mut request = Request::get("https://host.example/").body("").unwrap();
        sign_request(
            &mut request,
            &secrets(),
            &SignOptions::new().key_id(key_id).at(second(START)),
        )
        .unwrap();
        validate_auth(
            &request,
            &secrets(),
            &ValidateOptions::new().at(second(START)),
        )
        .unwrap()
    };
    let outcomes = ["x", "y", "z"].map(|key_id| refusal(&guard, &chosen(key_id)));
    assert_eq!(outcomes, [None, None, Some(AuthErrorKind::ReplayGuardFull)]);
}

/// Before the restart the consumer used a signature; the new guard cannot know, and must not accept
/// it.
#[test]
fn a_restart_opens_nothing() {
    let before = request(START - 1, START);
    let honest = request(START, START);
    let ahead = request(START + 5, START);

    let default = guard();
    assert_eq!(
        refusal(&default, &before),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    assert_eq!(
        refusal(&default, &honest),
        None,
        "an honest consumer is served at once"
    );
    assert_eq!(refusal(&default, &ahead), None);

    let strict = guard().refuse_until(Duration::from_secs(10));
    for validated in [&before, &honest, &ahead, &request(START + 10, START + 10)] {
        assert_eq!(
            refusal(&strict, validated),
            Some(AuthErrorKind::BeforeGuardStart)
        );
    }
    assert_eq!(refusal(&strict, &request(START + 11, START + 11)), None);

    // Earlier in the second of the start: open by default, closed with zero.
    let zero = guard().refuse_until(Duration::ZERO);
    assert_eq!(
        refusal(&zero, &honest),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    assert_eq!(refusal(&zero, &request(START + 1, START + 1)), None);

    let off = guard().accept_replays_across_restarts();
    assert_eq!(refusal(&off, &before), None);
    assert_eq!(refusal(&off, &before), Some(AuthErrorKind::Replayed));
}

#[test]
fn a_guard_starts_now() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let guard = MemoryReplayGuard::default();
    assert_eq!(
        refusal(&guard, &request(now - 30, now)),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    assert_eq!(refusal(&guard, &request(now + 5, now + 5)), None);
}

/// What the operator reads about a request of this time at this time.
fn reason(guard: &MemoryReplayGuard, created: u64, now: u64) -> String {
    let error = guard.first_use(request(created, now)).unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::BeforeGuardStart);
    error.to_string()
}

#[track_caller]
fn assert_says(reason: &str, words: &[&str]) {
    for word in words {
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

/// The clock was an hour ahead when the host started, and was then set right. Every signature is
/// refused for an hour, whatever a consumer does about it.
#[test]
fn a_start_in_the_future_is_told_as_the_fault_of_the_host() {
    let clock = Arc::new(AtomicU64::new(START + 3_600));
    let read = {
        let clock = Arc::clone(&clock);
        move || second(clock.load(Ordering::Relaxed))
    };
    let guard = MemoryReplayGuard::with_clock(read);
    clock.store(START, Ordering::Relaxed);
    let present = || clock.load(Ordering::Relaxed);
    for strict in [None, Some(Duration::from_secs(10))] {
        let guard = match strict {
            None => &guard,
            Some(skew) => &MemoryReplayGuard::new()
                .started_at(second(START + 3_600))
                .refuse_until(skew),
        };
        for created in [START, START - 60, START + 10] {
            let reason = reason(guard, created, present());
            let named = [
                "clock of this host",
                "3600 s in the future",
                "restart the host",
            ];
            assert_says(&reason, &named);
            assert!(!reason.contains("consumer"), "{reason}");
        }
    }
    // When the present has come to the start, the guard serves.
    clock.store(START + 3_600, Ordering::Relaxed);
    assert_eq!(refusal(&guard, &request(present(), present())), None);
}

/// The guard does not move its start back by itself. A host whose clock was ahead may have accepted
/// signatures from just that time, which a later start would accept again.
#[test]
fn a_clock_that_was_ahead_opens_nothing_when_it_is_set_right() {
    let ahead = START + 3_600;
    let first = MemoryReplayGuard::with_clock(|| second(ahead - 100));
    let used = request(ahead - 50, ahead - 50);
    first.first_use(used).unwrap();
    let restarted = MemoryReplayGuard::with_clock(|| second(ahead));
    // The clock is set right, the guard sees the present, and the hour goes by.
    let again = request(START, START);
    assert_eq!(
        refusal(&restarted, &again),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    let replayed = request(ahead - 50, ahead - 50);
    assert_eq!(
        refusal(&restarted, &replayed),
        Some(AuthErrorKind::BeforeGuardStart)
    );
}

#[test]
fn a_refusal_after_a_restart_names_its_cause() {
    let reason_of = |guard: &MemoryReplayGuard, created| reason(guard, created, START + 5);
    let early = reason_of(&guard(), START - 7);
    assert_says(
        &early,
        &["7 s before", "sign anew", "clock of the consumer"],
    );
    let strict = guard().refuse_until(Duration::from_secs(10));
    assert_says(
        &reason_of(&strict, START + 3),
        &["refuse_until", "10 s", "sign anew"],
    );
    let zero = guard().refuse_until(Duration::ZERO);
    assert_says(&reason_of(&zero, START), &["refuse_until"]);
    assert_says(&reason_of(&strict, START - 7), &["7 s before"]);
}

/// The clock was set back while the guard was at work.
#[test]
fn a_dropped_second_names_its_cause() {
    let guard = guard();
    let used: Vec<_> = (0..100).map(|_| request(START, START)).collect();
    for validated in &used {
        guard.first_use(validated.clone()).unwrap();
    }
    for _ in 0..2_000 {
        guard.first_use(request(START + 100, START + 100)).unwrap();
    }
    let error = guard.first_use(used[0].clone()).unwrap_err();
    let named = ["clock of this host", "set back", "max_time_diff"];
    assert_says(&error.to_string(), &named);
}

/// The clocks of the host and of a consumer were an hour ahead, and are set right. A new signature does
/// not help.
#[test]
fn a_second_that_was_dropped_in_the_future_is_told_as_the_fault_of_the_host() {
    let guard = guard();
    for now in [START + 3_600, START + 3_700] {
        for _ in 0..2_000 {
            guard.first_use(request(now, now)).unwrap();
        }
    }
    let reason = reason(&guard, START + 100, START + 100);
    let named = [
        "clock of this host",
        "3500 s in the future",
        "restart the host",
    ];
    assert_says(&reason, &named);
    assert!(!reason.contains("sign anew"), "{reason}");
}

#[test]
fn extreme_windows_do_not_overflow() {
    let guard = guard();
    let validate = ValidateOptions::new()
        .max_time_diff(Duration::MAX)
        .max_clock_skew(Duration::MAX)
        .at(second(START));
    let mut request = Request::get("https://host.example/").body("").unwrap();
    sign_request(
        &mut request,
        &secrets(),
        &SignOptions::new().at(second(999_999_999_999_999)),
    )
    .unwrap();
    let validated = validate_auth(&request, &secrets(), &validate).unwrap();
    assert_eq!(validated.replay_id().fresh_until(), i64::MAX);
    assert_eq!(refusal(&guard, &validated), None);
    assert_eq!(refusal(&guard, &validated), Some(AuthErrorKind::Replayed));
}

#[test]
fn how_full_a_guard_is_can_be_read() {
    let guard = MemoryReplayGuard::new().capacity(3);
    assert_eq!((guard.len(), guard.max_len()), (0, 3));
    let guard = MemoryReplayGuard::new();
    assert_eq!(guard.max_len(), hmac_auth::DEFAULT_REPLAY_CAPACITY);
}

/// A platform has many consumers in a year, and few at a time.
#[test]
fn nothing_is_kept_of_consumers_that_are_gone() {
    let guard = guard().capacity(1_000).capacity_per_consumer(1);
    let consumers = |count: usize| {
        let text = format!("{guard:?}");
        assert!(text.contains(&format!("consumers: {count},")), "{text}");
    };
    for second in 0..10 {
        for name in 0..100 {
            let name = format!("{second}-{name}");
            let request = request_of(Some(&name), START + second, START + second);
            assert_eq!(refusal(&guard, &request), None);
            // What is refused leaves nothing behind, and takes nothing away.
            let late = request_of(Some(&name), START + second, START + second);
            assert_eq!(refusal(&guard, &late), Some(AuthErrorKind::ReplayGuardFull));
        }
    }
    consumers(1_000);
    let early = request_of(Some("early"), START - 1, START);
    assert_eq!(
        refusal(&guard, &early),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    let full = request_of(Some("full"), START + 9, START + 9);
    assert_eq!(refusal(&guard, &full), Some(AuthErrorKind::ReplayGuardFull));
    consumers(1_000);
    // The guard is full, so the first of these looks through all of its parts.
    for name in 0..500 {
        let name = format!("new-{name}");
        let request = request_of(Some(&name), START + 200, START + 200);
        assert_eq!(refusal(&guard, &request), None);
    }
    // Each request clears up a piece of what is past, also one that is refused.
    for _ in 0..1_000 {
        let late = request_of(Some("new-0"), START + 200, START + 200);
        assert_eq!(refusal(&guard, &late), Some(AuthErrorKind::ReplayGuardFull));
    }
    consumers(500);
    // The quota of one who comes again is a new one.
    let again = request_of(Some("0-0"), START + 200, START + 200);
    assert_eq!(refusal(&guard, &again), None);
    consumers(501);
}
