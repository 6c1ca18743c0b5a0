//! Token Info about an app instance: without `exp`, the times of the text count.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac_auth::wix::{ElevationError, ElevationErrorKind as Kind, TokenInfo};
use http::Response;
use serde_json::{Value, json};

use crate::support::token::{APP_ID, INSTANCE_ID, NOW, TOKEN, answer, at, info};

const HOUR: u64 = 60 * 60;

/// The text of an app instance. Only Wix can judge its signature here.
fn app_instance(payload: &str) -> String {
    let signature = URL_SAFE_NO_PAD.encode([7; 32]);
    format!("{signature}.{}", URL_SAFE_NO_PAD.encode(payload))
}

fn date(seconds: u64) -> String {
    jiff::Timestamp::from_second(seconds.try_into().unwrap())
        .unwrap()
        .to_string()
}

/// An app instance of this app and this installation, with `more` fields.
fn signed_at(seconds: u64, more: &Value) -> String {
    let mut payload = json!({
        "instanceId": INSTANCE_ID, "appDefId": APP_ID, "signDate": date(seconds), "uid": "user",
    });
    let fields = more.as_object().unwrap().clone();
    payload.as_object_mut().unwrap().extend(fields);
    app_instance(&payload.to_string())
}

fn about(asked: &str, answer: &Response<Vec<u8>>) -> Result<TokenInfo, ElevationError> {
    TokenInfo::from_response_about(asked, answer, APP_ID, at(NOW))
}

#[track_caller]
fn assert_refused(asked: &str, answer: &Response<Vec<u8>>, kind: Kind) -> String {
    let error = about(asked, answer).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let shown = format!("{error:#} {error:?}");
    assert!(!shown.contains(asked), "{shown}");
    shown
}

#[test]
fn without_exp_the_times_of_the_text_count() {
    for absence in [None, Some(Value::Null)] {
        let answer = info("exp", absence);
        let expirations = json!({ "expirationDate": date(NOW + 4 * HOUR) });
        for (asked, expires_at) in [
            (signed_at(NOW, &expirations), NOW + 4 * HOUR),
            (
                format!("Bearer {}", signed_at(NOW, &expirations)),
                NOW + 4 * HOUR,
            ),
            (signed_at(NOW, &json!({})), NOW + 24 * HOUR),
            (signed_at(NOW - 23 * HOUR, &json!({})), NOW + HOUR),
            (
                signed_at(NOW, &json!({ "expirationDate": 7 })),
                NOW + 4 * HOUR,
            ),
            // Its clock may be a little ahead.
            (signed_at(NOW + 10, &expirations), NOW + 4 * HOUR),
            (
                signed_at(NOW, &json!({ "appDefId": null })),
                NOW + 24 * HOUR,
            ),
            (
                signed_at(NOW, &json!({ "appDefId": APP_ID.to_uppercase() })),
                NOW + 24 * HOUR,
            ),
        ] {
            let info = about(&asked, &answer).unwrap();
            assert_eq!(info.expires_at(), at(expires_at), "{asked}");
            assert!(info.expires_by_app_instance());
            assert_eq!(info.instance_id().as_str(), INSTANCE_ID);
        }
    }
}

#[test]
fn exp_counts_where_wix_names_it() {
    let stale = signed_at(NOW - 100 * HOUR, &json!({}));
    let info_with = |exp| info("exp", Some(exp));
    let read = about(&stale, &info_with(json!(NOW + 5))).unwrap();
    assert_eq!(read.expires_at(), at(NOW + 5));
    assert!(!read.expires_by_app_instance());
    let fresh = signed_at(NOW, &json!({}));
    assert_refused(&fresh, &info_with(json!(NOW)), Kind::Expired);
    // What Wix means by these is not clear, and the text does not make it clearer.
    for exp in [json!("soon"), json!(true), json!(-1), json!(""), json!([])] {
        assert_refused(&fresh, &info_with(exp), Kind::NoExpiration);
    }
}

