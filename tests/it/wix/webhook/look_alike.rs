//! Bodies that come in place of a webhook, each named.

use hmac_auth::wix::{MAX_WEBHOOK_LEN, WebhookErrorKind as Kind};
use http::StatusCode;

use crate::support::{
    instance,
    webhook::{claims, envelope, refusal, signed, verify, webhook},
};

#[test]
fn each_body_is_named() {
    let instance = instance::signed(instance::payload(&[]));
    let text = webhook(&envelope("AppInstalled", "{}"));
    for (body, expected) in [
        ("", Kind::Missing),
        (" \r\n", Kind::Missing),
        (r#"{"eventType":"AppInstalled"}"#, Kind::PlainJson),
        (" \n{\"data\":\"x\"}", Kind::PlainJson),
        (r#"[{"a":"b.c.d"}]"#, Kind::PlainJson),
        (&format!("\"{text}\""), Kind::Quoted),
        (&format!("'{text}'"), Kind::Quoted),
        (&format!("data={text}"), Kind::Form),
        ("a=1&b=2", Kind::Form),
        ("event%5Btype%5D=x", Kind::Form),
        ("--boundary\r\nContent-Disposition: form-data", Kind::Form),
        ("OauthNG.JWS.header.payload.signature", Kind::AccessToken),
        (&instance, Kind::AppInstance),
        ("<event/>", Kind::NotJwt),
        ("hello", Kind::NotJwt),
        ("aGVsbG8=", Kind::NotJwt),
        ("a.b.c.d", Kind::NotJwt),
        ("a.b.c.d.e", Kind::NotJwt),
        ("a.b", Kind::AppInstance),
        ("a.", Kind::NotJwt),
        (&format!("bearer {text}"), Kind::NotJwt),
        (&text.replace('.', " "), Kind::NotJwt),
    ] {
        assert_eq!(refusal(body), expected, "{body}");
    }
    assert_eq!(refusal(b"\xff.\xff.\xff"), Kind::NotJwt);
    assert_eq!(refusal([0x1f, 0x8b, 8, 0]), Kind::NotJwt, "gzip");
}

#[test]
fn a_plain_event_is_refused_though_its_shape_is_right() {
    let envelope = envelope("AppInstalled", "{}");
    assert_eq!(refusal(envelope.to_string()), Kind::PlainJson);
    assert_eq!(
        refusal(claims(envelope.to_string()).to_string()),
        Kind::PlainJson
    );
}

#[test]
fn one_mebibyte_is_the_limit() {
    // Three bytes of text are four characters.
    let short = webhook(&envelope("AppInstalled", ""));
    let room = (MAX_WEBHOOK_LEN - short.len()) * 3 / 4;
    let longest = webhook(&envelope("AppInstalled", &"x".repeat(room - 2)));
    assert!(longest.len() > MAX_WEBHOOK_LEN - 8 && longest.len() <= MAX_WEBHOOK_LEN);
    assert!(verify(&longest).is_ok());
    let longer = webhook(&envelope("AppInstalled", &"x".repeat(room + 8)));
    assert!(longer.len() > MAX_WEBHOOK_LEN);
    let error = verify(&longer).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn the_peer_learns_no_reason() {
    let stale = signed(&serde_json::json!({"data": "{}", "iat": 1, "exp": 2}));
    let answers = ["", "{}", "a.b.c", &stale, "OauthNG.JWS.a.b.c"].map(|body| {
        let response = verify(body).unwrap_err().to_response();
        let headers = format!("{:?}", response.headers());
        (response.status(), headers, *response.body())
    });
    let (status, headers, body) = &answers[0];
    assert_eq!(*status, StatusCode::UNAUTHORIZED);
    assert_eq!(*body, r#"{"error":"Invalid webhook"}"#);
    assert!(headers.contains("no-store") && headers.contains("www-authenticate"));
    assert!(answers.iter().all(|answer| answer == &answers[0]));
}

/// The reason is for a log: one line, and nothing that the peer could forge there.
#[test]
fn an_error_shows_no_raw_byte_of_the_peer() {
    for body in [
        "a\n.b.c",
        "{\"\u{1b}[31m",
        "Digest\n=x",
        "\u{202e}.a.b",
        "x.\0.y",
    ] {
        let error = verify(body).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            !text.contains(char::is_control) && text.is_ascii(),
            "{text:?}"
        );
    }
}
