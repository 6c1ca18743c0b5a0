//! Elevation against a stand-in for the two OAuth endpoints of Wix: what is asked how often, and what happens when they fail.

use std::{
    collections::HashSet,
    error::Error as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use hmac_auth::wix::{
    AppCredentials, ElevatedToken, Elevation, ElevationError, ElevationErrorKind as Kind,
    InstanceId, SubjectType, TokenInfo,
};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use stand_in::{
    APP_ID, APP_SECRET, Reply, Wix, elevation, good_info, good_token, now, visitor_token,
};

#[path = "elevation/stand_in.rs"]
mod stand_in;

const MILLISECOND: Duration = Duration::from_millis(1);

fn everybody(_: &TokenInfo) -> bool {
    true
}

fn authorization(token: &ElevatedToken) -> String {
    let mut request = Request::builder()
        .header("authorization", visitor_token("i1", 1))
        .body(())
        .unwrap();
    token.authorize(&mut request);
    let value = &request.headers()["authorization"];
    assert!(value.is_sensitive());
    let mut headers = HeaderMap::new();
    token.authorize_headers(&mut headers);
    assert_eq!(headers["authorization"], value);
    value.to_str().unwrap().to_owned()
}

/// No text about an error or a token has anything of a token or the secret in it.
#[track_caller]
fn assert_silent(shown: &str) {
    for word in ["OauthNG", ".visitor", ".app", "57eb"] {
        assert!(!shown.contains(word), "{word}: {shown}");
    }
}

#[track_caller]
fn refusal(result: Result<ElevatedToken, ElevationError>) -> ElevationError {
    let error = result.unwrap_err();
    assert_silent(&format!(
        "{error} {error:#} {error:?} {:?}",
        error.to_response()
    ));
    error
}

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

#[tokio::test]
async fn a_server_error_passes_with_a_retry() {
    let wix = Wix::start().await;
    wix.on_token_info(|count, question| {
        if count < 2 {
            Reply::status(503)
        } else {
            Reply::json(&good_info(question))
        }
    });
    wix.on_access_token(|count, question| {
        if count < 1 {
            Reply::status(500)
        } else {
            Reply::json(&good_token(count, question))
        }
    });
    let begin = Instant::now();
    wix.elevation()
        .elevate(&visitor_token("i1", 1), everybody)
        .await
        .unwrap();
    assert_eq!(wix.counts(), (3, 2));
    let waited = begin.elapsed();
    assert!(
        waited >= 500 * MILLISECOND,
        "at least half of 250 ms, 500 ms and 250 ms: {waited:?}"
    );
    assert!(waited < 5000 * MILLISECOND, "{waited:?}");
}

#[tokio::test]
async fn a_server_error_that_stays_is_an_error() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, _| Reply::status(502));
    let error = refusal(
        wix.elevation()
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(
        (error.kind(), error.status()),
        (Kind::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
    );
    assert_eq!(wix.counts(), (3, 0));
}

#[tokio::test]
async fn who_says_when_to_come_back_is_not_asked_before() {
    for (status, kind) in [(429, Kind::RateLimited), (503, Kind::Unavailable)] {
        let wix = Wix::start().await;
        wix.on_token_info(move |count, question| match count {
            0 => Reply::status(status).header("retry-after", "7"),
            _ => Reply::json(&good_info(question)),
        });
        wix.on_access_token(move |_, _| Reply::status(status).header("retry-after", "8"));
        let elevation = wix.elevation();
        for (seconds, counts) in [(7, (1, 0)), (8, (2, 1))] {
            let error = refusal(elevation.elevate(&visitor_token("i1", 1), everybody).await);
            assert_eq!(
                (error.kind(), error.retry_after()),
                (kind, Some(Duration::from_secs(seconds)))
            );
            assert_eq!(
                error.to_response().headers()["retry-after"],
                seconds.to_string().as_str()
            );
            assert_eq!(wix.counts(), counts, "{status}");
        }
    }
    let wix = Wix::start().await;
    wix.on_token_info(|_, _| Reply::status(429));
    let error = refusal(
        wix.elevation()
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(
        (error.kind(), error.retry_after(), wix.counts()),
        (Kind::RateLimited, None, (1, 0))
    );
}

#[tokio::test]
async fn a_slow_answer_is_not_waited_for() {
    let wix = Wix::start().await;
    wix.on_access_token(|count, question| {
        Reply::json(&good_token(count, question)).after(30_000 * MILLISECOND)
    });
    let elevation = wix.elevation().timeout(300 * MILLISECOND);
    let begin = Instant::now();
    let error = refusal(elevation.elevate(&visitor_token("i1", 1), everybody).await);
    assert_eq!(
        (error.kind(), error.status()),
        (Kind::TimedOut, StatusCode::SERVICE_UNAVAILABLE)
    );
    assert!(begin.elapsed() < 5000 * MILLISECOND);
    assert_eq!(wix.counts(), (1, 1));

    // The timeout of the caller's own builder.
    let credentials = AppCredentials::new(APP_ID, APP_SECRET).unwrap();
    let builder = reqwest::Client::builder()
        .no_proxy()
        .timeout(200 * MILLISECOND);
    let elevation = Elevation::new(credentials, builder)
        .unwrap()
        .base_url(wix.url.parse().unwrap());
    assert_eq!(
        refusal(elevation.elevate(&visitor_token("i1", 1), everybody).await).kind(),
        Kind::TimedOut
    );
    assert_eq!(wix.counts(), (2, 2));
}

#[tokio::test]
async fn retries_end_with_the_timeout() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, _| Reply::status(503).after(200 * MILLISECOND));
    let begin = Instant::now();
    let elevation = wix.elevation().timeout(250 * MILLISECOND);
    assert_eq!(
        refusal(elevation.elevate(&visitor_token("i1", 1), everybody).await).kind(),
        Kind::TimedOut
    );
    assert_eq!(wix.counts(), (1, 0));
    assert!(begin.elapsed() < 5000 * MILLISECOND);
}

