//! The cache in front of a directory: when it asks, what counts meanwhile, and what a peer can make
//! it do.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use hmac_auth::{
    AuthError, AuthErrorKind as Kind, CachedDirectory, Claim, Consumer, ConsumerDirectory,
    FindConsumer,
};
use tokio::{sync::Semaphore, task::yield_now};

use crate::support::{
    request::{INPUT, NOW, get, options, secret, signed_by, time},
    secret::{NEW, secret as secret_of},
};

mod background;
mod hostile;

/// A database of consumers, as the test wants it.
#[derive(Default)]
struct Database {
    consumers: Mutex<HashMap<String, Consumer>>,
    revoked: Mutex<Vec<String>>,
    is_down: AtomicBool,
    asked: AtomicUsize,
    /// If there is one, each answer waits for a permit, after it was read.
    gate: Option<Semaphore>,
}

impl Database {
    fn insert(&self, key_id: &str, name: &str) {
        let consumer = Consumer::new(name, secret());
        self.consumers
            .lock()
            .unwrap()
            .insert(key_id.to_owned(), consumer);
    }

    fn remove(&self, key_id: &str) {
        self.consumers.lock().unwrap().remove(key_id);
    }

    fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    fn open(&self, permits: usize) {
        self.gate.as_ref().unwrap().add_permits(permits);
    }

    fn take_asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

struct Directory(Arc<Database>);

impl ConsumerDirectory for Directory {
    fn find(&self, key_id: &str) -> FindConsumer {
        let (database, key_id) = (Arc::clone(&self.0), key_id.to_owned());
        database.asked.fetch_add(1, Ordering::Relaxed);
        FindConsumer::pending(async move {
            let answer = if database.is_down.load(Ordering::Relaxed) {
                Err(AuthError::directory_unavailable("no route to the database"))
            } else if database.revoked.lock().unwrap().contains(&key_id) {
                Err(Kind::Revoked.into())
            } else {
                Ok(database.consumers.lock().unwrap().get(&key_id).cloned())
            };
            if let Some(gate) = &database.gate {
                gate.acquire().await.unwrap().forget();
            }
            answer
        })
    }
}

fn clock_of(ahead: &Arc<AtomicU64>) -> impl Fn() -> SystemTime + Send + Sync + 'static {
    let ahead = Arc::clone(ahead);
    move || time(NOW) + Duration::from_millis(ahead.load(Ordering::Relaxed))
}

fn millis(seconds: f64) -> u64 {
    let duration = Duration::from_secs_f64(seconds);
    u64::try_from(duration.as_millis()).unwrap()
}

/// A database, a cache in front of it, and their clock.
struct Scene {
    database: Arc<Database>,
    cache: CachedDirectory<Directory>,
    /// In milliseconds.
    ahead: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Self {
        Self::of(Database::default())
    }

    fn gated() -> Self {
        Self::of(Database {
            gate: Some(Semaphore::new(0)),
            ..Database::default()
        })
    }

    fn of(database: Database) -> Self {
        let database = Arc::new(database);
        database.insert("site-a", "Shop A");
        let ahead = Arc::new(AtomicU64::new(1_000_000));
        let cache = CachedDirectory::new(Directory(Arc::clone(&database)))
            .time_to_live(Duration::from_secs(40))
            .revocation_time(Duration::from_secs(100))
            .max_look_ups(8)
            .clock(clock_of(&ahead));
        Self {
            database,
            cache,
            ahead,
        }
    }

    fn clock(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        clock_of(&self.ahead)
    }

    fn wait(&self, seconds: f64) {
        self.ahead.fetch_add(millis(seconds), Ordering::Relaxed);
    }

    fn set_back(&self, seconds: f64) {
        self.ahead.fetch_sub(millis(seconds), Ordering::Relaxed);
    }

    async fn find(&self, key_id: &str) -> Result<Option<String>, Kind> {
        match self.cache.find(key_id).await {
            Ok(consumer) => Ok(consumer.map(|consumer| consumer.name().to_owned())),
            Err(error) => Err(error.kind()),
        }
    }

