//! Windows of time: each limit to the second, on both sides.

use std::time::Duration;

use hmac_auth::{
    AuthErrorKind, DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, MemoryReplayGuard, SignOptions,
    validate_auth,
};

use crate::support::{
    clock::{LONG, MAX, created, outcome, seconds, with_times},
    request::{NOW, TestRequest, get, options, secrets, sign_options, signed_with, time},
};

#[test]
fn the_default_windows_are_60_and_10_seconds() {
    assert_eq!(
        (DEFAULT_MAX_TIME_DIFF, DEFAULT_MAX_CLOCK_SKEW),
        (seconds(60), seconds(10))
    );
    for (offset, expected) in [
        (-61, Some(AuthErrorKind::Stale)),
        (-60, None),
        (-59, None),
        (-1, None),
        (0, None),
        (1, None),
        (9, None),
        (10, None),
        (11, Some(AuthErrorKind::InFuture)),
    ] {
        assert_eq!(
            outcome(&created(NOW + offset), &options()),
            expected,
            "created {offset} s from now"
        );
    }
}

#[test]
fn a_configured_window_holds_to_the_second_on_both_sides() {
    for limit in [0, 1, 2, 59, 60, 61, 300, 86_400] {
        let options = options()
            .max_time_diff(seconds(limit))
            .max_clock_skew(seconds(limit));
        let limit = i64::try_from(limit).unwrap();
        for (offset, expected) in [
            (-limit - 1, Some(AuthErrorKind::Stale)),
            (-limit, None),
            (
                1 - limit,
                if limit == 0 {
                    Some(AuthErrorKind::InFuture)
                } else {
                    None
                },
            ),
            (
                limit - 1,
                if limit == 0 {
                    Some(AuthErrorKind::Stale)
                } else {
                    None
                },
            ),
            (limit, None),
            (limit + 1, Some(AuthErrorKind::InFuture)),
        ] {
            assert_eq!(
                outcome(&created(NOW + offset), &options),
                expected,
                "limit {limit} s, created {offset} s from now"
            );
        }
    }
}

/// The two windows are independent: each alone decides its own side.
#[test]
fn one_window_does_not_widen_the_other() {
    let only_past = options().max_time_diff(LONG).max_clock_skew(Duration::ZERO);
    assert_eq!(outcome(&created(NOW - 1_000_000), &only_past), None);
    assert_eq!(
        outcome(&created(NOW + 1), &only_past),
        Some(AuthErrorKind::InFuture)
    );
    let only_future = options().max_time_diff(Duration::ZERO).max_clock_skew(LONG);
    assert_eq!(outcome(&created(NOW + 1_000_000), &only_future), None);
    assert_eq!(
        outcome(&created(NOW - 1), &only_future),
        Some(AuthErrorKind::Stale)
    );
}

#[test]
fn expires_is_the_last_good_second() {
    for (offset, expected) in [
        (-1_000_000, Some(AuthErrorKind::Expired)),
        (-2, Some(AuthErrorKind::Expired)),
        (-1, Some(AuthErrorKind::Expired)),
        (0, None),
        (1, None),
        (1_000_000, None),
    ] {
        let request = with_times(&format!(";created={NOW};expires={}", NOW + offset));
        assert_eq!(
            outcome(&request, &options()),
            expected,
            "expires {offset} s from now"
        );
    }
}

/// A consumer cannot lengthen what the host allows, and what the host allows does not lengthen what
/// the consumer wants.
#[test]
fn expires_only_shortens() {
    let stale = with_times(&format!(";created={};expires={MAX}", NOW - 61));
    assert_eq!(outcome(&stale, &options()), Some(AuthErrorKind::Stale));
    let future = with_times(&format!(";created={};expires={MAX}", NOW + 11));
    assert_eq!(outcome(&future, &options()), Some(AuthErrorKind::InFuture));
    let expired = with_times(&format!(";created={};expires={}", NOW - 30, NOW - 1));
    assert_eq!(
        outcome(&expired, &options().max_time_diff(LONG)),
        Some(AuthErrorKind::Expired)
    );
    // `expires` alone does not say when the signature was made.
    let no_created = with_times(&format!(";expires={}", NOW + 60));
    assert_eq!(
        outcome(&no_created, &options()),
        Some(AuthErrorKind::MissingCreated)
    );
}

#[test]
fn limits_with_fractions_are_rounded_up() {
    for (limit, whole) in [
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(999), 1),
        (seconds(1), 1),
        (Duration::from_nanos(1_000_000_001), 2),
        (Duration::from_millis(1_500), 2),
        (Duration::from_nanos(59_999_999_999), 60),
    ] {
        let options = options().max_time_diff(limit).max_clock_skew(limit);
        assert_eq!(outcome(&created(NOW - whole), &options), None, "{limit:?}");
        assert_eq!(
            outcome(&created(NOW - whole - 1), &options),
            Some(AuthErrorKind::Stale),
            "{limit:?}"
        );
        assert_eq!(outcome(&created(NOW + whole), &options), None, "{limit:?}");
        assert_eq!(
            outcome(&created(NOW + whole + 1), &options),
            Some(AuthErrorKind::InFuture),
            "{limit:?}"
        );
    }
}

