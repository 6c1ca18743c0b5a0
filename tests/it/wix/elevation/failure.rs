//! Elevation when the endpoints fail, are slow, or send nonsense.

use std::{
    error::Error as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
};
use hmac_auth::wix::{AppCredentials, Elevation, ElevationErrorKind as Kind};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    layers::{Script, Step},
    oauth::{
        APP_ID, APP_SECRET, MILLISECOND, Reply, Wix, assert_silent, elevation, everybody,
        good_info, good_token, refusal, visitor_token,
    },
};

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
    let elevation = wix.elevation().timeout(1_000 * MILLISECOND);
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
        .timeout(1_000 * MILLISECOND);
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

/// One byte too many is seen, even if it comes by itself.
#[tokio::test]
async fn the_last_piece_of_a_long_answer_counts() {
    for (more, kind) in [("", Kind::NotAllowed), (" ", Kind::MalformedResponse)] {
        let answer = async move |question: Bytes| {
            let question = serde_json::from_slice(&question).unwrap();
            let text = good_info(&question).to_string();
            let text = text.clone() + &" ".repeat(64 * 1024 - text.len());
            let steps = [text, more.to_owned()].map(|piece| Step::Data(piece.into()));
            Body::new(Script {
                steps: steps.into(),
                ..Script::default()
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer);
        tokio::spawn(async { axum::serve(listener, app).await });
        let nobody = |_: &_| false;
        let error = refusal(
            elevation(&url)
                .elevate(&visitor_token("i1", 1), nobody)
                .await,
        );
        assert_eq!(error.kind(), kind);
    }
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
