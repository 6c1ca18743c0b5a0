//! The questions to the OAuth endpoints of Wix, without a network.
//!
//! Their bodies have the fields of `AppStrategy` of the npm package `@wix/sdk` 1.21.16.

use hmac_auth::{
    Secret, SecretSet,
    wix::{
        AppCredentials, AppInstance, AppInstanceOptions, CredentialsError,
        ElevationErrorKind as Kind, InstanceId, MAX_ACCESS_TOKEN_LEN, access_token_request,
        admin_token_request, token_info_request, visitor_token_request,
    },
};
use serde_json::{Value, json};

use crate::support::token::{
    APP_ID, APP_SECRET, INSTANCE_ID, NOW, TOKEN, assert_request, at, credentials, instance_id,
};

#[test]
fn token_info_is_asked_as_the_sdk_does() {
    let body = format!(r#"{{"token":"{TOKEN}"}}"#);
    for spelling in [
        TOKEN.to_owned(),
        format!("Bearer {TOKEN}"),
        format!("bearer  {TOKEN}"),
        format!("BEARER {TOKEN}"),
    ] {
        let request = token_info_request(&spelling).unwrap();
        assert_request(&request, "https://www.wixapis.com/oauth2/token-info", &body);
    }
}

#[test]
fn an_access_token_is_asked_for_as_the_sdk_does() {
    let request = access_token_request(&credentials(), &instance_id());
    let body = format!(
        r#"{{"grant_type":"client_credentials","client_id":"{APP_ID}","client_secret":"{APP_SECRET}","instance_id":"{INSTANCE_ID}"}}"#
    );
    assert_request(&request, "https://www.wixapis.com/oauth2/token", &body);
}

#[test]
fn an_admin_token_is_asked_for_without_an_instance() {
    let request = admin_token_request(&credentials());
    let body = format!(
        r#"{{"grant_type":"client_credentials","client_id":"{APP_ID}","client_secret":"{APP_SECRET}"}}"#
    );
    assert_request(&request, "https://www.wixapis.com/oauth2/token", &body);
}

#[test]
fn a_visitor_token_is_asked_for_as_the_sdk_does() {
    let body = format!(
        r#"{{"grant_type":"strip_bound_session","client_secret":"{APP_SECRET}","access_token":"{TOKEN}"}}"#
    );
    for spelling in [TOKEN.to_owned(), format!("bearer {TOKEN}")] {
        let request = visitor_token_request(&credentials(), &spelling).unwrap();
        assert_request(&request, "https://www.wixapis.com/oauth2/token", &body);
    }
}

#[test]
fn values_are_written_as_json() {
    let credentials = AppCredentials::new("a\"b", "\\\n\u{1}ü".to_owned() + "x").unwrap();
    let request = access_token_request(&credentials, &InstanceId::new("c\"}").unwrap());
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["client_id"], "a\"b");
    assert_eq!(body["client_secret"], "\\\n\u{1}üx");
    assert_eq!(body["instance_id"], "c\"}");
    let request = token_info_request("a\"\\b").unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(request.body()).unwrap(),
        json!({"token": "a\"\\b"})
    );
}

#[test]
fn what_is_no_access_token_is_not_asked_for() {
    let longest = "x".repeat(MAX_ACCESS_TOKEN_LEN);
    let cases = [
        ("", Kind::Missing),
        ("Bearer ", Kind::Missing),
        ("Bearer", Kind::Missing),
        ("bearer   ", Kind::Missing),
        ("wixcode-pub.0123.YWJj", Kind::PublicInstance),
        ("wixcode-pub.0123", Kind::PublicInstance),
        ("a b", Kind::MalformedToken),
        ("a\nb", Kind::MalformedToken),
        ("OauthNG.JWS.ü.p.s", Kind::MalformedToken),
        ("Basic dXNlcjpwYXNz", Kind::MalformedToken),
        (&format!("{longest}x"), Kind::TooLarge),
    ];
    for (text, kind) in cases {
        assert_eq!(token_info_request(text).unwrap_err().kind(), kind, "{text}");
        let error = visitor_token_request(&credentials(), text).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}");
    }
    for text in [
        TOKEN,
        "signature.payload",
        "Bearer signature.payload",
        "header.payload.signature",
        "opaque",
        "IST.a.b.c",
        &longest,
        &format!("Bearer {longest}"),
    ] {
        assert!(
            token_info_request(text).is_ok(),
            "only Wix knows what {text} is"
        );
    }
}

#[test]
fn credentials_that_cannot_be_right_are_refused() {
    let empty = |name| CredentialsError::Empty { name };
    let untrimmed = |name| CredentialsError::Untrimmed { name };
    for (app_id, app_secret, expected) in [
        ("", APP_SECRET, empty("app id")),
        (" \n", APP_SECRET, empty("app id")),
        (APP_ID, "", empty("app secret")),
        (APP_ID, "\t", empty("app secret")),
        ("x ", APP_SECRET, untrimmed("app id")),
        (APP_ID, "secret\n", untrimmed("app secret")),
        (APP_ID, " secret", untrimmed("app secret")),
    ] {
        let error = AppCredentials::new(app_id, app_secret).unwrap_err();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains("secret\n"));
    }
    assert_eq!(InstanceId::new("").unwrap_err(), empty("instance id"));
    assert_eq!(
        InstanceId::new("x\n").unwrap_err(),
        untrimmed("instance id")
    );
    assert_eq!(credentials().app_id(), APP_ID);
    assert_eq!(
        (instance_id().as_str(), instance_id().to_string().as_str()),
        (INSTANCE_ID, INSTANCE_ID)
    );
}

#[test]
fn a_verified_app_instance_has_an_instance_id() {
    let payload = "eyJpbnN0YW5jZUlkIjoiaTEiLCJzaWduRGF0ZSI6IjIwMjMtMTEtMTRUMjI6MTM6MjBaIn0"; // i1
    let secret = Secret::from_text(APP_SECRET).unwrap();
    let mac = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        secret.mac(payload.as_bytes()).into_bytes(),
    );
    let options = AppInstanceOptions::new().at(at(NOW));
    let instance = AppInstance::parse(
        &format!("{mac}.{payload}"),
        &SecretSet::new(secret),
        &options,
    )
    .unwrap();
    assert_eq!(InstanceId::from(&instance).as_str(), "i1");
}
