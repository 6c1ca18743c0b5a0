//! The times of a webhook: how old, until when, and whose clock.

use std::time::{Duration, SystemTime};

use hmac_auth::wix::{
    DEFAULT_MAX_WEBHOOK_AGE, WebhookErrorKind as Kind, WebhookEvent, WebhookOptions,
};
use serde_json::{Value, json};

use crate::support::webhook::{NOW, at, envelope, options, signed, vector};

const DAY: u64 = 24 * 60 * 60;

fn with_times(iat: impl Into<Value>, exp: impl Into<Value>) -> String {
    let data = envelope("AppInstalled", "{}").to_string();
    signed(&json!({"data": data, "iat": iat.into(), "exp": exp.into()}))
}

/// `None` if accepted.
fn outcome(text: &str, options: &WebhookOptions) -> Option<Kind> {
    let verified = WebhookEvent::verify(text.as_bytes(), options);
    verified.err().map(|error| error.kind())
}

#[test]
fn each_time_has_its_limit() {
    for (iat, exp, expected) in [
        (NOW, NOW + 60, None),
        (NOW, NOW, None),
        // 10 s of difference between the clocks.
        (NOW - 60, NOW - 10, None),
        (NOW - 60, NOW - 11, Some(Kind::Expired)),
        (NOW + 10, NOW + 60, None),
        (NOW + 11, NOW + 60, Some(Kind::InFuture)),
        (NOW - DAY, NOW + 60, None),
        (NOW - DAY - 1, NOW + 60, Some(Kind::Stale)),
        (0, NOW + 60, Some(Kind::Stale)),
        (NOW - DAY - 1, NOW - 60, Some(Kind::Expired)),
    ] {
        let text = with_times(iat, exp);
        assert_eq!(outcome(&text, &options()), expected, "{iat} {exp}");
    }
}

#[test]
fn not_before_counts_if_it_is_there() {
    let data = envelope("AppInstalled", "{}").to_string();
    for (nbf, expected) in [(NOW + 10, None), (NOW + 11, Some(Kind::InFuture))] {
        let text = signed(&json!({"data": data, "iat": NOW, "nbf": nbf, "exp": NOW + 60}));
        assert_eq!(outcome(&text, &options()), expected, "{nbf}");
    }
}

#[test]
fn a_fraction_of_a_second_is_cut_off() {
    let text = with_times(f64::from(1_700_000_010) + 0.9, NOW + 60);
    assert_eq!(outcome(&text, &options()), None);
    let event = WebhookEvent::verify(text.as_bytes(), &options()).unwrap();
    assert_eq!(event.issued_at(), at(NOW + 10));
    assert_eq!(event.expires_at(), at(NOW + 60));
}

/// The published sample of Wix lives for 41 days.
#[test]
fn a_long_life_does_not_make_a_webhook_fresh() {
    let (text, signed_at) = vector("for 41 days");
    assert_eq!(DEFAULT_MAX_WEBHOOK_AGE, Duration::from_secs(DAY));
    let after = |seconds| options().at(signed_at + Duration::from_secs(seconds));
    assert_eq!(outcome(text, &after(0)), None);
    assert_eq!(outcome(text, &after(DAY - 10)), None);
    assert_eq!(outcome(text, &after(2 * DAY)), Some(Kind::Stale));
    let lenient = after(40 * DAY).max_age(Duration::from_secs(60 * DAY));
    assert_eq!(outcome(text, &lenient), None);
    let lenient = after(42 * DAY).max_age(Duration::MAX);
    assert_eq!(outcome(text, &lenient), Some(Kind::Expired));
}

#[test]
fn the_options_decide_in_any_order() {
    let text = with_times(NOW - 100, NOW + 60);
    let second = Duration::from_secs(1);
    let strict = options().max_age(99 * second);
    assert_eq!(outcome(&text, &strict), Some(Kind::Stale));
    assert_eq!(outcome(&text, &strict.max_age(100 * second)), None);
    let text = with_times(NOW + 1, NOW + 60);
    let strict = options().max_clock_skew(Duration::ZERO);
    assert_eq!(outcome(&text, &strict), Some(Kind::InFuture));
    let wide = options().max_clock_skew(Duration::MAX);
    assert_eq!(outcome(&with_times(NOW, 0), &wide), None);
    let clock = options().at(at(0)).clock(|| at(NOW));
    assert_eq!(outcome(&text, &clock), Some(Kind::InFuture), "`at` wins");
}

#[test]
fn without_a_given_clock_that_of_the_system_counts() {
    let key = crate::support::webhook::pem("app", "public")
        .parse()
        .unwrap();
    let options = WebhookOptions::new(key);
    let (text, _) = vector("domain event");
    assert_eq!(outcome(text, &options), Some(Kind::Expired));
    let now = SystemTime::now().duration_since(at(0)).unwrap().as_secs();
    assert_eq!(outcome(&with_times(now, now + 60), &options), None);
    let given = options.clock(|| at(NOW));
    assert_eq!(outcome(text, &given), None);
}

#[test]
fn an_error_says_by_how_much() {
    let text = with_times(NOW - DAY - 5, NOW + 60);
    let error = WebhookEvent::verify(text.as_bytes(), &options()).unwrap_err();
    assert!(error.to_string().contains("86405 s"), "{error}");
}
