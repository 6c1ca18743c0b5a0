//! The trace that an accepted request leaves: an event, its consumer on the span, the proof in the
//! response; and the text that was signed, for those who look for a difference.

use bytes::Bytes;
use hmac_auth::{
    MemorySecrets, Secret, ValidateOptions, Validated, sign_request,
    tower::{Upload, ValidateAuthLayer},
};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Instrument, Level, field::Empty, span};

use crate::support::{
    layers::{
        Handler, Step, ask, ask_both, data, guard, host, layer, layer_with, sign_layer_with, whole,
        with_body,
    },
    recorder::{EVENTS, Event, RECORDS, TRACES},
    request::{
        INPUT, NOW, SECRET, TestRequest, get, options, post, sign_options, signed, signed_with,
        time, with_header, with_signature,
    },
};

const OLD: &str = "the secret before the last rotation";

/// Two listed consumers. The second one still has its previous secret.
fn rotating() -> ValidateAuthLayer {
    let secrets = MemorySecrets::new();
    let secret = |text: &str| Secret::from_text(text).unwrap();
    secrets.insert("secret-a", secret(SECRET));
    secrets.insert("secret-b", secret(OLD));
    secrets.rotate("secret-b", secret(SECRET)).unwrap();
    let options = options().key_ids([("site-a", "secret-a"), ("site-b", "secret-b")]);
    host(secrets, options).replay_guard(guard())
}

fn signed_by(key_id: &str, secret: &str) -> TestRequest {
    let secrets = MemorySecrets::new();
    secrets.insert("own", Secret::from_text(secret).unwrap());
    let mut request = post();
    let options = sign_options().secret_name("own").key_id(key_id);
    sign_request(&mut request, &secrets, &options).unwrap();
    request
}

fn clear() {
    EVENTS.take();
    TRACES.take();
    RECORDS.take();
}

/// The traces with this message.
fn traces(message: &str) -> Vec<Event> {
    let mut all = TRACES.take();
    all.retain(|event| event["message"] == message);
    all
}

#[tokio::test]
async fn an_accepted_request_is_one_event_with_its_consumer() {
    clear();
    for (layer, request, expected) in [
        (
            layer(),
            signed(post()),
            [
                ("consumer", "hmac-authentication-secret-key"),
                ("by_previous_secret", "false"),
            ]
            .to_vec(),
        ),
        (
            rotating(),
            signed_by("site-a", SECRET),
            [
                ("consumer", "site-a"),
                ("key_id", "site-a"),
                ("by_previous_secret", "false"),
            ]
            .to_vec(),
        ),
        (
            rotating(),
            signed_by("site-b", OLD),
            [
                ("consumer", "site-b"),
                ("key_id", "site-b"),
                ("by_previous_secret", "true"),
            ]
            .to_vec(),
        ),
    ] {
        ask(&layer, whole(request.clone())).await;
        let buffered = TRACES.take();
        // With a guard of its own, so that the signature counts again.
        let layer = layer.without_replay_guard();
        ask(&layer.streaming(), whole(request)).await;
        for events in [buffered, TRACES.take()] {
            assert_eq!(events.len(), 1, "{events:?}");
            let mut expected: Event = expected
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect();
            expected.insert("message", "request accepted".to_owned());
            assert_eq!(events[0], expected);
        }
    }
}

/// The same for both modes: a key id is whatever a holder of the one secret has chosen.
#[tokio::test]
async fn what_a_consumer_chose_is_escaped_and_cut() {
    clear();
    let long = format!("{}{}", "x".repeat(100), "y");
    for (key_id, shown) in [(long.as_str(), format!("{}…", "x".repeat(64)))] {
        let request = || whole(signed_with(post(), &sign_options().key_id(key_id)));
        ask_both(&layer(), request).await;
        for event in traces("request accepted") {
            assert_eq!(event["key_id"], shown);
        }
    }
}

#[tokio::test]
async fn a_refused_request_is_no_accepted_one() {
    clear();
    let mut forged = signed(post());
    forged.body_mut()[0] ^= 1;
    let broken = || with_body(signed(post()), [data("{"), Step::Fail("x")]);
    ask_both(&layer(), || whole(forged.clone())).await;
    ask_both(&layer(), broken).await;
    ask_both(&layer(), || whole(get())).await;
    assert_eq!(traces("request accepted"), []);
    assert_eq!(EVENTS.take().len(), 6);
}

#[tokio::test]
async fn the_consumer_stands_on_the_span_of_the_request() {
    let layer = rotating().without_replay_guard();
    for (layer, streams) in [(layer.clone(), false), (layer, true)] {
        for (span, expected) in [
            (
                span!(Level::INFO, "request", consumer = Empty),
                vec!["site-a".to_owned()],
            ),
            (span!(Level::INFO, "request", other = Empty), vec![]),
        ] {
            clear();
            let request = whole(signed_by("site-a", SECRET));
            async {
                if streams {
                    ask(&layer.clone().streaming(), request).await
                } else {
                    ask(&layer, request).await
                }
            }
            .instrument(span)
            .await;
            let recorded = RECORDS
                .take()
                .into_iter()
                .map(|mut one| one.remove("consumer"));
            assert_eq!(recorded.flatten().collect::<Vec<_>>(), expected);
        }
    }
}

