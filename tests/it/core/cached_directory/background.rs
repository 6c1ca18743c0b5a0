//! Look-ups that no request waits for: they take no place from those that one waits for, and a
//! directory that is down delays nobody.

use std::sync::{Arc, atomic::Ordering};

use hmac_auth::{AuthErrorKind as Kind, ConsumerDirectory};
use tokio::task::{JoinHandle, yield_now};

use super::{Scene, shop_a};

type Found = Result<Option<String>, Kind>;

fn ask(scene: &Arc<Scene>, key_id: String) -> JoinHandle<Found> {
    let scene = Arc::clone(scene);
    tokio::spawn(async move { scene.find(&key_id).await })
}

async fn let_others_run() {
    for _ in 0..10 {
        yield_now().await;
    }
}

/// The answer that a request gets without waiting for a look-up.
async fn at_once(scene: &Arc<Scene>) -> Found {
    let find = ask(scene, "site-a".to_owned());
    let_others_run().await;
    assert!(find.is_finished(), "the request waits");
    find.await.unwrap()
}

/// Eight look-ups at most, and eight consumers that are to be confirmed at the same time.
#[tokio::test]
async fn confirmations_leave_room_for_a_new_id() {
    let scene = Arc::new(Scene::gated());
    scene.database.open(8);
    for number in 0..8 {
        let key_id = format!("site-{number}");
        scene.database.insert(&key_id, "Shop");
        scene.find(&key_id).await.unwrap();
    }
    scene.database.insert("new", "Shop A");
    scene.wait(30.0);
    scene.database.take_asked();
    for number in 0..8 {
        let known = scene.find(&format!("site-{number}")).await;
        assert_eq!(known, Ok(Some("Shop".to_owned())));
        let_others_run().await;
    }
    // A quarter is left.
    assert_eq!(scene.database.asked.load(Ordering::Relaxed), 6);
    let new = ask(&scene, "new".to_owned());
    let_others_run().await;
    scene.assert_asked(7);
    scene.database.open(7);
    assert_eq!(new.await.unwrap(), shop_a());
    let_others_run().await;
    // The confirmations have left their places, and those without one come next.
    scene.wait(1.0);
    for number in 0..8 {
        scene.find(&format!("site-{number}")).await.unwrap();
    }
    let_others_run().await;
    scene.assert_asked(2);
}

/// Even the smallest cache confirms in the background.
#[tokio::test]
async fn one_look_up_is_enough_to_confirm() {
    let scene = Scene::new();
    let cache = scene.cache.clone().max_look_ups(1);
    cache.find("site-a").await.unwrap();
    scene.wait(30.0);
    scene.database.take_asked();
    cache.find("site-a").await.unwrap();
    let_others_run().await;
    scene.assert_asked(1);
}

/// A look-up that fails takes its time, such as that of a connection.
#[tokio::test]
async fn only_the_first_request_waits_for_a_directory_that_is_down() {
    let scene = Arc::new(Scene::gated());
    scene.database.open(1);
    scene.find("site-a").await.unwrap();
    scene.wait(40.0);
    scene.database.set_down(true);
    let first = ask(&scene, "site-a".to_owned());
    let_others_run().await;
    assert!(!first.is_finished(), "nothing is known about the outage");
    scene.database.open(1);
    assert_eq!(first.await.unwrap(), shop_a());
    scene.database.take_asked();
    for _ in 0..5 {
        // Each second, one request lets the directory be asked, and waits no more than the others.
        scene.wait(1.0);
        for _ in 0..20 {
            assert_eq!(at_once(&scene).await, shop_a());
        }
        scene.assert_asked(1);
        scene.database.open(1);
        let_others_run().await;
    }
    // It is back: the answer of the background counts for all.
    scene.database.set_down(false);
    scene.database.remove("site-a");
    scene.wait(1.0);
    assert_eq!(at_once(&scene).await, shop_a());
    scene.database.open(1);
    let_others_run().await;
    assert_eq!(at_once(&scene).await, Ok(None));
}

/// An outage that is long over is no reason to accept who may have been revoked.
#[tokio::test]
async fn an_old_failure_lets_nobody_pass_unasked() {
    let scene = Arc::new(Scene::gated());
    scene.database.open(2);
    scene.find("site-a").await.unwrap();
    scene.wait(40.0);
    scene.database.set_down(true);
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.database.set_down(false);
    scene.database.remove("site-a");
    scene.wait(15.0);
    let next = ask(&scene, "site-a".to_owned());
    let_others_run().await;
    assert!(!next.is_finished());
    scene.database.open(1);
    assert_eq!(next.await.unwrap(), Ok(None));
}

/// The stated time ends it, whatever is being asked.
#[tokio::test]
async fn nobody_is_served_beyond_the_revocation_time() {
    let scene = Arc::new(Scene::gated());
    scene.database.open(2);
    scene.find("site-a").await.unwrap();
    scene.database.set_down(true);
    scene.wait(95.0);
    assert_eq!(scene.find("site-a").await, shop_a());
    scene.wait(4.9);
    assert_eq!(at_once(&scene).await, shop_a());
    scene.wait(0.1);
    let over = ask(&scene, "site-a".to_owned());
    let_others_run().await;
    assert!(!over.is_finished());
    scene.database.open(1);
    assert_eq!(over.await.unwrap(), Err(Kind::DirectoryUnavailable));
}
