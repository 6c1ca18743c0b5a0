//! The metrics that say on the way that nobody is cut off.

use super::{
    page::PAGE,
    shared_secret::SCHEME,
    steps::{ROWS, STEPS, Step, app, ask},
};
use crate::support::counted::{Series, counted_requests, series};

/// What the metrics count if each kind of request comes once.
fn counts(step: Step) -> Series {
    counted_requests(async {
        for (_, make, _) in ROWS {
            ask(&app(step, SCHEME), make(SCHEME)).await;
        }
    })
}

#[test]
fn each_step_counts_who_signs_and_who_does_not() {
    assert_eq!(counts(Step::Before), series([]));
    assert_eq!(
        counts(Step::Observe),
        series([
            ("requests_would_be_validated_total{consumer=site-a}", 3),
            ("requests_would_be_refused_total{kind=wrong_mac}", 1),
            ("requests_would_pass_total{reason=unsigned}", 4),
        ])
    );
    assert_eq!(
        counts(Step::AcceptBoth),
        series([
            ("requests_validated_total{consumer=site-a}", 3),
            ("requests_refused_total{kind=wrong_mac}", 1),
            ("requests_passed_total{reason=unsigned}", 4),
        ])
    );
    assert_eq!(
        counts(Step::Require),
        series([
            ("requests_validated_total{consumer=site-a}", 3),
            ("requests_refused_total{kind=missing_signature}", 4),
            ("requests_refused_total{kind=wrong_mac}", 1),
        ])
    );
}

/// What the page lets Prometheus ask for is counted on the way.
#[test]
fn the_page_asks_for_metrics_that_count() {
    let counted: Vec<String> = STEPS
        .into_iter()
        .flat_map(|step| counts(step).into_keys())
        .collect();
    let words = PAGE.split(|one: char| !one.is_ascii_lowercase() && one != '_');
    let names: Vec<&str> = words
        .filter_map(|word| word.strip_prefix("hmac_auth_"))
        .collect();
    assert!(!names.is_empty());
    for name in names {
        let is_counted = counted
            .iter()
            .any(|series| series.split('{').next() == Some(name));
        assert!(is_counted, "{name}");
    }
}
