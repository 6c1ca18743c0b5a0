//! From an HMAC of one's own: a time, and hexadecimal digits.

use http::request::Parts;

use super::steps::{
    OldSecrets, STEPS, Scheme, app, assert_open_until_required, both, hex_mac, insert, is_accepted,
    stripped, test_each_step, text,
};
use crate::support::request::{NOW, TestRequest};

pub(super) const SCHEME: Scheme = Scheme { add, find };

fn signed_text(timestamp: &str, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{timestamp}\n{method}\n{path}\n");
    [head.as_bytes(), body].concat()
}

fn add(request: &mut TestRequest, secret: &str) {
    let timestamp = NOW.to_string();
    let method = request.method().as_str();
    let text = signed_text(&timestamp, method, request.uri().path(), request.body());
    insert(request, "x-timestamp", &timestamp);
    insert(request, "x-signature", &hex_mac(secret, &text));
}

fn find(secrets: OldSecrets, head: &Parts, body: &[u8]) -> Option<&'static str> {
    let timestamp = text(head, "x-timestamp")?;
    let seconds: i64 = timestamp.parse().ok()?;
    if seconds.abs_diff(NOW) > 300 {
        return None;
    }
    let signed = signed_text(timestamp, head.method.as_str(), head.uri.path(), body);
    let given = text(head, "x-signature")?;
    let mut secrets = secrets.iter();
    secrets
        .find(|(_, secret)| hex_mac(secret, &signed) == given)
        .map(|(consumer, _)| *consumer)
}

test_each_step!(SCHEME);

/// The old text has no query, as in many schemes.
#[tokio::test]
async fn what_the_old_text_leaves_out_can_be_changed_until_the_last_step() {
    assert_open_until_required(SCHEME, |mut request| {
        *request.uri_mut() = "/orders?page=3".parse().unwrap();
        request
    })
    .await;
}

/// The time limits how long a request can be repeated, and not how often.
#[tokio::test]
async fn a_request_can_be_repeated_until_the_last_step() {
    assert_open_until_required(SCHEME, |request| request).await;
}

/// The body is covered by both, so nobody can change it in any step.
#[tokio::test]
async fn what_the_old_text_covers_is_safe_in_each_step() {
    for step in STEPS {
        let mut request = both(SCHEME);
        *request.body_mut() = b"another".to_vec();
        assert!(!is_accepted(&app(step, SCHEME), request.clone()).await);
        assert!(!is_accepted(&app(step, SCHEME), stripped(request)).await);
    }
}
