//! What a directory of consumers answers, and where a cache takes its answers from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use hmac_auth::{
    AuthError, CachedDirectory, ConsumerDirectory, FindConsumer, tower::ValidateAuthLayer,
};

use crate::support::{
    counted::{Series, counted, series},
    directory::TestDirectory,
    layers::{ask, guard, whole},
    request::{NOW, options, post, sign_options, signed_with, time},
};

fn counted_answers(work: impl Future<Output = ()>) -> Series {
    let mut series = counted(work);
    series.retain(|name, _| name.starts_with("directory_"));
    series
}

#[test]
fn the_answers_to_requests_are_counted_by_outcome() {
    for directory in [TestDirectory::new(), TestDirectory::waiting(2)] {
        let layer = ValidateAuthLayer::with_directory(directory, options());
        let layer = layer.replay_guard(guard());
        let counted = counted_answers(async {
            for key_id in ["site-a", "site-a", "nobody", "gone", "down"] {
                let request = signed_with(post(), &sign_options().key_id(key_id));
                ask(&layer, whole(request)).await;
            }
            // It never asks for what no key id can be.
            let long = "x".repeat(300);
            let request = signed_with(post(), &sign_options().key_id(long));
            ask(&layer, whole(request)).await;
        });
        let expected = [
            ("directory_answers_total{outcome=failed}", 1),
            ("directory_answers_total{outcome=found}", 2),
            ("directory_answers_total{outcome=revoked}", 1),
            ("directory_answers_total{outcome=unknown}", 1),
        ];
        assert_eq!(counted, series(expected));
    }
}

/// A directory that can be switched off.
struct Switched {
    directory: Arc<TestDirectory>,
    is_down: Arc<AtomicBool>,
}

impl ConsumerDirectory for Switched {
    fn find(&self, key_id: &str) -> FindConsumer {
        if self.is_down.load(Ordering::Relaxed) {
            return FindConsumer::ready(Err(AuthError::directory_unavailable("down")));
        }
        self.directory.find(key_id)
    }
}

#[test]
fn a_cache_says_where_its_answers_come_from() {
    let (is_down, now) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicI64::new(NOW)),
    );
    let switched = Switched {
        directory: TestDirectory::new(),
        is_down: Arc::clone(&is_down),
    };
    let clock = Arc::clone(&now);
    let cache = CachedDirectory::new(switched)
        .time_to_live(Duration::from_secs(40))
        .revocation_time(Duration::from_secs(100))
        .clock(move || time(clock.load(Ordering::Relaxed)));
    let find = |key_id: &'static str| counted_answers(async { drop(cache.find(key_id).await) });
    let from = |source: &str| format!("directory_cache_answers_total{{source={source}}}");
    let outcome = |outcome: &str| format!("directory_lookups_total{{outcome={outcome}}}");

    for (key_id, found) in [
        ("site-a", "found"),
        ("nobody", "unknown"),
        ("gone", "revoked"),
    ] {
        let expected = series([(&from("directory"), 1), (&outcome(found), 1)]);
        assert_eq!(find(key_id), expected, "{key_id}");
    }
    assert_eq!(find("site-a"), series([(&from("cache"), 1)]));
    for key_id in ["nobody", "gone"] {
        assert_eq!(find(key_id), series([(&from("cached_refusal"), 1)]));
    }
    let expected = series([(&from("failed"), 1), (&outcome("failed"), 1)]);
    assert_eq!(find("down"), expected);

    is_down.store(true, Ordering::Relaxed);
    now.store(NOW + 50, Ordering::Relaxed);
    let expected = series([(&from("last_good"), 1), (&outcome("failed"), 1)]);
    assert_eq!(find("site-a"), expected);
    now.store(NOW + 100, Ordering::Relaxed);
    let expected = series([(&from("failed"), 1), (&outcome("failed"), 1)]);
    assert_eq!(find("site-a"), expected);
}

#[test]
fn a_refresh_in_the_background_is_a_look_up_and_no_answer() {
    let now = Arc::new(AtomicI64::new(NOW));
    let clock = Arc::clone(&now);
    let cache = CachedDirectory::new(TestDirectory::new())
        .time_to_live(Duration::from_secs(40))
        .clock(move || time(clock.load(Ordering::Relaxed)));
    let counted = counted_answers(async {
        cache.find("site-a").await.unwrap();
        now.store(NOW + 35, Ordering::Relaxed);
        cache.find("site-a").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    });
    let expected = [
        ("directory_cache_answers_total{source=cache}", 1),
        ("directory_cache_answers_total{source=directory}", 1),
        ("directory_lookups_total{outcome=found}", 2),
    ];
    assert_eq!(counted, series(expected));
}

#[test]
fn what_is_beyond_the_limit_of_look_ups_is_counted() {
    let cache = CachedDirectory::new(TestDirectory::waiting(3)).max_look_ups(1);
    let counted = counted_answers(async {
        let answers = [cache.find("nobody"), cache.find("nobody either")];
        let [one, other] = answers.map(|answer| tokio::spawn(answer));
        assert!(one.await.unwrap().is_ok());
        assert!(other.await.unwrap().is_err());
    });
    let expected = [
        ("directory_cache_answers_total{source=directory}", 1),
        ("directory_cache_answers_total{source=limit}", 1),
        ("directory_lookups_total{outcome=unknown}", 1),
    ];
    assert_eq!(counted, series(expected));
}