#[tokio::test]
async fn lost_connections_are_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://user:57eb-password@{}",
        listener.local_addr().unwrap()
    );
    let accepted = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&accepted);
    let hangs_up = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
            *counter.lock().unwrap() += 1;
        }
    });
    let error = refusal(
        elevation(&url)
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(
        (error.kind(), error.status()),
        (Kind::Unreachable, StatusCode::SERVICE_UNAVAILABLE)
    );
    assert!(error.source().is_some());
    assert!(*accepted.lock().unwrap() >= 3);

    hangs_up.abort();
    let _ = hangs_up.await;
    let error = refusal(
        elevation(&url)
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(error.kind(), Kind::Unreachable, "nobody listens");
    assert_silent(&format!("{:?}", elevation(&url)));
}

#[tokio::test]
async fn malformed_answers_are_errors() {
    let huge = format!(r#"{{"padding":"{}"}}"#, "x".repeat(10_000_000));
    for body in [
        "<html>OauthNG</html>",
        "[]",
        "",
        "\"OauthNG.JWS.1.2.app\"",
        &huge,
    ] {
        let wix = Wix::start().await;
        let body = body.to_owned();
        let kind = if body.is_empty() {
            Kind::TokenRefused
        } else {
            Kind::MalformedResponse
        };
        let reply = move |_: usize, _: &Value| Reply {
            body: body.clone(),
            ..Reply::status(200)
        };
        wix.on_access_token(reply.clone());
        let elevation = wix.elevation();
        let error = refusal(elevation.elevate(&visitor_token("i1", 1), everybody).await);
        assert_eq!(
            (error.kind(), wix.counts()),
            (Kind::MalformedResponse, (1, 1)),
            "not retried"
        );
        wix.on_token_info(reply);
        let error = refusal(elevation.elevate(&visitor_token("i1", 2), everybody).await);
        assert_eq!((error.kind(), wix.counts()), (kind, (2, 1)), "not retried");
    }
}

#[tokio::test]
async fn what_fits_only_when_cut_is_malformed() {
    let wix = Wix::start().await;
    wix.on_access_token(|count, question| {
        let reply = Reply::json(&good_token(count, question));
        Reply {
            body: reply.body + &" ".repeat(64 * 1024),
            ..reply
        }
    });
    let error = refusal(
        wix.elevation()
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(error.kind(), Kind::MalformedResponse);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Wix::start().await;
    for status in [301, 302, 303, 307, 308] {
        let wix = Wix::start().await;
        let url = elsewhere.url.clone();
        let reply =
            move |path: &str| Reply::status(status).header("location", format!("{url}{path}"));
        let redirect = reply.clone();
        wix.on_access_token(move |_, _| redirect("/oauth2/token"));
        let error = refusal(
            wix.elevation()
                .elevate(&visitor_token("i1", 1), everybody)
                .await,
        );
        assert_eq!(
            (error.kind(), wix.counts()),
            (Kind::MalformedResponse, (1, 1))
        );
        wix.on_token_info(move |_, _| reply("/oauth2/token-info"));
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::limited(3));
        let elevation =
            Elevation::new(AppCredentials::new(APP_ID, APP_SECRET).unwrap(), builder).unwrap();
        let error = refusal(
            elevation
                .base_url(wix.url.parse().unwrap())
                .elevate(&visitor_token("i1", 1), everybody)
                .await,
        );
        assert_eq!(
            (error.kind(), wix.counts()),
            (Kind::MalformedResponse, (2, 1))
        );
    }
    assert!(
        elsewhere.asked.lock().unwrap().is_empty(),
        "nobody else has seen a token or the secret"
    );
}

#[tokio::test]
async fn what_wix_says_of_a_refusal_reaches_the_operator_without_secrets() {
    let wix = Wix::start().await;
    wix.on_access_token(|_, question| Reply {
        body:
            json!({"error": "invalid_client", "error_description": format!("no client {question}")})
                .to_string(),
        ..Reply::status(400)
    });
    let error = refusal(
        wix.elevation()
            .elevate(&visitor_token("i1", 1), everybody)
            .await,
    );
    assert_eq!(error.kind(), Kind::CredentialsRefused);
    assert!(
        error
            .to_string()
            .contains("status 400, `invalid_client`, `no client "),
        "{error}"
    );
}