#[test]
fn fractions_of_the_present_are_cut_off() {
    let just_before = |second: i64| time(second) - Duration::from_nanos(1);
    for (at, whole) in [
        (time(NOW) + Duration::from_nanos(999_999_999), NOW),
        (just_before(NOW), NOW - 1),
    ] {
        let options = options().at(at);
        assert_eq!(outcome(&created(whole - 60), &options), None);
        assert_eq!(
            outcome(&created(whole - 61), &options),
            Some(AuthErrorKind::Stale)
        );
        assert_eq!(outcome(&created(whole + 10), &options), None);
        assert_eq!(
            outcome(&created(whole + 11), &options),
            Some(AuthErrorKind::InFuture)
        );
        // The consumer's clock is read in the same way.
        let request = signed_with(get(), &SignOptions::new().at(at));
        assert_eq!(
            validate_auth(&request, &secrets(), &options)
                .unwrap()
                .created(),
            whole
        );
    }
}

#[test]
fn a_signer_rounds_its_expiry_up() {
    for (duration, whole) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_millis(1_500), 2),
        (seconds(2), 2),
        (Duration::from_nanos(2_000_000_001), 3),
    ] {
        let request = signed_with(get(), &sign_options().expires_in(duration));
        let validated = validate_auth(&request, &secrets(), &options()).unwrap();
        assert_eq!(validated.expires(), Some(NOW + whole), "{duration:?}");
        assert_eq!(outcome(&request, &options().at(time(NOW + whole))), None);
        assert_eq!(
            outcome(&request, &options().at(time(NOW + whole + 1))),
            Some(AuthErrorKind::Expired)
        );
    }
    let unlimited = signed_with(get(), &sign_options());
    assert_eq!(
        validate_auth(&unlimited, &secrets(), &options())
            .unwrap()
            .expires(),
        None
    );
}

#[test]
fn zero_windows_accept_this_second_only() {
    let options = options()
        .max_time_diff(Duration::ZERO)
        .max_clock_skew(Duration::ZERO);
    for (offset, expected) in [
        (-1, Some(AuthErrorKind::Stale)),
        (0, None),
        (1, Some(AuthErrorKind::InFuture)),
    ] {
        assert_eq!(outcome(&created(NOW + offset), &options), expected);
    }
}

#[test]
fn the_last_of_two_limits_counts() {
    let options = options()
        .max_time_diff(LONG)
        .max_time_diff(seconds(1))
        .max_clock_skew(LONG)
        .max_clock_skew(seconds(2));
    assert_eq!(
        outcome(&created(NOW - 2), &options),
        Some(AuthErrorKind::Stale)
    );
    assert_eq!(
        outcome(&created(NOW + 3), &options),
        Some(AuthErrorKind::InFuture)
    );
}

/// What the operator reads tells by how much.
#[test]
fn refusals_say_how_far_off_the_time_was() {
    let text = |request: &TestRequest| {
        validate_auth(request, &secrets(), &options())
            .unwrap_err()
            .to_string()
    };
    assert!(text(&created(NOW - 75)).ends_with("75 s old, 60 s allowed"));
    assert!(text(&created(NOW + 12)).ends_with("12 s ahead, 10 s allowed"));
    assert!(text(&with_times(&format!(";created={NOW};expires={}", NOW - 7))).ends_with("7 s ago"));
}

/// The guard remembers a signature exactly as long as the host would accept it.
#[test]
fn the_guard_forgets_no_signature_that_is_still_fresh() {
    let request = created(NOW);
    let validated_at = |at: i64| validate_auth(&request, &secrets(), &options().at(time(at)));
    let guard = MemoryReplayGuard::new().started_at(time(NOW - 100));
    guard.first_use(validated_at(NOW).unwrap()).unwrap();
    for at in [NOW, NOW + 59, NOW + 60] {
        let again = guard.first_use(validated_at(at).unwrap()).unwrap_err();
        assert_eq!(again.kind(), AuthErrorKind::Replayed, "{at}");
    }
    assert_eq!(
        validated_at(NOW + 61).unwrap_err().kind(),
        AuthErrorKind::Stale
    );
    // Another request one second later: the first one is over, and its place is free.
    let next = created(NOW + 61);
    guard
        .first_use(validate_auth(&next, &secrets(), &options().at(time(NOW + 61))).unwrap())
        .unwrap();
    // Were the clock set back, the guard would know that it no longer knows.
    let back = guard
        .first_use(validated_at(NOW + 60).unwrap())
        .unwrap_err();
    assert!(
        matches!(
            back.kind(),
            AuthErrorKind::Replayed | AuthErrorKind::BeforeGuardStart
        ),
        "{back:?}"
    );
}

#[test]
fn the_start_of_the_guard_holds_to_the_second() {
    let strict = |skew| {
        MemoryReplayGuard::new()
            .started_at(time(NOW))
            .refuse_until(skew)
    };
    let first_use = |guard: &MemoryReplayGuard, second: i64| {
        let validated = validate_auth(&created(second), &secrets(), &options()).unwrap();
        guard
            .first_use(validated.clone())
            .err()
            .map(|error| error.kind())
    };
    let lenient = MemoryReplayGuard::new().started_at(time(NOW));
    assert_eq!(
        first_use(&lenient, NOW - 1),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    assert_eq!(first_use(&lenient, NOW), None);
    assert_eq!(
        first_use(&strict(seconds(10)), NOW + 10),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    let nine = strict(Duration::from_millis(8_500));
    assert_eq!(
        first_use(&nine, NOW + 9),
        Some(AuthErrorKind::BeforeGuardStart)
    );
    assert_eq!(first_use(&nine, NOW + 10), None);
}
