//! The replay guard: once only, bounded, nothing evicted early, and safe across restarts and clock
//! changes.

use std::{
    sync::Barrier,
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
        validate = validate.key_ids(["a", "b"].map(|key_id| (key_id, DEFAULT_SECRET_NAME)));
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
    for _ in 0..500 {
        guard.first_use(request(START + 61, START + 61)).unwrap();
    }
    assert_eq!(guard.len(), 500);
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
    for _ in 0..500 {
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
