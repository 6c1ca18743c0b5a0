//! From a header such as `t=1700000000,v1=…`: a time, and an HMAC of it and of the body.

use http::request::Parts;

use super::steps::{
    OLD_SECRET, OldSecrets, STEPS, Scheme, app, assert_open_until_required, hex_mac, insert,
    is_accepted, plain, signed, test_each_step, text,
};
use crate::support::request::{NOW, TestRequest};

pub(super) const SCHEME: Scheme = Scheme { add, find };

fn signed_text(time: &str, body: &[u8]) -> Vec<u8> {
    [time.as_bytes(), b".", body].concat()
}

fn add(request: &mut TestRequest, secret: &str) {
    let time = NOW.to_string();
    let mac = hex_mac(secret, &signed_text(&time, request.body()));
    insert(request, "x-signature", &format!("t={time},v1={mac}"));
}

fn find(secrets: OldSecrets, head: &Parts, body: &[u8]) -> Option<&'static str> {
    let parts = text(head, "x-signature")?.split(',');
    let parts: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
    let (_, time) = parts.iter().find(|(key, _)| *key == "t")?;
    let seconds: i64 = time.parse().ok()?;
    if seconds.abs_diff(NOW) > 300 {
        return None;
    }
    let signed = signed_text(time, body);
    let mut secrets = secrets.iter();
    secrets
        .find(|(_, secret)| {
            let mac = hex_mac(secret, &signed);
            parts.contains(&("v1", &mac))
        })
        .map(|(consumer, _)| *consumer)
}

test_each_step!(SCHEME);

/// The old text has the body only, so what was meant for one address is good for each.
#[tokio::test]
async fn a_body_can_be_sent_elsewhere_until_the_last_step() {
    assert_open_until_required(SCHEME, |mut request| {
        *request.uri_mut() = "/refunds".parse().unwrap();
        request
    })
    .await;
}

/// A sender of webhooks cannot know in which step its receivers are: what has both serves them all.
/// So does a header with two `v1`, as it is sent while the old secret is replaced.
#[tokio::test]
async fn a_sender_serves_receivers_in_any_step() {
    for step in STEPS {
        let mut request = plain();
        let text = signed_text(&NOW.to_string(), request.body());
        let [before, now] =
            ["the old secret before that", OLD_SECRET].map(|secret| hex_mac(secret, &text));
        insert(
            &mut request,
            "x-signature",
            &format!("t={NOW},v1={before},v1={now}"),
        );
        let request = signed(request);
        assert!(is_accepted(&app(step, SCHEME), request).await, "{step:?}");
    }
}
