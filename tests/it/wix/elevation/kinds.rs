//! Tokens of several kinds: of the app, of a project, and of a visitor. None is given out for another.

use hmac_auth::wix::{
    AccessToken, Elevation, ElevationErrorKind as Kind, InstanceId, VisitorToken,
};
use http::Request;
use serde_json::{Value, json};

use crate::support::oauth::{
    APP_ID, APP_SECRET, Reply, Wix, assert_silent, authorization, good_info, visitor_token,
};

/// Each token says for which question it is.
fn name_the_question(count: usize, question: &Value) -> Reply {
    let grant = question["grant_type"].as_str().unwrap();
    let of = question["instance_id"].as_str().unwrap_or("none");
    let from = question["access_token"].as_str().unwrap_or("none");
    Reply::json(&json!({
        "access_token": format!("OauthNG.{grant}/{of}/{from}/{count}"),
        "expires_in": 14_400,
    }))
}

fn text_of(authorize: impl FnOnce(&mut Request<()>)) -> String {
    let mut request = Request::new(());
    authorize(&mut request);
    let value = &request.headers()["authorization"];
    assert!(value.is_sensitive());
    value.to_str().unwrap().to_owned()
}

async fn admin(elevation: &Elevation) -> String {
    let token = elevation.admin_token().await.unwrap();
    text_of(|request| AccessToken::authorize(&token, request))
}

async fn visitor(elevation: &Elevation, token: &str) -> String {
    let token = elevation.visitor_token(token).await.unwrap();
    text_of(|request| VisitorToken::authorize(&token, request))
}

#[tokio::test]
async fn each_kind_of_token_is_asked_for_once_and_kept_apart() {
    let wix = Wix::start().await;
    wix.on_access_token(name_the_question);
    let elevation = wix.elevation();
    let instance_id = InstanceId::new("i1").unwrap();
    let [first, second] = [1, 2].map(|subject| visitor_token("i1", subject));
    for _ in 0..2 {
        assert_eq!(
            authorization(&elevation.access_token(&instance_id).await.unwrap()),
            "OauthNG.client_credentials/i1/none/0"
        );
        assert_eq!(
            admin(&elevation).await,
            "OauthNG.client_credentials/none/none/1"
        );
        assert_eq!(
            visitor(&elevation, &first).await,
            format!("OauthNG.strip_bound_session/none/{first}/2")
        );
        assert_eq!(
            visitor(&elevation, &format!("Bearer {second}")).await,
            format!("OauthNG.strip_bound_session/none/{second}/3")
        );
        assert_eq!(wix.counts(), (2, 4));
    }
    let asked = wix.asked.lock().unwrap().clone();
    let bodies: Vec<Value> = asked
        .iter()
        .filter(|asked| asked.path == "/oauth2/token")
        .map(|asked| serde_json::from_str(&asked.body).unwrap())
        .collect();
    assert_eq!(
        bodies[1..3],
        [
            json!({"grant_type": "client_credentials", "client_id": APP_ID, "client_secret": APP_SECRET}),
            json!({"grant_type": "strip_bound_session", "client_secret": APP_SECRET, "access_token": first}),
        ]
    );
    let tokens = (
        elevation.admin_token().await,
        elevation.visitor_token(&first).await,
    );
    assert_silent(&format!("{tokens:?}"));
}

#[tokio::test]
async fn nobody_acts_as_a_visitor_whose_token_wix_does_not_accept() {
    let wix = Wix::start().await;
    wix.on_access_token(name_the_question);
    let elevation = wix.elevation();
    let token = visitor_token("i1", 1);
    for (field, value, kind) in [
        ("active", json!(false), Kind::Inactive),
        ("clientId", json!("another app"), Kind::WrongApp),
        ("exp", json!(null), Kind::NoExpiration),
        ("exp", json!(1), Kind::Expired),
    ] {
        wix.on_token_info(move |_, question| {
            let mut info = good_info(question);
            info[field] = value.clone();
            Reply::json(&info)
        });
        let error = elevation.visitor_token(&token).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_silent(&format!("{error:#} {error:?}"));
    }
    assert_eq!(wix.counts(), (4, 0), "the app secret was not sent");
    for (text, kind) in [("", Kind::Missing), ("wixcode-pub.x", Kind::PublicInstance)] {
        let error = elevation.visitor_token(text).await.unwrap_err();
        assert_eq!((error.kind(), wix.counts()), (kind, (4, 0)));
    }
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let wix = Wix::start().await;
    wix.on_access_token(|_, _| Reply {
        body: r#"{"error":"invalid_client"}"#.to_owned(),
        ..Reply::status(401)
    });
    let elevation = wix.elevation();
    let token = visitor_token("i1", 1);
    let errors = [
        elevation.admin_token().await.unwrap_err(),
        elevation.visitor_token(&token).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), Kind::CredentialsRefused);
    }
    wix.on_access_token(name_the_question);
    admin(&elevation).await;
    visitor(&elevation, &token).await;
    assert_eq!(wix.counts(), (1, 4));
}