#[tokio::test]
async fn the_response_carries_the_proof_for_those_outside_of_the_layer() {
    for seen in ask_both(&layer(), || whole(signed(post()))).await {
        let extensions = seen.response.extensions();
        let validated = extensions.get::<Validated>().expect("a proof");
        assert_eq!(validated.consumer(), "hmac-authentication-secret-key");
        assert_eq!(validated.created(), NOW);
    }
    for seen in ask_both(&layer(), || whole(get())).await {
        let extensions = seen.response.extensions();
        assert!(extensions.get::<Validated>().is_none() && extensions.get::<Upload>().is_none());
    }
    // Only the wholly proven request has a proof.
    let unread = service_fn(async |_: Request<_>| {
        Ok::<_, std::convert::Infallible>(Response::new(Bytes::new()))
    });
    let service = layer().streaming().layer(unread);
    let response = service.oneshot(whole(signed(post()))).await.unwrap();
    assert!(response.extensions().get::<Validated>().is_none());
    let upload = response.extensions().get::<Upload>().expect("an upload");
    assert_eq!(upload.consumer(), "hmac-authentication-secret-key");
}

#[tokio::test]
async fn a_previous_secret_is_told_once_a_minute_and_not_for_each_request() {
    clear();
    let layer = rotating();
    for _ in 0..3 {
        ask_both(&layer, || whole(signed_by("site-b", OLD))).await;
        ask_both(&layer.clone(), || whole(signed_by("site-b", SECRET))).await;
        ask_both(&layer, || whole(signed_by("site-a", SECRET))).await;
    }
    let told = EVENTS.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        [
            &told[0]["message"],
            &told[0]["consumer"],
            &told[0]["key_id"],
            &told[0]["secret_name"]
        ],
        [
            "a consumer still signs with a previous secret",
            "site-b",
            "site-b",
            "secret-b"
        ]
    );
    // A layer of its own tells it again.
    ask(&rotating(), whole(signed_by("site-b", OLD))).await;
    assert_eq!(EVENTS.take().len(), 1);
}

/// What a consumer and a host of this crate print, to be compared.
#[tokio::test]
async fn both_sides_show_the_redacted_text_that_was_signed() {
    clear();
    let request = || with_header(get(), "x-token", "very-secret");
    let options = || {
        sign_options()
            .key_id("site-a")
            .cover(http::HeaderName::from_static("x-token"))
    };
    let client = sign_layer_with(options()).layer(Handler::default());
    client.oneshot(whole(request())).await.unwrap();
    let [signed_event] = &traces("request signed")[..] else {
        panic!("one event")
    };
    assert_eq!(signed_event["key_id"], "site-a");
    let base = &signed_event["base"];
    for part in [
        r#"\"@method\": GET\n\"@authority\": host.example\n\"@path\": /orders\n"#,
        r#"\"@query\": <7 bytes>"#,
        r#"\"x-token\": <11 bytes>"#,
        r#";keyid=\"site-a\""#,
    ] {
        assert!(base.contains(part), "{base}");
    }

    let forged = with_header(signed_with(request(), &options()), "x-token", "another");
    ask_both(&layer(), || whole(forged.clone())).await;
    let seen = traces("the MAC does not match this signature base");
    assert_eq!(seen.len(), 2);
    for event in seen {
        assert_eq!(event["key_id"], "site-a");
        assert!(
            event["base"].contains(r#"\"x-token\": <20 bytes>"#),
            "{event:?}"
        );
    }
    let all = format!("{:?}", EVENTS.take());
    assert!(
        !all.contains("very-secret") && !all.contains("page=2"),
        "{all}"
    );
}

/// Each signature that may be meant for the host has a text of its own.
#[tokio::test]
async fn each_candidate_with_a_wrong_mac_is_shown_once_and_nothing_fills_the_log() {
    clear();
    let mut request = with_signature(get(), "a", INPUT, &[0; 32]);
    request = with_signature(request, "b", &format!(r#"{INPUT};keyid="b\"\\""#), &[1; 32]);
    ask(&layer(), whole(request)).await;
    let seen = traces("the MAC does not match this signature base");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|event| !event["base"].contains('\n')));

    let mut long = get();
    *long.uri_mut() = format!("https://host.example/{}", "x".repeat(8_000))
        .parse()
        .unwrap();
    ask(&layer(), whole(with_signature(long, "a", INPUT, &[0; 32]))).await;
    let seen = traces("the MAC does not match this signature base");
    assert!(seen[0]["base"].ends_with('…') && seen[0]["base"].len() < 5_000);
}

/// A wrong digest, or a stale signature, is no wrong MAC.
#[tokio::test]
async fn other_refusals_show_no_text() {
    clear();
    let mut forged = signed(post());
    forged.body_mut()[0] ^= 1;
    ask_both(&layer(), || whole(forged.clone())).await;
    let stale = ValidateOptions::new().at(time(NOW + 61));
    ask_both(&layer_with(stale), || whole(signed(post()))).await;
    assert_eq!(TRACES.take(), []);
}
