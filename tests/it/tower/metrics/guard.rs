//! How full the guard is.

use std::sync::Arc;

use hmac_auth::MemoryReplayGuard;

use crate::support::{
    counted::{counted, series},
    layers::{ask, guard, layer, whole},
    request::{NOW, post, sign_options, signed, signed_with, time},
};

#[test]
fn the_guard_says_how_full_it_is() {
    let guard = Arc::new(guard().capacity(3).metrics_name("orders"));
    let layer = layer().replay_guard(Arc::clone(&guard));
    let gauges = |requests: u64| {
        let layer = &layer;
        let mut series = counted(async move {
            for _ in 0..requests {
                ask(layer, whole(signed(post()))).await;
            }
        });
        series.retain(|name, _| name.starts_with("replay_guard"));
        series
    };
    let expected = |signatures| {
        let name = "replay_guard_signatures{guard=orders}";
        series([
            ("replay_guard_capacity{guard=orders}", 3),
            (name, signatures),
        ])
    };
    // Before the first request, and without one.
    assert_eq!(counted(async { guard.record_metrics() }), expected(0));
    assert_eq!(gauges(1), expected(1));
    // It is full, and says so each time that it refuses.
    assert_eq!(gauges(3), expected(3));
    assert_eq!(gauges(1), expected(3));
    // When their time is over, the first request of a second records.
    let id = |at: i64| {
        let options = hmac_auth::ValidateOptions::new().at(time(at));
        let request = signed_with(post(), &sign_options().at(time(at)));
        let secrets = crate::support::request::secrets();
        hmac_auth::validate_auth(&request, &secrets, &options).unwrap()
    };
    let next = counted(async {
        guard.first_use(id(NOW + 200)).unwrap();
    });
    assert_eq!(next, expected(guard.len() as u64));
}

/// Nothing is recorded for each request: the hot path stays as it is.
#[test]
fn a_guard_records_once_a_second_at_most() {
    let guard = MemoryReplayGuard::new().started_at(time(NOW));
    let series = counted(async {
        let layer = layer().replay_guard(guard);
        for _ in 0..1_000 {
            ask(&layer, whole(signed(post()))).await;
        }
    });
    // The last time was when the 64 parts of the guard had their first signature of the second.
    let recorded = series["replay_guard_signatures"];
    assert!((64..1_000).contains(&recorded), "{recorded}");
}