    #[track_caller]
    fn assert_asked(&self, expected: usize) {
        assert_eq!(self.database.take_asked(), expected);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer")]
fn shop_a() -> Result<Option<String>, Kind> {
    Ok(Some("Shop A".to_owned()))
}

#[tokio::test]
async fn a_known_id_is_asked_for_once_in_its_time() {
    let scene = Scene::new();
    for _ in 0..100 {
        assert_eq!(scene.find("site-a").await, shop_a());
    }
    scene.assert_asked(1);
    scene.wait(29.9);
    assert_eq!(scene.find("site-a").await, shop_a());
    yield_now().await;
    scene.assert_asked(0);
    // Before it expires, it is confirmed in the background, by one of many requests.
    scene.wait(0.1);
    for _ in 0..100 {
        assert_eq!(scene.find("site-a").await, shop_a());
    }
    for _ in 0..5 {
        yield_now().await;
    }
    scene.assert_asked(1);
    scene.wait(29.0);
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.assert_asked(0);
}

#[tokio::test]
async fn an_answer_that_is_there_needs_no_waiting() {
    let scene = Scene::new();
    assert_eq!(
        format!("{:?}", scene.cache.find("site-a")),
        "FindConsumer(pending)"
    );
    scene.find("site-a").await.unwrap();
    assert_eq!(
        format!("{:?}", scene.cache.find("site-a")),
        "FindConsumer(ready)"
    );
    scene.find("nobody").await.unwrap();
    assert_eq!(
        format!("{:?}", scene.cache.find("nobody")),
        "FindConsumer(ready)"
    );
}

#[tokio::test]
async fn a_revoked_consumer_is_refused_after_the_time_to_live() {
    let scene = Scene::new();
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.database.remove("site-a");
    scene.wait(40.0);
    assert_eq!(scene.find("site-a").await, Ok(None));
    // The same with a directory that says so, and the next one is answered from memory.
    scene.database.insert("site-b", "Shop B");
    scene.find("site-b").await.unwrap();
    scene
        .database
        .revoked
        .lock()
        .unwrap()
        .push("site-b".to_owned());
    scene.wait(40.0);
    scene.database.take_asked();
    for _ in 0..10 {
        assert_eq!(scene.find("site-b").await, Err(Kind::Revoked));
    }
    scene.assert_asked(1);
}

#[tokio::test]
async fn an_added_consumer_is_accepted_after_a_second() {
    let scene = Scene::new();
    // Hits do not make it longer.
    for _ in 0..10 {
        assert_eq!(scene.find("new").await, Ok(None));
        scene.wait(0.09);
    }
    scene.assert_asked(1);
    scene.database.insert("new", "New");
    assert_eq!(scene.find("new").await, Ok(None));
    scene.wait(0.1);
    assert_eq!(scene.find("new").await, Ok(Some("New".to_owned())));
    scene.assert_asked(1);
}

#[tokio::test]
async fn while_the_directory_is_down_the_last_good_answer_counts_for_the_stated_time() {
    let scene = Scene::new();
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.database.set_down(true);
    scene.database.take_asked();
    assert_eq!(scene.find("other").await, Err(Kind::DirectoryUnavailable));
    scene.assert_asked(1);
    scene.wait(40.0);
    // The directory is left alone for a second after each failure.
    for _ in 0..100 {
        assert_eq!(scene.find("site-a").await, shop_a());
    }
    scene.assert_asked(1);
    scene.wait(1.0);
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.assert_asked(1);
    scene.wait(58.9);
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.wait(0.1);
    assert_eq!(scene.find("site-a").await, Err(Kind::DirectoryUnavailable));
    let error = scene.cache.find("site-a").await.unwrap_err();
    let text = format!("{error:#}");
    assert_eq!(
        text,
        "the directory of consumers is not available: no route to the database"
    );
    scene.database.set_down(false);
    assert_eq!(scene.find("site-a").await, shop_a());
}

/// A failure in the background costs nothing, and takes nothing away.
#[tokio::test]
async fn a_failed_confirmation_is_tried_again() {
    let scene = Scene::new();
    scene.find("site-a").await.unwrap();
    scene.database.set_down(true);
    scene.wait(30.0);
    scene.database.take_asked();
    for _ in 0..10 {
        assert_eq!(scene.find("site-a").await, shop_a());
        yield_now().await;
    }
    scene.assert_asked(1);
    scene.database.set_down(false);
    scene.wait(1.0);
    assert_eq!(scene.find("site-a").await, shop_a());
    for _ in 0..5 {
        yield_now().await;
    }
    scene.assert_asked(1);
    scene.wait(29.0);
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.assert_asked(0);
}

#[tokio::test]
async fn a_clock_that_is_set_back_extends_nothing() {
    let scene = Scene::new();
    scene.find("site-a").await.unwrap();
    scene.find("nobody").await.unwrap();
    scene.database.remove("site-a");
    scene.database.insert("nobody", "Somebody");
    scene.set_back(10.0);
    assert_eq!(scene.find("site-a").await, Ok(None));
    assert_eq!(scene.find("nobody").await, Ok(Some("Somebody".to_owned())));
}

#[tokio::test]
async fn all_who_ask_for_one_id_share_one_look_up() {
    let scene = Arc::new(Scene::gated());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.find("site-a").await })
        })
        .collect();
    yield_now().await;
    scene.database.open(1);
    for task in tasks {
        assert_eq!(task.await.unwrap(), shop_a());
    }
    scene.assert_asked(1);

    // One who gives up leaves the others no worse off.
    let first = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.find("other").await }
    });
    yield_now().await;
    let second = tokio::spawn({
        let scene = Arc::clone(&scene);
        async move { scene.find("other").await }
    });
    yield_now().await;
    first.abort();
    scene.database.open(2);
    assert_eq!(second.await.unwrap(), Ok(None));
}