#[test]
fn an_app_instance_that_is_too_old_is_refused() {
    let answer = info("exp", None);
    for (asked, kind) in [
        (signed_at(NOW - 24 * HOUR, &json!({})), Kind::Expired),
        (signed_at(NOW - 24 * HOUR - 1, &json!({})), Kind::Expired),
        (
            signed_at(NOW - 60, &json!({ "expirationDate": date(NOW) })),
            Kind::Expired,
        ),
        (
            signed_at(NOW - 60, &json!({ "expirationDate": date(NOW - 1) })),
            Kind::Expired,
        ),
        (
            signed_at(NOW - 4 * HOUR, &json!({ "expirationDate": "soon" })),
            Kind::Expired,
        ),
        (signed_at(NOW + 11, &json!({})), Kind::NoExpiration),
    ] {
        assert_refused(&asked, &answer, kind);
    }
}

#[test]
fn what_is_no_app_instance_stays_refused() {
    let answer = info("exp", None);
    let payload = format!(
        r#"{{"instanceId":"{INSTANCE_ID}","signDate":"{}"}}"#,
        date(NOW)
    );
    let twice = |field: &str| payload.replace('}', &format!(",{field}}}"));
    let encoded = URL_SAFE_NO_PAD.encode(&payload);
    assert!(about(&app_instance(&payload), &answer).is_ok());
    for asked in [
        TOKEN.to_owned(),
        "opaque".to_owned(),
        encoded.clone(),
        format!("OauthNG.JWS.{encoded}"),
        format!("eyJhIjoxfQ.{encoded}.c2ln"),
        format!("short.{encoded}"),
        format!("{}.{encoded}", URL_SAFE_NO_PAD.encode([7; 33])),
        format!("{}.", URL_SAFE_NO_PAD.encode([7; 32])),
        app_instance("[]"),
        app_instance("{}"),
        app_instance(&payload.replace("signDate", "signdate")),
        // Two readers could choose different ones.
        app_instance(&twice(&format!(r#""signDate":"{}""#, date(NOW + 5)))),
        app_instance(&twice(&format!(r#""instanceId":"{INSTANCE_ID}""#))),
        app_instance(&twice(r#""expirationDate":null,"expirationDate":null"#)),
        app_instance(&twice(&format!(
            r#""appDefId":"other","appDefId":"{APP_ID}""#
        ))),
    ] {
        assert_refused(&asked, &answer, Kind::NoExpiration);
    }
    // The text is read only where its caller says that Wix was asked about it.
    let error = TokenInfo::from_response(&answer, APP_ID, at(NOW)).unwrap_err();
    assert_eq!(error.kind(), Kind::NoExpiration);
}

#[test]
fn the_text_counts_only_after_wix_has_called_it_active() {
    let fresh = signed_at(NOW, &json!({}));
    let with = |fields: Value| answer(200, fields.to_string());
    for (answer, kind) in [
        (
            with(json!({ "active": false, "clientId": APP_ID, "instanceId": INSTANCE_ID })),
            Kind::Inactive,
        ),
        (
            with(json!({ "clientId": APP_ID, "instanceId": INSTANCE_ID })),
            Kind::Inactive,
        ),
        (
            with(json!({ "active": true, "instanceId": INSTANCE_ID })),
            Kind::WrongApp,
        ),
        (
            with(json!({ "active": true, "clientId": "another", "instanceId": INSTANCE_ID })),
            Kind::WrongApp,
        ),
        (
            with(json!({ "active": true, "clientId": APP_ID })),
            Kind::NoInstance,
        ),
        (answer(200, ""), Kind::TokenRefused),
        (answer(401, "{}"), Kind::TokenRefused),
    ] {
        assert_refused(&fresh, &answer, kind);
    }
}

#[test]
fn the_text_and_the_answer_are_about_one_app_and_one_installation() {
    let answer = info("exp", None);
    let of_another_app = signed_at(NOW, &json!({ "appDefId": "other\napp" }));
    let shown = assert_refused(&of_another_app, &answer, Kind::WrongApp);
    assert!(
        shown.contains(r"for other\napp, expected ") && shown.contains(APP_ID),
        "{shown}"
    );
    let of_another_site = signed_at(NOW, &json!({ "instanceId": "other\nsite" }));
    let shown = assert_refused(&of_another_site, &answer, Kind::NoInstance);
    assert!(
        shown.contains(r"for other\nsite, Wix says ") && shown.contains(INSTANCE_ID),
        "{shown}"
    );
    let shouted = signed_at(NOW, &json!({ "instanceId": INSTANCE_ID.to_uppercase() }));
    assert!(about(&shouted, &answer).is_ok());
}
