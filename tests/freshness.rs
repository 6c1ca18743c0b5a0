//! Times: each limit to the second, on both sides, and the extremes of every number that has to do with one.

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{
    NOW, TestRequest, get, options, refusal_with, secrets, sign_options, signed_as, signed_with,
    time,
};
use hmac_auth::{
    AuthErrorKind, DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, MemoryReplayGuard, SignError,
    SignOptions, ValidateOptions, sign_request, validate_auth,
};

/// The largest integer of RFC 8941 section 3.3.1.
const MAX: i64 = 999_999_999_999_999;

const LONG: Duration = Duration::MAX;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A correctly signed request with these time parameters, as text.
fn with_times(times: &str) -> TestRequest {
    signed_as(
        get(),
        &format!(r#"("@method" "@authority" "@path" "@query"){times}"#),
    )
}

fn created(created: i64) -> TestRequest {
    with_times(&format!(";created={created}"))
}

/// `None` if accepted.
fn outcome(request: &TestRequest, options: &ValidateOptions) -> Option<AuthErrorKind> {
    validate_auth(request, &secrets(), options)
        .err()
        .map(|error| error.kind())
}

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

/// A consumer cannot lengthen what the host allows, and what the host allows does not lengthen what the consumer wants.
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
fn the_extremes_of_created_are_just_stale_or_in_the_future() {
    for at in [UNIX_EPOCH, time(NOW), time(-NOW), far_future(), far_past()] {
        let options = options().at(at);
        let past = outcome(&created(-MAX), &options);
        let future = outcome(&created(MAX), &options);
        let allowed = [AuthErrorKind::Stale, AuthErrorKind::InFuture];
        assert!(
            past.is_some_and(|kind| allowed.contains(&kind)),
            "{at:?}: {past:?}"
        );
        assert!(
            future.is_some_and(|kind| allowed.contains(&kind)),
            "{at:?}: {future:?}"
        );
    }
    assert_eq!(
        outcome(&created(-MAX), &options()),
        Some(AuthErrorKind::Stale)
    );
    assert_eq!(
        outcome(&created(MAX), &options()),
        Some(AuthErrorKind::InFuture)
    );
}

#[test]
fn the_extremes_of_expires_are_just_expired_or_not() {
    assert_eq!(
        outcome(
            &with_times(&format!(";created={NOW};expires=-{MAX}")),
            &options()
        ),
        Some(AuthErrorKind::Expired)
    );
    assert_eq!(
        outcome(
            &with_times(&format!(";created={NOW};expires={MAX}")),
            &options()
        ),
        None
    );
    // `now` beyond all that `expires` can say.
    let late = options().at(far_future()).max_time_diff(LONG);
    assert_eq!(
        outcome(&with_times(&format!(";created={NOW};expires={MAX}")), &late),
        Some(AuthErrorKind::Expired)
    );
    // And before.
    let early = options().at(far_past()).max_clock_skew(LONG);
    assert_eq!(
        outcome(
            &with_times(&format!(";created=-{MAX};expires=-{MAX}")),
            &early
        ),
        None
    );
}

/// The signature is right in each of them, so that only the number is wrong.
#[test]
fn what_is_no_integer_of_rfc_8941_is_malformed() {
    for parameter in ["created", "expires"] {
        for number in [
            "1000000000000000",
            "-1000000000000000",
            "0000001700000000",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "18446744073709551615",
            "340282366920938463463374607431768211456",
            "1700000000.0",
            "1.7e9",
            "0x6553f100",
            "+1700000000",
            "--1",
            "-",
            "NaN",
            "nan",
            "inf",
            "Infinity",
            "\"1700000000\"",
            ":MTcwMDAwMDAwMA==:",
            "?1",
            "@1700000000",
            "(1700000000)",
            "",
        ] {
            let others = if parameter == "created" {
                String::new()
            } else {
                format!("created={NOW};")
            };
            let input = format!(
                r#"("@method" "@authority" "@path" "@query");{others}{parameter}={number}"#
            );
            let text = format!(
                "\"@method\": GET\n\"@authority\": host.example\n\"@path\": /orders\n\"@query\": ?page=2\n\"@signature-params\": {input}"
            );
            let request = common::with_signature(
                get(),
                "sig1",
                &input,
                &common::secret().mac(text.as_bytes()).into_bytes(),
            );
            assert_eq!(
                refusal_with(&request, &options()),
                AuthErrorKind::MalformedSignatureInput,
                "{parameter}={number}"
            );
        }
        // A parameter without a value is the boolean true (RFC 8941 section 3.1.2), which is no time.
        let request = common::with_signature(
            get(),
            "sig1",
            &format!(r#"("@method");{parameter}"#),
            &[0; 32],
        );
        assert_eq!(
            refusal_with(&request, &options()),
            AuthErrorKind::MalformedSignatureInput,
            "{parameter}"
        );
    }
}

/// Fifteen digits may begin with zeros; the signed text is the canonical one.
#[test]
fn a_created_with_leading_zeros_is_the_same_time() {
    for (text, at) in [
        ("000001700000000", NOW),
        ("-00", 0),
        ("-0", 0),
        ("-000000000000059", -59),
    ] {
        let request = with_times(&format!(";created={text}"));
        let validated = validate_auth(&request, &secrets(), &options().at(time(at))).unwrap();
        assert_eq!(validated.created(), at, "{text}");
    }
}

#[test]
fn the_windows_hold_around_1970() {
    for now in [-100_000, -61, -60, -11, -1, 0, 1, 9, 10, 59, 60] {
        let options = options().at(time(now));
        for (offset, expected) in [
            (-61, Some(AuthErrorKind::Stale)),
            (-60, None),
            (0, None),
            (10, None),
            (11, Some(AuthErrorKind::InFuture)),
        ] {
            assert_eq!(
                outcome(&created(now + offset), &options),
                expected,
                "now {now}, created {offset} s from it"
            );
        }
    }
    let at_epoch = signed_with(get(), &SignOptions::new().at(UNIX_EPOCH));
    let validated = validate_auth(&at_epoch, &secrets(), &options().at(UNIX_EPOCH)).unwrap();
    assert_eq!(
        (validated.created(), validated.created_at()),
        (0, Some(UNIX_EPOCH))
    );
    // Half a second before 1970 is in the second -1.
    let before = signed_with(
        get(),
        &SignOptions::new().at(UNIX_EPOCH - Duration::from_millis(500)),
    );
    assert_eq!(
        validate_auth(&before, &secrets(), &options().at(UNIX_EPOCH))
            .unwrap()
            .created(),
        -1
    );
}

#[test]
fn unlimited_windows_accept_every_time_and_nothing_overflows() {
    for at in [
        UNIX_EPOCH,
        time(NOW),
        time(-NOW),
        time(MAX),
        time(-MAX),
        far_future(),
    ] {
        let options = options().at(at).max_time_diff(LONG).max_clock_skew(LONG);
        for second in [-MAX, -NOW, -1, 0, 1, NOW, MAX] {
            let validated = validate_auth(&created(second), &secrets(), &options).unwrap();
            assert_eq!(validated.created(), second);
            // It stays fresh until the end of time, unless it was made before 1970.
            assert_eq!(
                validated.replay_id().fresh_until(),
                second.saturating_add(i64::MAX)
            );
        }
    }
    // Even the longest window of 64 bits does not reach from the beginning of time beyond 1970: refused, not wrapped around.
    let options = options().at(far_past()).max_clock_skew(LONG);
    for second in [-MAX, -1] {
        assert_eq!(outcome(&created(second), &options), None, "{second}");
    }
    assert_eq!(
        outcome(&created(MAX), &options),
        Some(AuthErrorKind::InFuture)
    );
}

#[test]
fn at_the_end_of_time_all_that_can_be_signed_is_stale() {
    let options = options().at(far_future());
    for second in [-MAX, 0, NOW, MAX] {
        assert_eq!(
            outcome(&created(second), &options),
            Some(AuthErrorKind::Stale),
            "{second}"
        );
    }
    let options = options.at(far_past());
    for second in [-MAX, 0, NOW, MAX] {
        assert_eq!(
            outcome(&created(second), &options),
            Some(AuthErrorKind::InFuture),
            "{second}"
        );
    }
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

/// Signs at `at` with `options` and expects the error, with the request as it was.
fn sign_fails(options: &SignOptions) {
    let mut request = common::post();
    let headers = request.headers().clone();
    let error = sign_request(&mut request, &secrets(), options).unwrap_err();
    assert!(matches!(error, SignError::TimeOutOfRange), "{error:?}");
    assert_eq!(*request.headers(), headers);
    assert_eq!(request.body(), common::post().body());
}

#[test]
fn an_expiry_beyond_15_digits_is_an_error() {
    sign_fails(&sign_options().expires_in(Duration::MAX));
    sign_fails(&sign_options().expires_in(seconds(u64::MAX)));
    sign_fails(&sign_options().expires_in(seconds(i64::MAX.unsigned_abs())));
    let rest = (MAX - NOW).unsigned_abs();
    sign_fails(&sign_options().expires_in(seconds(rest + 1)));
    sign_fails(&sign_options().expires_in(seconds(rest) + Duration::from_nanos(1)));
    let request = signed_with(get(), &sign_options().expires_in(seconds(rest)));
    assert_eq!(
        validate_auth(&request, &secrets(), &options())
            .unwrap()
            .expires(),
        Some(MAX)
    );
}

#[test]
fn a_time_of_signing_beyond_15_digits_is_an_error() {
    for at in [
        time(MAX + 1),
        time(-MAX - 1),
        time(-MAX) - Duration::from_nanos(1),
        far_future(),
        far_past(),
    ] {
        sign_fails(&SignOptions::new().at(at));
    }
    for at in [MAX, -MAX] {
        let request = signed_with(get(), &SignOptions::new().at(time(at)));
        assert_eq!(
            validate_auth(&request, &secrets(), &options().at(time(at)))
                .unwrap()
                .created(),
            at
        );
    }
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
fn the_guard_works_with_unlimited_windows_and_extreme_times() {
    let options = options().max_time_diff(LONG).max_clock_skew(LONG);
    for start in [far_past(), UNIX_EPOCH, far_future()] {
        let guard = MemoryReplayGuard::new()
            .started_at(start)
            .accept_replays_across_restarts();
        for second in [-MAX, 0, MAX] {
            let validated = validate_auth(&created(second), &secrets(), &options).unwrap();
            guard.first_use(validated.clone()).unwrap();
            assert_eq!(
                guard.first_use(validated.clone()).unwrap_err().kind(),
                AuthErrorKind::Replayed
            );
        }
    }
    // A start that lasts for ever refuses all.
    let guard = MemoryReplayGuard::new()
        .started_at(UNIX_EPOCH)
        .refuse_until(Duration::MAX);
    let validated = validate_auth(&created(MAX), &secrets(), &options).unwrap();
    assert_eq!(
        guard.first_use(validated.clone()).unwrap_err().kind(),
        AuthErrorKind::BeforeGuardStart
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

/// As late as the platform can represent, on Unix the second `i64::MAX`.
fn far_future() -> SystemTime {
    UNIX_EPOCH
        .checked_add(seconds(i64::MAX.unsigned_abs()))
        .unwrap_or_else(|| time(MAX))
}

fn far_past() -> SystemTime {
    UNIX_EPOCH
        .checked_sub(seconds(i64::MAX.unsigned_abs()))
        .unwrap_or(UNIX_EPOCH)
}