/// A peer without a secret chooses ids that nobody knows.
#[tokio::test]
async fn unseen_ids_get_a_quarter_of_the_look_ups() {
    let scene = Arc::new(Scene::gated());
    scene.database.open(1);
    scene.find("site-a").await.unwrap();
    scene.wait(50.0);
    let ask = |key_id: String| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.find(&key_id).await })
    };
    // Eight in all, so two of them.
    let two: Vec<_> = (0..2).map(|i| ask(format!("junk-{i}"))).collect();
    yield_now().await;
    for i in 2..20 {
        let refused = scene.find(&format!("junk-{i}")).await;
        assert_eq!(refused, Err(Kind::DirectoryUnavailable));
    }
    // One who is known is asked for meanwhile.
    let known = ask("site-a".to_owned());
    yield_now().await;
    scene.database.open(3);
    assert_eq!(known.await.unwrap(), shop_a());
    for task in two {
        assert_eq!(task.await.unwrap(), Ok(None));
    }
    // Their places are free again, also after those who gave up.
    for round in 0..10 {
        let gone: Vec<_> = (0..2).map(|i| ask(format!("gone-{round}-{i}"))).collect();
        yield_now().await;
        for task in gone {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    }
    scene.database.open(1);
    assert_eq!(scene.find("later").await, Ok(None));
    let error = {
        let _two: Vec<_> = (0..2).map(|i| ask(format!("more-{i}"))).collect();
        yield_now().await;
        scene.cache.find("third").await.unwrap_err()
    };
    assert!(format!("{error:#}").contains("max_look_ups"), "{error:#}");
}

#[tokio::test]
async fn what_is_forgotten_is_asked_for_again_at_once() {
    let scene = Scene::new();
    scene.find("site-a").await.unwrap();
    scene.find("nobody").await.unwrap();
    scene.database.remove("site-a");
    scene.database.insert("nobody", "Somebody");
    scene.cache.forget("site-a");
    scene.cache.forget("nobody");
    assert_eq!(scene.find("site-a").await, Ok(None));
    assert_eq!(scene.find("nobody").await, Ok(Some("Somebody".to_owned())));
}

