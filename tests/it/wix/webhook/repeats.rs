//! Events that Wix sends several times go to the queue once.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hmac_auth::wix::{NotQueued, ReceiveWebhooks, WebhookErrorKind as Kind, WebhookEvent};
use http::StatusCode;
use serde_json::json;

use super::receive::{kind, post};
use crate::support::webhook::{NOW, envelope, options, signed, webhook};

/// A queue that keeps the ids of the events.
fn counting() -> (ReceiveWebhooks, Arc<Mutex<Vec<String>>>) {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&ids);
    let receiver = ReceiveWebhooks::new(options(), move |event: WebhookEvent| {
        taken.lock().unwrap().push(event.id().to_owned());
        Ok(())
    });
    (receiver, ids)
}

fn domain_event(id: &str, more: &str) -> String {
    let data = json!({"id": id, "entityFqdn": "wix.a", "more": more});
    webhook(&envelope("wix.a_created", &data.to_string()))
}

/// The same event as Wix sends it again: signed anew, a little later.
fn again(seconds: u64) -> String {
    let data = envelope("AppInstalled", "{}").to_string();
    signed(&json!({"data": data, "iat": NOW - 100 + seconds, "exp": NOW + seconds}))
}

#[test]
fn a_repeat_is_answered_as_the_first_one_was() {
    let (receiver, ids) = counting();
    for text in [again(0), again(1), again(0), again(99)] {
        assert_eq!(post(&receiver, text).status(), StatusCode::OK);
    }
    assert_eq!(ids.lock().unwrap().len(), 1);
    // The id of a domain event counts alone.
    for (id, more) in [("e-1", "a"), ("e-1", "b"), ("e-2", "a"), ("e-1", "a")] {
        assert_eq!(
            post(&receiver, domain_event(id, more)).status(),
            StatusCode::OK
        );
    }
    assert_eq!(ids.lock().unwrap()[1..], ["e-1", "e-2"]);
    // All clones remember the same events.
    assert_eq!(post(&receiver.clone(), again(2)).status(), StatusCode::OK);
    assert_eq!(ids.lock().unwrap().len(), 3);
}

#[test]
fn different_events_are_different() {
    let (receiver, ids) = counting();
    for (event_type, instance_id, data) in [
        ("A", "i", "{}"),
        ("B", "i", "{}"),
        ("A", "j", "{}"),
        ("A", "i", "{ }"),
    ] {
        let envelope = json!({"eventType": event_type, "instanceId": instance_id, "data": data});
        assert_eq!(post(&receiver, webhook(&envelope)).status(), StatusCode::OK);
    }
    assert_eq!(ids.lock().unwrap().len(), 4);
}

/// Several apps may share an endpoint, and each of their installations gets the event of a site.
#[test]
fn one_domain_event_for_two_installations_is_two() {
    let (receiver, ids) = counting();
    let data = json!({"id": "e-1", "entityFqdn": "wix.a"}).to_string();
    for instance_id in [json!("i"), json!("j"), json!(null), json!("i"), json!("j")] {
        let envelope = json!({"eventType": "A", "instanceId": instance_id, "data": data});
        assert_eq!(post(&receiver, webhook(&envelope)).status(), StatusCode::OK);
    }
    assert_eq!(*ids.lock().unwrap(), ["e-1"; 3]);
    // No text can move from the id of an installation into that of an event.
    for (instance_id, id) in [("a", "bc"), ("ab", "c"), ("", "abc")] {
        let data = json!({"id": id, "entityFqdn": "wix.a"}).to_string();
        let envelope = json!({"eventType": "A", "instanceId": instance_id, "data": data});
        post(&receiver, webhook(&envelope));
    }
    assert_eq!(ids.lock().unwrap()[3..], ["bc", "c", "abc"]);
}

#[test]
fn an_event_that_the_queue_did_not_take_is_not_remembered() {
    let calls = AtomicUsize::new(0);
    let receiver = ReceiveWebhooks::new(options(), move |_| {
        match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(NotQueued::Full),
            1 => Err(NotQueued::Closed),
            2 => Ok(()),
            _ => panic!("the event was taken before"),
        }
    });
    assert_eq!(kind(&post(&receiver, again(0))), Some(Kind::QueueFull));
    assert_eq!(kind(&post(&receiver, again(1))), Some(Kind::QueueClosed));
    assert_eq!(kind(&post(&receiver, again(2))), None);
    assert_eq!(kind(&post(&receiver, again(3))), None);
}

/// A queue that panics has not taken the event, and the next one is not affected.
#[test]
fn a_queue_that_panics_has_not_taken_the_event() {
    let calls = AtomicUsize::new(0);
    let receiver = ReceiveWebhooks::new(options(), move |_| {
        assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "the first one");
        Ok(())
    });
    let first = receiver.clone();
    thread::spawn(move || post(&first, again(0)))
        .join()
        .unwrap_err();
    assert_eq!(post(&receiver, again(1)).status(), StatusCode::OK);
}

#[test]
fn a_refused_body_is_not_remembered() {
    let (receiver, ids) = counting();
    let text = again(0);
    let (head, _) = text.rsplit_once('.').unwrap();
    let refused = post(&receiver, format!("{head}.AAAA"));
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(post(&receiver, text).status(), StatusCode::OK);
    assert_eq!(ids.lock().unwrap().len(), 1);
}

#[test]
fn the_memory_has_an_end() {
    let (receiver, ids) = counting();
    let receiver = receiver.remembered_webhooks(2);
    let shown = format!("{receiver:?}");
    assert!(shown.contains("remembered_webhooks: 2"), "{shown}");
    let count = |id: &str| {
        assert_eq!(
            post(&receiver, domain_event(id, "")).status(),
            StatusCode::OK
        );
        ids.lock().unwrap().len()
    };
    let counts = ["a", "b", "a", "b", "c", "b", "c", "a", "c", "b"].map(count);
    // `c` pushes `a` out, then `a` pushes `b` out, and so on: the oldest one first.
    assert_eq!(counts, [1, 2, 2, 2, 3, 3, 3, 4, 4, 5]);
    let receiver = receiver.remembered_webhooks(0);
    post(&receiver, domain_event("x", ""));
    post(&receiver, domain_event("x", ""));
    assert_eq!(ids.lock().unwrap().len(), 6, "one at least");
}

#[test]
fn equal_events_at_the_same_time_are_one() {
    const THREADS: usize = 8;
    for round in 0..20 {
        let (receiver, ids) = counting();
        let barrier = Arc::new(Barrier::new(THREADS));
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (receiver, barrier) = (receiver.clone(), Arc::clone(&barrier));
                let text = domain_event("e-1", &number.to_string());
                thread::spawn(move || {
                    barrier.wait();
                    post(&receiver, text).status()
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), StatusCode::OK);
        }
        assert_eq!(ids.lock().unwrap().len(), 1, "round {round}");
    }
}
