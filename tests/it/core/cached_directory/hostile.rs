//! What nobody may cause in the cache: a peer that gives up, a clock that is set, other consumers that
//! are forgotten, and a directory that panics.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_executor::block_on;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, CachedDirectory, Consumer, ConsumerDirectory, FindConsumer,
};
use tokio::sync::Semaphore;

use super::{Database, Directory, Scene, shop_a};
use crate::support::request::secret;

/// A directory made of a closure.
struct Asked<F>(F);

impl<F: Fn(&str) -> FindConsumer + Send + Sync> ConsumerDirectory for Asked<F> {
    fn find(&self, key_id: &str) -> FindConsumer {
        self.0(key_id)
    }
}

/// Polls once. `None` if the answer is not there yet.
fn poll(find: &mut FindConsumer) -> Option<Result<Option<String>, Kind>> {
    match Pin::new(find).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(consumer)) => Some(Ok(consumer.map(|found| found.name().to_owned()))),
        Poll::Ready(Err(error)) => Some(Err(error.kind())),
        Poll::Pending => None,
    }
}

/// Takes all places of ids that were never seen, by look-ups that do not end.
fn flood(cache: &CachedDirectory<Directory>) -> Vec<FindConsumer> {
    let mut all = Vec::new();
    for number in 0..1_000 {
        let mut find = cache.find(&format!("junk-{number}"));
        match poll(&mut find) {
            None => all.push(find),
            Some(answer) => {
                assert_eq!(answer, Err(Kind::DirectoryUnavailable));
                return all;
            }
        }
    }
    panic!("ids that were never seen have no limit");
}

/// On a platform where consumers change all the time, each change is of one of them.
#[test]
fn to_forget_others_delays_no_answer() {
    type Answer = fn() -> Result<Option<Consumer>, AuthError>;
    let answers: [(&str, Answer); 3] = [
        ("down", || Err(AuthError::directory_unavailable("down"))),
        ("unknown", || Ok(None)),
        ("known", || Ok(Some(Consumer::new("known", secret())))),
    ];
    for (what, answer) in answers {
        let scene = Scene::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let cache: Arc<OnceLock<CachedDirectory<Box<dyn ConsumerDirectory>>>> = Arc::default();
        let directory = {
            let (asked, cache) = (Arc::clone(&asked), Arc::clone(&cache));
            let ahead = Arc::clone(&scene.ahead);
            Asked(move |_: &str| {
                // The answer is slow, and meanwhile something else is forgotten. That comes to an end,
                // so that a failure of this test does.
                if asked.fetch_add(1, Ordering::Relaxed) < 10 {
                    ahead.fetch_add(50_000, Ordering::Relaxed);
                    cache.get().unwrap().forget("other");
                }
                FindConsumer::pending(async move { answer() })
            })
        };
        let made = CachedDirectory::new(Box::new(directory) as Box<dyn ConsumerDirectory>)
            .time_to_live(Duration::from_secs(40))
            .clock(scene.clock());
        assert!(cache.set(made).is_ok());
        let _ = block_on(cache.get().unwrap().find("site-a"));
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{what}");
    }
}

/// A peer closes a connection with several requests for one id, and many threads drop them.
#[test]
fn those_who_give_up_at_the_same_time_leave_their_place() {
    const IDS: usize = 250;
    let scene = Scene::gated();
    let cache = scene.cache.clone().max_look_ups(4 * IDS);
    for round in 0..40 {
        let start = Barrier::new(2);
        let [one, other] = [(); 2].map(|()| {
            let finds = (0..IDS).map(|number| {
                let mut find = cache.find(&format!("junk-{round}-{number}"));
                assert_eq!(poll(&mut find), None, "there is room in round {round}");
                find
            });
            finds.collect::<Vec<_>>()
        });
        thread::scope(|scope| {
            for finds in [one, other] {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    drop(finds);
                });
            }
        });
    }
}

/// A consumer that was served before is nobody's flood, however long ago that was.
#[test]
fn a_flood_of_unknown_ids_keeps_no_consumer_out() {
    let scene = Scene::gated();
    scene.database.open(1);
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    let flood = flood(&scene.cache);
    assert_eq!(flood.len(), 2);
    // Nothing of it counts any more, or it was forgotten because its secret is a new one.
    scene.wait(1_000.0);
    assert_eq!(poll(&mut scene.cache.find("site-a")), None);
    scene.cache.forget("site-a");
    assert_eq!(poll(&mut scene.cache.find("site-a")), None);
    // One that is gone has no such place.
    drop(flood);
    scene.database.remove("site-a");
    scene.database.open(1);
    assert_eq!(block_on(scene.find("site-a")), Ok(None));
    let _flood = self::flood(&scene.cache);
    scene.wait(2.0);
    assert_eq!(
        poll(&mut scene.cache.find("site-a")),
        Some(Err(Kind::DirectoryUnavailable))
    );
}