/// The answer was read before the consumer was revoked, and arrives after that.
#[tokio::test]
async fn the_answer_of_a_look_up_that_began_before_is_discarded() {
    let scene = Arc::new(Scene::gated());
    let ask = |key_id: &'static str| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move { scene.find(key_id).await })
    };
    let waiting: Vec<_> = (0..3).map(|_| ask("site-a")).collect();
    let other = ask("nobody");
    yield_now().await;
    scene.database.remove("site-a");
    scene.cache.forget("site-a");
    scene.database.open(10);
    for task in waiting {
        assert_eq!(task.await.unwrap(), Ok(None));
    }
    assert_eq!(other.await.unwrap(), Ok(None));
    // Once for each before, and once after that.
    scene.assert_asked(3);
    // A confirmation in the background as well.
    scene.database.insert("site-b", "Shop B");
    assert_eq!(scene.find("site-b").await, Ok(Some("Shop B".to_owned())));
    let left = scene.database.gate.as_ref().unwrap().available_permits();
    scene.database.gate.as_ref().unwrap().forget_permits(left);
    scene.wait(35.0);
    assert_eq!(scene.find("site-b").await, Ok(Some("Shop B".to_owned())));
    yield_now().await;
    scene.database.remove("site-b");
    scene.cache.forget("site-b");
    scene.database.open(10);
    for _ in 0..5 {
        yield_now().await;
    }
    assert_eq!(scene.find("site-b").await, Ok(None));
}

/// The new secret of a consumer reaches the host within the time to live.
#[tokio::test]
async fn a_changed_secret_counts_after_the_time_to_live() {
    let scene = Scene::new();
    scene.find("site-a").await.unwrap();
    let rotated = Consumer::new("Shop A", secret_of(NEW));
    let fingerprint = secret_of(NEW).fingerprint();
    scene
        .database
        .consumers
        .lock()
        .unwrap()
        .insert("site-a".to_owned(), rotated);
    scene.wait(40.0);
    let found = scene.cache.find("site-a").await.unwrap().unwrap();
    assert_eq!(found.secrets().current().fingerprint(), fingerprint);
}

/// Without a runtime there is no background, and nothing waits for one.
#[test]
fn without_tokio_the_time_to_live_holds() {
    let scene = Scene::new();
    futures_executor::block_on(async {
        assert_eq!(scene.find("site-a").await, shop_a());
        scene.wait(30.0);
        assert_eq!(scene.find("site-a").await, shop_a());
        scene.assert_asked(1);
        scene.database.remove("site-a");
        scene.wait(10.0);
        assert_eq!(scene.find("site-a").await, Ok(None));
    });
}

#[test]
fn the_debug_text_shows_no_consumer() {
    let scene = Scene::new();
    futures_executor::block_on(scene.find("site-a")).unwrap();
    let text = format!("{:?}", scene.cache);
    assert!(text.contains("time_to_live: 40s"), "{text}");
    assert!(!text.contains("site-a") && !text.contains("Shop"), "{text}");
}

/// Anybody can send a wrong MAC under a known key id: the database has no work by it.
#[tokio::test]
async fn a_wrong_mac_asks_nothing() {
    let scene = Scene::new();
    let options = options().consumer_directory();
    let input = format!(r#"{INPUT};keyid="site-a""#);
    for (secret, kind, asked) in [
        (secret(), None, 1),
        (secret_of(NEW), Some(Kind::WrongMac), 0),
        (secret_of(NEW), Some(Kind::WrongMac), 0),
        (secret(), None, 0),
    ] {
        let request = signed_by(&secret, get(), &input);
        let claim = Claim::parse(&request, &options).unwrap();
        let verified = claim.verify_in(&scene.cache).await;
        assert_eq!(verified.err().map(|error| error.kind()), kind);
        assert_eq!(scene.database.take_asked(), asked);
    }
}
