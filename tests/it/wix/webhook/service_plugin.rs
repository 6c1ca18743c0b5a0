//! The requests of service plugins: for this app, by Wix.

use hmac_auth::wix::{
    ServicePluginRequest, WebhookError, WebhookErrorKind as Kind, WebhookIdentity as Identity,
};
use serde_json::{Value, json};

use crate::support::webhook::{
    NOW, at, envelope, options, refusal, signed, vector, verify as verify_webhook, webhook,
};

const APP_ID: &str = "bbebb-app-1";

fn verify(text: &str) -> Result<ServicePluginRequest, WebhookError> {
    ServicePluginRequest::verify(text.as_bytes(), APP_ID, &options())
}

/// Claims with one of them replaced; `None` removes it.
fn changed(name: &str, value: Option<Value>) -> String {
    let mut claims = json!({
        "data": {"request": {"a": 1}, "metadata": {"instanceId": "i-1"}},
        "iss": "wix.com", "aud": APP_ID, "iat": NOW, "exp": NOW + 60,
    });
    let claims = claims.as_object_mut().unwrap();
    match value {
        Some(value) => claims.insert(name.to_owned(), value),
        None => claims.remove(name),
    };
    signed(&json!(claims))
}

#[test]
fn what_another_program_has_signed_is_read() {
    let (text, _) = vector("service plugin");
    let request = verify(text).unwrap();
    let shown = format!("{request:?}");
    let expected = r#"ServicePluginRequest { instance_id: Some("i-1"), request_id: Some("r-1"), "#;
    assert!(shown.starts_with(expected), "{shown}");
    assert_eq!(request.request()["lineItems"][0]["quantity"], 2);
    assert_eq!(request.instance_id(), Some("i-1"));
    assert_eq!(request.request_id(), Some("r-1"));
    assert_eq!(request.currency(), Some("ILS"));
    assert_eq!(request.languages(), ["he", "en"]);
    assert_eq!(request.app_extension_type(), Some("SHIPPING_RATES"));
    assert_eq!(request.identity(), Some(&Identity::Member("m-1".into())));
    assert_eq!(request.issued_at(), at(NOW - 1));
    assert_eq!(request.expires_at(), at(NOW + 3600));
}

#[test]
fn the_app_and_the_issuer_count() {
    for (name, value, expected) in [
        ("aud", Some(json!("BBEBB-APP-1")), None),
        ("aud", Some(json!(["x", "Bbebb-App-1"])), None),
        ("aud", Some(json!("bbebb-app-2")), Some(Kind::WrongApp)),
        ("aud", Some(json!("bbebb-app-1 ")), Some(Kind::WrongApp)),
        ("aud", Some(json!("")), Some(Kind::WrongApp)),
        ("aud", Some(json!([])), Some(Kind::WrongApp)),
        ("aud", Some(json!(null)), Some(Kind::WrongApp)),
        ("aud", Some(json!({"bbebb-app-1": 1})), Some(Kind::WrongApp)),
        ("aud", None, Some(Kind::WrongApp)),
        ("iss", Some(json!("WIX.com")), Some(Kind::WrongIssuer)),
        ("iss", Some(json!("wix.com.evil")), Some(Kind::WrongIssuer)),
        ("iss", Some(json!(["wix.com"])), Some(Kind::WrongIssuer)),
        ("iss", None, Some(Kind::WrongIssuer)),
        ("iat", Some(json!(NOW + 11)), Some(Kind::InFuture)),
        ("exp", Some(json!(NOW - 11)), Some(Kind::Expired)),
    ] {
        let text = changed(name, value.clone());
        let kind = verify(&text).err().map(|error| error.kind());
        assert_eq!(kind, expected, "{name}: {value:?}");
    }
    let error = verify(&changed("aud", Some(json!("other")))).unwrap_err();
    assert!(error.to_string().contains("`other`"), "{error}");
}

#[test]
fn an_empty_app_id_is_that_of_no_app() {
    let text = changed("aud", Some(json!("")));
    let error = ServicePluginRequest::verify(text.as_bytes(), "", &options()).unwrap_err();
    assert_eq!(error.kind(), Kind::WrongApp);
}

#[test]
fn data_has_the_documented_shape() {
    for data in [
        json!({}),
        json!([]),
        json!(7),
        json!({"request": {}}),
        json!({"metadata": {}}),
        json!({"request": {}, "metadata": []}),
        json!({"request": {}, "metadata": null}),
        json!({"request": {}, "metadata": {"instanceId": 7}}),
    ] {
        let error = verify(&changed("data", Some(data.clone()))).unwrap_err();
        assert_eq!(error.kind(), Kind::MalformedClaims, "{data}");
    }
    let data = json!({"request": null, "metadata": {"currency": 7, "languages": "en"}});
    let request = verify(&changed("data", Some(data))).unwrap();
    assert_eq!(request.instance_id(), None);
    assert_eq!(request.currency(), None);
    assert_eq!(request.languages(), ["en"]);
    assert_eq!(*request.request(), Value::Null);
    let twice = r#"{"data":{"request":{},"metadata":{"instanceId":"a","instanceId":"b"}},
        "iss":"wix.com","aud":"bbebb-app-1","iat":1700000000,"exp":1700000060}"#;
    assert_eq!(
        verify(&signed(twice)).unwrap_err().kind(),
        Kind::MalformedClaims
    );
}

/// One key signs all of them: what is signed for one use must not count for another.
#[test]
fn a_webhook_and_a_service_plugin_are_not_interchangeable() {
    let text = webhook(&envelope("AppInstalled", "{}"));
    assert!(verify_webhook(&text).is_ok());
    assert_eq!(verify(&text).unwrap_err().kind(), Kind::Webhook);
    let (text, _) = vector("service plugin");
    assert_eq!(refusal(text), Kind::ServicePlugin);
    let (text, _) = vector("digest");
    assert_eq!(refusal(text), Kind::ServicePlugin);
    assert_eq!(verify(text).unwrap_err().kind(), Kind::WrongIssuer);
}