/// The same by the clock of the system, where secrets leave the memory when they cannot be used.
#[test]
fn a_consumer_whose_secrets_were_dropped_is_no_stranger() {
    let database = Arc::new(Database {
        gate: Some(Semaphore::new(1)),
        ..Database::default()
    });
    database.insert("site-a", "Shop A");
    let cache = CachedDirectory::new(Directory(Arc::clone(&database)))
        .time_to_live(Duration::ZERO)
        .revocation_time(Duration::from_millis(50));
    assert!(block_on(cache.find("site-a")).unwrap().is_some());
    thread::sleep(Duration::from_millis(100));
    let _flood = flood(&cache);
    assert_eq!(poll(&mut cache.find("site-a")), None);
}

/// The last good answer counts for at least the time to live, by each clock.
#[test]
fn a_time_to_live_beyond_the_revocation_time_counts() {
    let database = Arc::new(Database::default());
    database.insert("site-a", "Shop A");
    let cache = CachedDirectory::new(Directory(Arc::clone(&database)))
        .time_to_live(Duration::from_secs(1_000))
        .revocation_time(Duration::from_millis(50));
    for _ in 0..2 {
        assert!(block_on(cache.find("site-a")).unwrap().is_some());
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(database.take_asked(), 1);
}

#[test]
fn no_duration_is_a_panic() {
    for duration in [Duration::MAX, Duration::ZERO] {
        let scene = Scene::new();
        let cache = || CachedDirectory::new(Directory(Arc::clone(&scene.database)));
        for cache in [
            cache().revocation_time(duration),
            cache().time_to_live(duration),
            cache().time_to_live(duration).revocation_time(duration),
            cache()
                .time_to_live(duration)
                .revocation_time(duration)
                .clock(scene.clock()),
        ] {
            for _ in 0..2 {
                assert!(block_on(cache.find("site-a")).unwrap().is_some());
                scene.wait(1_000.0);
            }
            scene.database.set_down(true);
            let _ = block_on(cache.find("site-a"));
            scene.database.set_down(false);
        }
    }
}

/// A clock that was set back makes no answer younger than it was once.
#[test]
fn a_clock_that_is_set_back_lets_nobody_live_longer() {
    // While the directory is down, it is left alone until a time that is now far ahead.
    let scene = Scene::new();
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    scene.database.set_down(true);
    scene.wait(99.0);
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    scene.database.set_down(false);
    scene.database.remove("site-a");
    scene.set_back(95.0);
    assert_eq!(block_on(scene.find("site-a")), Ok(None));

    // Without an outage, and without an end of it.
    for is_down in [false, true] {
        let scene = Scene::new();
        assert_eq!(block_on(scene.find("site-a")), shop_a());
        scene.wait(39.0);
        assert_eq!(block_on(scene.find("site-a")), shop_a());
        scene.database.set_down(is_down);
        scene.database.remove("site-a");
        scene.set_back(38.0);
        let expected = if is_down {
            Err(Kind::DirectoryUnavailable)
        } else {
            Ok(None)
        };
        assert_eq!(block_on(scene.find("site-a")), expected);
    }

    // A small step, as those of a service that sets the clock, asks nobody.
    let scene = Scene::new();
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    scene.wait(20.0);
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    scene.set_back(0.5);
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    scene.assert_asked(1);
}

#[test]
fn a_clock_that_jumps_ahead_ends_everything() {
    let scene = Scene::new();
    assert_eq!(block_on(scene.find("site-a")), shop_a());
    scene.database.set_down(true);
    for _ in 0..3 {
        scene.wait(1e9);
        assert_eq!(
            block_on(scene.find("site-a")),
            Err(Kind::DirectoryUnavailable)
        );
    }
}

/// A panic is that of one request, and of nobody later.
#[test]
fn a_directory_that_panics_takes_nothing_away() {
    let panics = Arc::new(AtomicUsize::new(0));
    for in_future in [false, true] {
        let left = Arc::clone(&panics);
        let scene = Scene::new();
        let cache = CachedDirectory::new(Asked(move |_: &str| {
            let left = Arc::clone(&left);
            let found = move || {
                let count = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
                assert!(count.is_err(), "a bug in the directory");
                Ok(Some(Consumer::new("Shop A", secret())))
            };
            if in_future {
                FindConsumer::pending(async move { found() })
            } else {
                FindConsumer::ready(found())
            }
        }))
        .max_look_ups(1)
        .clock(scene.clock());
        panics.store(5, Ordering::Relaxed);
        for number in 0..5 {
            let mut find = cache.find(&format!("site-{number}"));
            let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut find)));
            assert!(polled.is_err());
        }
        let mut find = cache.find("site-a");
        assert_eq!(poll(&mut find), Some(shop_a()));
        // What was known stays so.
        panics.store(1, Ordering::Relaxed);
        scene.wait(40.0);
        let mut find = cache.find("site-a");
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut find))).is_err());
        assert_eq!(poll(&mut cache.find("site-a")), Some(shop_a()));
    }
}
