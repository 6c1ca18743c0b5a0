//! The memory of a site: a signature counts once, and the memory is bounded.

use hmac_auth::{
    SignOptions,
    signature::{SIGNATURE, SIGNATURE_INPUT},
};
use serde_json::{Value, json};

use crate::support::{
    message::request_json,
    node::Worker,
    request::{self, NOW, get, post, signed, time},
};

#[test]
fn a_signature_counts_once() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let request = signed(post());
    worker.accepts(&request);
    let error = worker.refuses(&request, json!({}));
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&json!("replayed"), &json!(401))
    );
    // What was refused did not count, and another spelling is the same signature.
    let mut changed = signed(post());
    let body = std::mem::replace(changed.body_mut(), b"other".to_vec());
    assert_eq!(worker.refuses(&changed, json!({}))["kind"], "wrong_digest");
    *changed.body_mut() = body;
    worker.accepts(&changed);
    let spelt = changed.headers()[SIGNATURE_INPUT]
        .to_str()
        .unwrap()
        .replacen('(', "(  ", 1)
        .replacen("sig1", "x", 1);
    let signature = changed.headers()[SIGNATURE]
        .to_str()
        .unwrap()
        .replacen("sig1", "x", 1);
    changed
        .headers_mut()
        .insert(SIGNATURE_INPUT, spelt.parse().unwrap());
    changed
        .headers_mut()
        .insert(SIGNATURE, signature.parse().unwrap());
    assert_eq!(worker.refuses(&changed, json!({}))["kind"], "replayed");

    let request = signed(get());
    assert_eq!(
        worker.validate(&request, json!({ "onceOnly": "inSet" })),
        json!({ "ok": true })
    );
    assert_eq!(
        worker.refuses(&request, json!({ "onceOnly": "inSet" }))["kind"],
        "replayed"
    );
    assert_eq!(
        worker.validate(&request, json!({ "onceOnly": "neverUsed" })),
        json!({ "ok": true })
    );
    // A function that returns nothing refuses everybody, and the log says why.
    for hook in ["truthy", "nothing"] {
        let error = worker.refuses(&request, json!({ "onceOnly": hook }));
        assert_eq!(error["kind"], "replayed");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.ends_with("`onceOnly` gave neither true nor false"),
            "{message}"
        );
    }
    let error = worker.refuses(&request, json!({ "onceOnly": "failing" }));
    assert_eq!(
        (&error["kind"], &error["status"], &error["cause"]),
        (
            &json!("replay_guard_unavailable"),
            &json!(503),
            &json!("Error: the collection is away")
        )
    );
}

#[test]
fn the_memory_of_a_process_is_bounded_and_forgets_nothing_that_is_fresh() {
    let Some(mut worker) = Worker::start() else {
        return;
    };
    let [first, other] = [signed(get()), signed(get())];
    worker.accepts(&first);
    assert_eq!(
        worker.ok(json!({ "operation": "fill", "now": NOW, "count": 9_999 })),
        9_999
    );
    let error = worker.refuses(&other, json!({}));
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&json!("replay_guard_full"), &json!(503))
    );
    assert_eq!(worker.refuses(&first, json!({}))["kind"], "replayed");
    for (later, kind) in [(60, json!("replay_guard_full")), (61, Value::Null)] {
        let request = request::signed_with(get(), &SignOptions::new().at(time(NOW + later)));
        let call = json!({ "operation": "validate", "now": NOW + later, "request": request_json(&request) });
        assert_eq!(worker.call(call)["error"]["kind"], kind, "{later} s later");
    }
}
