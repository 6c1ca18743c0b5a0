//! Freshness comes from the signature alone, and extreme times are refused.

use std::time::Duration;

use hmac_auth::{AuthErrorKind as Kind, SignOptions, validate_auth};
use http::HeaderName;

use crate::support::{
    edit::edited,
    request::{
        INPUT, NOW, get, options, refusal, secrets, sign_options, signed_as, signed_with, time,
        validate, with_header, with_signature,
    },
};

/// Freshness came from a field that was not signed.
#[test]
pub(crate) fn pitfall_23_freshness_comes_from_the_signature_alone() {
    let old = signed_with(get(), &SignOptions::new().at(time(NOW - 3_600)));
    assert_eq!(refusal(&old), Kind::Stale);
    for (name, value) in [
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("x-timestamp", "1700000000"),
        ("x-created", "1700000000"),
        ("created", "1700000000"),
        ("expires", "1700000060"),
        ("x-date", "1700000000"),
    ] {
        assert_eq!(
            refusal(&with_header(old.clone(), name, value)),
            Kind::Stale,
            "{name}"
        );
        let covered = sign_options().cover(HeaderName::try_from(name).unwrap());
        validate(&signed_with(with_header(get(), name, value), &covered)).unwrap();
        // Covered, it still says nothing about the signature.
        let input = format!(r#"("@method" "@authority" "@path" "@query" "{name}")"#);
        assert_eq!(
            refusal(&signed_as(with_header(get(), name, value), &input)),
            Kind::MissingCreated,
            "{name}"
        );
        let stale = format!("{input};created={}", NOW - 61);
        assert_eq!(
            refusal(&signed_as(with_header(get(), name, value), &stale)),
            Kind::Stale,
            "{name}"
        );
    }
    let renewed = edited(&old, "signature-input", |input| {
        input.replace(&(NOW - 3_600).to_string(), &NOW.to_string())
    });
    assert_eq!(refusal(&renewed), Kind::WrongMac);
    let removed = edited(&old, "signature-input", |input| {
        input.replace(&format!(";created={}", NOW - 3_600), "")
    });
    assert_eq!(refusal(&removed), Kind::MissingCreated);
    let prolonged = signed_with(get(), &sign_options().expires_in(Duration::ZERO));
    let prolonged = edited(&prolonged, "signature-input", |input| {
        input.replace("expires=17", "expires=18")
    });
    assert_eq!(refusal(&prolonged), Kind::WrongMac);
    let freed = signed_with(get(), &sign_options().expires_in(Duration::ZERO));
    let freed = edited(&freed, "signature-input", |input| {
        input.replace(";expires=1700000000", "")
    });
    assert_eq!(refusal(&freed), Kind::WrongMac);
}

/// `NaN` and the smallest integer were fresh, or a panic.
#[test]
pub(crate) fn pitfall_25_extreme_times_are_refused_without_overflow() {
    for (created, expected) in [
        ("NaN", Kind::MalformedSignatureInput),
        ("inf", Kind::MalformedSignatureInput),
        ("-inf", Kind::MalformedSignatureInput),
        ("1e9", Kind::MalformedSignatureInput),
        ("1700000000.0", Kind::MalformedSignatureInput),
        ("1700000000.5", Kind::MalformedSignatureInput),
        ("\"1700000000\"", Kind::MalformedSignatureInput),
        ("?1", Kind::MalformedSignatureInput),
        ("9223372036854775807", Kind::MalformedSignatureInput),
        ("-9223372036854775808", Kind::MalformedSignatureInput),
        ("18446744073709551616", Kind::MalformedSignatureInput),
        ("1000000000000000", Kind::MalformedSignatureInput),
        ("-1000000000000000", Kind::MalformedSignatureInput),
        ("999999999999999", Kind::InFuture),
        ("-999999999999999", Kind::Stale),
        ("0", Kind::Stale),
        ("-0", Kind::Stale),
        ("-1", Kind::Stale),
    ] {
        let input = INPUT.replace("1700000000", created);
        let request = with_signature(get(), "sig1", &input, &[0; 32]);
        assert_eq!(refusal(&request), expected, "{created}");
        let request = with_signature(
            get(),
            "sig1",
            &format!("{INPUT};expires={created}"),
            &[0; 32],
        );
        let expected = match expected {
            Kind::Stale => Kind::Expired,
            // Far from expired: the MAC decides.
            Kind::InFuture => Kind::WrongMac,
            malformed => malformed,
        };
        assert_eq!(refusal(&request), expected, "expires {created}");
    }
    // The widest windows and the ends of time.
    for at in [time(0), time(i64::MAX / 2), time(-i64::MAX / 2)] {
        for created in ["999999999999999", "-999999999999999"] {
            for limit in [Duration::ZERO, Duration::MAX] {
                let request = signed_as(get(), &INPUT.replace("1700000000", created));
                let options = options().at(at).max_time_diff(limit).max_clock_skew(limit);
                assert_eq!(
                    validate_auth(&request, &secrets(), &options).is_ok(),
                    limit == Duration::MAX,
                    "{at:?} {created}"
                );
            }
        }
    }
}
