//! The extremes of every number that has to do with a time.

use std::time::{Duration, UNIX_EPOCH};

use hmac_auth::{AuthErrorKind, MemoryReplayGuard, SignOptions, validate_auth};

use crate::support::{
    clock::{LONG, MAX, created, far_future, far_past, outcome, seconds, sign_fails, with_times},
    request::{self, NOW, get, options, refusal_with, secrets, sign_options, signed_with, time},
};

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
            let request = request::with_signature(
                get(),
                "sig1",
                &input,
                &request::secret().mac(text.as_bytes()).into_bytes(),
            );
            assert_eq!(
                refusal_with(&request, &options()),
                AuthErrorKind::MalformedSignatureInput,
                "{parameter}={number}"
            );
        }
        // A parameter without a value is the boolean true (RFC 8941 section 3.1.2), which is no
        // time.
        let request = request::with_signature(
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
    // Even the longest window of 64 bits does not reach from the beginning of time beyond 1970:
    // refused, not wrapped around.
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
