//! Events and `Debug`: one event for each refusal, and nothing confidential in either.

use bytes::Bytes;
use hmac_auth::{AuthError, UseOnce, ValidateOptions, tower::BufferedBody};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use tower::{Layer, Service};

use crate::support::{
    cases::{bad_bodies, bad_heads, refused_by_guards},
    layers::{
        Handler, Script, ask, ask_both, host, layer, open, poll_ready, read, sign_layer, whole,
    },
    recorder::{EVENTS, Event},
    request::{INPUT, NOW, SECRET, TestRequest, post, secrets, signed, time, with_signature},
};

/// What no log and no `Debug` may hold of a request: its MAC, other text of its signature, its
/// body, the secret.
fn confidential(request: &Request<Script>) -> Vec<String> {
    let signature = request
        .headers()
        .get("signature")
        .map_or("", |value| value.to_str().unwrap());
    let mac = signature.split(':').nth(1).unwrap_or(SECRET);
    vec![
        mac.to_owned(),
        SECRET.to_owned(),
        "sig1=".to_owned(),
        "month".to_owned(),
    ]
}

#[tokio::test]
async fn each_refusal_is_one_event_without_anything_confidential() {
    EVENTS.take();
    for (kind, layer, request) in [bad_heads(), refused_by_guards(), bad_bodies()]
        .into_iter()
        .flatten()
    {
        let (buffered, streamed) = (request(), request());
        let path = buffered.uri().path().to_owned();
        let confidential = [confidential(&buffered), confidential(&streamed)].concat();
        ask(&layer, buffered).await;
        ask(&layer.streaming(), streamed).await;
        let events = EVENTS.take();
        assert_eq!(events.len(), 2, "one for each mode: {events:?}");
        for event in events {
            let fields: Vec<&str> = event.keys().copied().collect();
            assert_eq!(
                fields,
                ["authority", "kind", "message", "path", "reason"],
                "no key id was sent"
            );
            assert_eq!(
                [&event["kind"], &event["authority"], &event["path"]],
                [kind.as_str(), "host.example", &path]
            );
            assert!(
                event["reason"].starts_with(&AuthError::from(kind).to_string()),
                "{event:?}"
            );
            let text = format!("{event:?}");
            assert!(confidential.iter().all(|one| !text.contains(one)), "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_accepted_is_no_event() {
    EVENTS.take();
    for seen in ask_both(&layer(), || whole(signed(post()))).await {
        assert_eq!(seen.refusal(), None);
    }
    open(&layer().streaming(), whole(signed(post()))).await;
    assert_eq!(EVENTS.take(), []);
}

/// That of the refusal of this request.
async fn event_of(request: TestRequest) -> Event {
    let layer = host(secrets(), ValidateOptions::new().at(time(NOW)));
    assert!(ask(&layer, whole(request)).await.refusal().is_some());
    EVENTS.take().pop().expect("an event")
}

/// The operator looks for the name by which the consumer has called the host.
#[tokio::test]
async fn the_authority_is_that_of_the_trusted_field() {
    let field = http::HeaderName::from_static("x-forwarded-host");
    let options = ValidateOptions::new().at(time(NOW));
    for (options, authority) in [
        (options.clone(), "host.example"),
        (options.trust_forwarded_host(field), "shop.example"),
    ] {
        let mut request = with_signature(post(), "sig1", INPUT, &[0; 32]);
        let value = HeaderValue::from_static("shop.example");
        request.headers_mut().insert("x-forwarded-host", value);
        assert!(
            ask(&host(secrets(), options), whole(request))
                .await
                .refusal()
                .is_some()
        );
        assert_eq!(
            EVENTS.take().pop().expect("an event")["authority"],
            authority
        );
    }
}

/// Nothing of a peer acts on the terminal or fills the log.
#[track_caller]
fn assert_tame(event: &Event) {
    for (field, text) in event {
        assert!(
            text.chars().all(|c| matches!(c, ' '..='~' | '…')),
            "{field}: {text:?}"
        );
        assert!(
            text.chars().count() < 900,
            "{field} has {} characters",
            text.chars().count()
        );
    }
}

#[tokio::test]
async fn what_peers_write_is_escaped_and_cut_in_events() {
    let to = |uri: &str| {
        let mut request = post();
        *request.uri_mut() = uri.parse().unwrap();
        with_signature(request, "sig1", INPUT, &[0; 32])
    };
    let with_host = |host: &[u8]| {
        let mut request = to("/orders");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_bytes(host).unwrap());
        request
    };
    let with_key_id = |key_id: &str| {
        with_signature(
            post(),
            "sig1",
            &format!(r#"{INPUT};keyid="{key_id}""#),
            &[0; 32],
        )
    };
    let long = "x".repeat(7_000);

    let event = event_of(with_key_id(r#"a\"\\e[31m"#)).await;
    assert_eq!(
        [&event["key_id"], &event["kind"]],
        [r#"a\"\\e[31m"#, "wrong_mac"]
    );
    assert_eq!(
        event_of(to("https://host.example/\u{9b}31m\u{202e}")).await["path"],
        r"/\u{9b}31m\u{202e}"
    );
    assert_eq!(
        event_of(with_host("h\u{9b}31m".as_bytes())).await["authority"],
        r"h\u{9b}31m"
    );
    for (field, request) in [
        ("path", to(&format!("https://host.example/{long}{long}"))),
        (
            "path",
            to(&format!(
                "https://host.example/{}",
                "\u{10fffd}".repeat(10_000)
            )),
        ),
        ("authority", with_host(long.repeat(2).as_bytes())),
        ("key_id", with_key_id(&long)),
    ] {
        let event = event_of(request).await;
        assert!(event[field].ends_with('…'), "{event:?}");
        assert_tame(&event);
    }
    // What is not text is not shown at all.
    let mut no_text = with_key_id("a");
    let input = [b"sig1=", INPUT.as_bytes(), b";keyid=\"\xc2\x9b31m\""].concat();
    no_text
        .headers_mut()
        .insert("signature-input", HeaderValue::from_bytes(&input).unwrap());
    assert_tame(&event_of(no_text).await);
    assert_tame(&event_of(with_host(b"host\xff\xfe")).await);
}

/// A method is the text of a peer like any other.
#[tokio::test]
async fn a_long_method_is_cut_in_events() {
    let mut request = with_signature(post(), "sig1", INPUT, &[0; 32]);
    *request.method_mut() = Method::from_bytes(&[b'X'; 10_000]).unwrap();
    assert_tame(&event_of(request).await);
}

#[tokio::test]
async fn debug_shows_neither_secret_nor_mac_nor_body() {
    let request = whole(signed(post()));
    let (confidential, again) = (confidential(&request), whole(signed(post())));
    let (auth, stream, sign) = (layer(), layer().streaming(), sign_layer());
    let mut services = (
        auth.layer(Handler::default()),
        stream.layer(Handler::default()),
        sign.layer(Handler::default()),
    );
    let mut texts = vec![format!("{auth:?} {stream:?} {sign:?} {services:?}")];
    for ready in [
        poll_ready(&mut services.0),
        poll_ready(&mut services.1),
        poll_ready(&mut services.2),
    ] {
        assert!(ready);
    }
    let sent = services.2.call(whole(post()));
    texts.push(format!(
        "{:?} {:?} {sent:?}",
        services.0.call(again),
        services.1.call(whole(post()))
    ));
    let (mut body, upload) = open(&stream, request).await;
    texts.push(format!("{body:?} {upload:?}"));
    assert!(read(&mut body).is_ready() && upload.validated().is_some());
    texts.push(format!("{body:?} {upload:?}"));
    let full = Bytes::from("month");
    texts.push(format!(
        "{:?} {:?}",
        BufferedBody::<Script>::from(full.clone()),
        BufferedBody::new(Full::new(full))
    ));
    texts.push(format!("{:?}", UseOnce::ready(Ok(()))));
    for text in &texts {
        assert!(confidential.iter().all(|one| !text.contains(one)), "{text}");
    }
    let all = texts.join("\n");
    for shown in [
        "ValidateAuthLayer",
        "ValidateStreamLayer",
        "SignRequestLayer",
        "has_replay_guard: true",
        "has_original: false",
        "ValidateAuthFuture",
        "ValidateStreamFuture",
        "SignRequestFuture",
        "StreamedBody",
        "Upload { consumer: \"hmac-authentication-secret-key\", validated: None }",
        "BufferedBody",
        "UseOnce",
    ] {
        assert!(all.contains(shown), "{shown} in {all}");
    }
}
