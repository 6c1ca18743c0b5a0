//! Elevation of one visitor: what the endpoints are asked, and what nobody asks them.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use hmac_auth::wix::{ElevationErrorKind as Kind, InstanceId, SubjectType, TokenInfo};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::oauth::{
    APP_ID, APP_SECRET, Reply, Wix, assert_silent, authorization, elevation, everybody, good_info,
    now, refusal, visitor_token,
};

#[tokio::test]
async fn a_visitor_is_elevated() {
    let wix = Wix::start().await;
    let elevation = wix.elevation();
    let frontend = visitor_token("i1", 7);
    let elevated = elevation
        .elevate(&frontend, |info| {
            assert_eq!(info.instance_id().as_str(), "i1");
            assert_eq!(
                (info.subject_type(), info.subject_id()),
                (SubjectType::Visitor, Some("7"))
            );
            true
        })
        .await
        .unwrap();
    assert_eq!(elevated.instance_id().as_str(), "i1");
    assert_eq!(authorization(&elevated), "OauthNG.JWS.i1.0.app");
    assert!(elevated.expires_at() > SystemTime::now() + Duration::from_secs(14_000));
    assert_silent(&format!("{elevated:?} {elevation:?}"));

    let asked = wix.asked.lock().unwrap().clone();
    let bodies = [
        json!({"token": frontend}),
        json!({"grant_type": "client_credentials", "client_id": APP_ID, "client_secret": APP_SECRET, "instance_id": "i1"}),
    ];
    assert_eq!(asked.len(), 2);
    for (asked, (path, body)) in asked.iter().zip(
        ["/oauth2/token-info", "/oauth2/token"]
            .into_iter()
            .zip(bodies),
    ) {
        assert_eq!((&asked.method, asked.path.as_str()), (&Method::POST, path));
        assert_eq!(serde_json::from_str::<Value>(&asked.body).unwrap(), body);
        assert_eq!(asked.headers["content-type"], "application/json");
        let names: HashSet<_> = asked.headers.keys().map(http::HeaderName::as_str).collect();
        assert_eq!(
            names,
            HashSet::from(["accept", "content-length", "content-type", "host"]),
            "and no `authorization`"
        );
    }
}

#[tokio::test]
async fn the_base_url_may_have_a_path() {
    let wix = Wix::start().await;
    for base_url in [
        format!("{}/wix", wix.url),
        format!("{}/wix/?x=1#y", wix.url),
    ] {
        let error = refusal(
            elevation(&base_url)
                .elevate(&visitor_token("i1", 1), |_| false)
                .await,
        );
        assert_eq!(error.kind(), Kind::NotAllowed);
    }
    assert_eq!(wix.count("/wix/oauth2/token-info"), 2);
}

#[tokio::test]
async fn a_refused_token_asks_for_no_access_token() {
    let cases = [
        ("active", Some(json!(false)), Kind::Inactive),
        ("active", None, Kind::Inactive),
        ("exp", Some(json!(now() - 1)), Kind::Expired),
        ("exp", None, Kind::NoExpiration),
        ("clientId", Some(json!("another app")), Kind::WrongApp),
        ("clientId", None, Kind::WrongApp),
        ("instanceId", None, Kind::NoInstance),
    ];
    for (field, value, kind) in cases {
        let wix = Wix::start().await;
        wix.on_token_info(move |_, question| {
            let mut info = good_info(question);
            match &value {
                Some(value) => info[field] = value.clone(),
                None => drop(info.as_object_mut().unwrap().remove(field)),
            }
            Reply::json(&info)
        });
        let elevation = wix.elevation();
        let allow = |_: &TokenInfo| -> bool { panic!("nobody is asked about {field}") };
        let error = refusal(elevation.elevate(&visitor_token("i1", 1), allow).await);
        assert_eq!(
            (error.kind(), error.status()),
            (kind, StatusCode::UNAUTHORIZED),
            "{field}"
        );
        assert_eq!(wix.counts(), (1, 0), "{field}");
        // Not remembered either.
        refusal(elevation.elevate(&visitor_token("i1", 1), allow).await);
        assert_eq!(wix.counts(), (2, 0), "{field}");
    }
}

#[tokio::test]
async fn what_is_no_access_token_asks_nothing() {
    let wix = Wix::start().await;
    for (text, kind) in [
        ("", Kind::Missing),
        ("Bearer ", Kind::Missing),
        ("wixcode-pub.1.x", Kind::PublicInstance),
        ("a b", Kind::MalformedToken),
        (&"x".repeat(9000), Kind::TooLarge),
    ] {
        assert_eq!(
            refusal(wix.elevation().elevate(text, everybody).await).kind(),
            kind
        );
    }
    assert_eq!(wix.counts(), (0, 0));
}

#[tokio::test]
async fn the_application_decides_each_time() {
    let wix = Wix::start().await;
    let elevation = wix.elevation();
    let token = visitor_token("i1", 1);
    for _ in 0..2 {
        let error = refusal(elevation.elevate(&token, |_| false).await);
        assert_eq!(
            (error.kind(), error.status()),
            (Kind::NotAllowed, StatusCode::FORBIDDEN)
        );
        assert_eq!(*error.to_response().body(), r#"{"error":"Not allowed"}"#);
    }
    assert_eq!(wix.counts(), (1, 0));
    let mut decisions = 0;
    for allowed in [true, true, false, true] {
        let result = elevation
            .elevate(&format!("Bearer {token}"), |_| {
                decisions += 1;
                allowed
            })
            .await;
        assert_eq!(result.is_ok(), allowed, "also when both tokens are cached");
    }
    assert_eq!((decisions, wix.counts()), (4, (1, 1)));
}

#[tokio::test]
async fn the_two_halves_can_be_taken_alone() {
    let wix = Wix::start().await;
    let elevation = wix.elevation();
    let info = elevation.token_info(&visitor_token("i1", 1)).await.unwrap();
    assert_eq!(wix.counts(), (1, 0));
    let elevated = elevation.access_token(info.instance_id()).await.unwrap();
    assert_eq!(elevated.instance_id(), info.instance_id());
    elevation
        .access_token(&InstanceId::new("i1").unwrap())
        .await
        .unwrap();
    assert_eq!(wix.counts(), (1, 1));
}
