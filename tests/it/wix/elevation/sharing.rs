//! Elevation of many visitors: concurrent calls share one request.

use std::collections::HashSet;

use hmac_auth::wix::{
    ElevatedToken, Elevation, ElevationError, ElevationErrorKind as Kind, InstanceId,
};
use http::StatusCode;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::support::oauth::{
    MILLISECOND, Reply, Wix, authorization, everybody, good_info, good_token, now, refusal,
    visitor_token,
};

/// Calls `elevate` once for each token, all at the same time.
async fn elevate_all(
    elevation: &Elevation,
    tokens: impl IntoIterator<Item = String>,
) -> Vec<Result<ElevatedToken, ElevationError>> {
    let mut calls = JoinSet::new();
    for token in tokens {
        let elevation = elevation.clone();
        calls.spawn(async move { elevation.elevate(&token, everybody).await });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_at_once_ask_once() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, question| Reply::json(&good_info(question)).after(100 * MILLISECOND));
    wix.on_access_token(|count, question| {
        Reply::json(&good_token(count, question)).after(100 * MILLISECOND)
    });
    let tokens = (0..10_000).map(|_| visitor_token("i1", 1));
    for result in elevate_all(&wix.elevation(), tokens).await {
        assert_eq!(authorization(&result.unwrap()), "OauthNG.JWS.i1.0.app");
    }
    assert_eq!(wix.counts(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_visitors_of_two_sites_ask_for_two_access_tokens() {
    let wix = Wix::start().await;
    wix.on_access_token(|count, question| {
        Reply::json(&good_token(count, question)).after(50 * MILLISECOND)
    });
    let tokens = (0..200).map(|subject| visitor_token(["i1", "i2"][subject % 2], subject));
    let elevated: HashSet<_> = elevate_all(&wix.elevation(), tokens)
        .await
        .into_iter()
        .map(|result| {
            (
                result.as_ref().unwrap().instance_id().to_string(),
                authorization(&result.unwrap()),
            )
        })
        .collect();
    assert_eq!(elevated.len(), 2, "each site has one token");
    for (instance, token) in &elevated {
        assert!(
            token.starts_with(&format!("OauthNG.JWS.{instance}.")),
            "{instance} has the token of its own site"
        );
    }
    assert_eq!(wix.counts(), (200, 2));
}

/// Wix may end a token early. All that used it notice, some of them late.
#[tokio::test]
async fn a_token_that_wix_refuses_is_replaced_once() {
    let wix = Wix::start().await;
    let elevation = wix.elevation();
    let [one, other] = ["i1", "i2"].map(|id| InstanceId::new(id).unwrap());
    let old = elevation.access_token(&one).await.unwrap();
    let of_other = elevation.access_token(&other).await.unwrap();
    for _ in 0..3 {
        let (elevation_too, old) = (elevation.clone(), old.clone());
        let forgets = tokio::spawn(async move { elevation_too.forget(&old).await });
        forgets.await.unwrap();
        let new = elevation.access_token(&one).await.unwrap();
        assert_eq!(authorization(&new), "OauthNG.JWS.i1.2.app");
    }
    let same = elevation.access_token(&other).await.unwrap();
    assert_eq!(authorization(&same), authorization(&of_other));
    assert_eq!(wix.counts(), (0, 3));
    // What another elevation has given out says nothing about this one.
    let foreign = wix.elevation().access_token(&one).await.unwrap();
    elevation.forget(&foreign).await;
    elevation.access_token(&one).await.unwrap();
    assert_eq!(wix.counts(), (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shared_by_those_who_wait_and_not_remembered() {
    let wix = Wix::start().await;
    wix.on_access_token(|_, _| Reply::status(401).after(200 * MILLISECOND));
    let elevation = wix.elevation();
    for result in elevate_all(&elevation, (0..1000).map(|_| visitor_token("i1", 1))).await {
        let error = refusal(result);
        assert_eq!(
            (error.kind(), error.status()),
            (Kind::CredentialsRefused, StatusCode::SERVICE_UNAVAILABLE)
        );
    }
    let (_, failures) = wix.counts();
    assert!(
        failures <= 3,
        "{failures}: those who came later asked again"
    );
    wix.on_access_token(|count, question| Reply::json(&good_token(count, question)));
    elevation
        .elevate(&visitor_token("i1", 1), everybody)
        .await
        .unwrap();
    assert_eq!(wix.counts(), (1, failures + 1));
}

#[tokio::test]
async fn who_gives_up_does_not_strand_the_others() {
    let wix = Wix::start().await;
    wix.on_access_token(|count, question| {
        Reply::json(&good_token(count, question)).after(300 * MILLISECOND)
    });
    let elevation = wix.elevation();
    let call = || {
        let elevation = elevation.clone();
        tokio::spawn(async move { elevation.elevate(&visitor_token("i1", 1), everybody).await })
    };
    let first = call();
    while wix.counts() != (1, 1) {
        sleep(MILLISECOND).await;
    }
    let others = [call(), call(), call()];
    sleep(50 * MILLISECOND).await;
    first.abort();
    for other in others {
        assert_eq!(
            authorization(&other.await.unwrap().unwrap()),
            "OauthNG.JWS.i1.1.app"
        );
    }
    assert_eq!(wix.counts(), (1, 2));
}

#[tokio::test]
async fn what_has_expired_is_not_used() {
    let wix = Wix::start().await;
    let exp = now() + 5;
    wix.on_token_info(move |_, question| {
        let mut info = good_info(question);
        info["exp"] = json!(exp.to_string());
        Reply::json(&info)
    });
    wix.on_access_token(|count, question| {
        let mut token = good_token(count, question);
        token["expires_in"] = json!("2");
        Reply::json(&token)
    });
    let elevation = wix.elevation();
    let token = visitor_token("i1", 1);
    let first = elevation.elevate(&token, everybody).await.unwrap();
    assert_eq!(authorization(&first), "OauthNG.JWS.i1.0.app");
    sleep(1900 * MILLISECOND).await;
    let second = elevation.elevate(&token, everybody).await.unwrap();
    assert_eq!(authorization(&second), "OauthNG.JWS.i1.1.app");
    assert_eq!(wix.counts(), (1, 2));
    while now() < exp {
        sleep(20 * MILLISECOND).await;
    }
    assert_eq!(
        refusal(elevation.elevate(&token, everybody).await).kind(),
        Kind::Expired
    );
    assert_eq!(wix.counts(), (2, 2));
}

#[tokio::test]
async fn what_expires_on_the_way_is_not_used() {
    let wix = Wix::start().await;
    wix.on_access_token(|count, question| {
        let mut token = good_token(count, question);
        token["expires_in"] = json!(1);
        Reply::json(&token).after(1100 * MILLISECOND)
    });
    let error = refusal(
        wix.elevation()
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(error.kind(), Kind::Unavailable);
}
