//! Routes that take access tokens: who comes through, what Wix is asked, and what it is not asked.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    routing::{get, post},
};
use hmac_auth::wix::{
    self, ElevationErrorKind as Kind, FrontendToken, SubjectType, TokenInfo, TokenInfoLayer,
};
use http::{
    Method, Request, Response, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN},
};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::oauth::{
    MILLISECOND, Reply, Wix, assert_silent, authorization, elevation, good_info, visitor_token,
};

const VISITORS: [SubjectType; 1] = [SubjectType::Visitor];

/// A route whose handler names whom it serves.
fn app(layer: &TokenInfoLayer) -> Router {
    let handler = async |Extension(info): Extension<TokenInfo>,
                         Extension(token): Extension<FrontendToken>| {
        assert_silent(&format!("{token:?}"));
        let subject = info.subject_id().unwrap_or_default();
        format!("{} {subject} {}", info.instance_id(), token.as_str())
    };
    Router::new().route("/", get(handler).post(handler).layer(layer.clone()))
}

fn request(authorization: &[&str]) -> Request<Body> {
    let mut request = Request::builder();
    for value in authorization {
        request = request.header("authorization", *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn call(app: &Router, authorization: &[&str]) -> Response<Body> {
    app.clone().oneshot(request(authorization)).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = to_bytes(response.into_body(), 1024).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The kind of a refusal, whose answer is that of all refusals with this status.
async fn refusal(response: Response<Body>) -> Kind {
    let kind = *response.extensions().get::<Kind>().unwrap();
    assert!(response.extensions().get::<TokenInfo>().is_none());
    let status = response.status();
    let headers = response.headers().clone();
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["content-type"], "application/json");
    let challenge = (status == StatusCode::UNAUTHORIZED).then_some("Bearer");
    let challenged = headers.get("www-authenticate");
    assert_eq!(challenged.map(|value| value.to_str().unwrap()), challenge);
    let is_overload = status == StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(headers.contains_key("retry-after"), is_overload);
    let body = match status.as_u16() {
        401 => r#"{"error":"Invalid access token"}"#,
        403 => r#"{"error":"Not allowed"}"#,
        503 => r#"{"error":"Authentication unavailable"}"#,
        other => panic!("{other}"),
    };
    assert_eq!(text(response).await, body);
    kind
}

#[tokio::test]
async fn the_handler_gets_the_proof_and_the_token() {
    let wix = Wix::start().await;
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let token = visitor_token("i1", 7);
    for authorization in [token.clone(), format!("Bearer {token}"), token.clone()] {
        let response = call(&app, &[&authorization]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["cache-control"], "private");
        let info = response.extensions().get::<TokenInfo>().unwrap();
        assert_eq!(info.instance_id().as_str(), "i1");
        assert_eq!(text(response).await, format!("i1 7 {token}"));
    }
    // The same header twice is one token.
    let response = call(&app, &[&token, &token]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(wix.counts(), (1, 0), "asked once");
}

#[tokio::test]
async fn debug_shows_nothing_of_a_request_that_waits() {
    let wix = Wix::start().await;
    let layer = TokenInfoLayer::new(wix.elevation(), VISITORS);
    let handler = async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty()));
    let mut service = layer.layer(service_fn(handler));
    let future = service
        .ready()
        .await
        .unwrap()
        .call(request(&[&visitor_token("i1", 7)]));
    assert_eq!(format!("{future:?}"), "RequireTokenInfoFuture { .. }");
}

#[tokio::test]
async fn the_handler_elevates_without_another_question() {
    let wix = Wix::start().await;
    let elevation = wix.elevation();
    let layer = TokenInfoLayer::new(elevation.clone(), VISITORS);
    let handler = async move |Extension(token): Extension<FrontendToken>| {
        let elevated = elevation
            .elevate(token.as_str(), |info| info.subject_id() == Some("7"))
            .await;
        elevated.map_or_else(|error| error.kind().to_string(), |t| authorization(&t))
    };
    let app = Router::new().route("/", get(handler).layer(layer));
    for (subject, answer) in [(7, "OauthNG.JWS.i1.0.app"), (8, "not_allowed")] {
        let response = call(&app, &[&visitor_token("i1", subject)]).await;
        assert_eq!(text(response).await, answer);
    }
    assert_eq!(wix.counts(), (2, 1));
}

#[tokio::test]
async fn the_application_says_which_subjects_a_route_is_for() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, question| {
        let mut info = good_info(question);
        info["subjectType"] = info["subjectId"].clone();
        Reply::json(&info)
    });
    let dashboard = [SubjectType::User, SubjectType::Member];
    let layer = TokenInfoLayer::new(wix.elevation(), dashboard);
    let for_apps = layer.clone().accept([SubjectType::App]);
    for (layer, passes) in [(layer, &["USER", "MEMBER"][..]), (for_apps, &["APP"])] {
        let app = app(&layer);
        for subject in ["USER", "MEMBER", "VISITOR", "APP", "UNKNOWN", "NEW"] {
            let response = call(&app, &[&format!("OauthNG.JWS.i1.{subject}.x")]).await;
            if passes.contains(&subject) {
                assert_eq!(response.status(), StatusCode::OK, "{subject}");
            } else {
                assert_eq!(response.status(), StatusCode::FORBIDDEN, "{subject}");
                assert_eq!(refusal(response).await, Kind::NotAllowed);
            }
        }
    }
    assert_eq!(wix.counts().0, 6, "both routes share what Wix has said");
}

#[tokio::test]
async fn what_has_not_the_shape_of_one_access_token_asks_nothing() {
    let wix = Wix::start().await;
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let token = visitor_token("i1", 1);
    let long = format!("OauthNG.JWS.a.b.{}", "c".repeat(9000));
    let joined = format!("{token}, {token}");
    let cases: &[(&[&str], Kind)] = &[
        (&[], Kind::Missing),
        (&[""], Kind::Missing),
        (&["Bearer "], Kind::Missing),
        (&["bearer"], Kind::Missing),
        (&[&token, "Basic eDp5"], Kind::Conflicting),
        (&[&token, ""], Kind::Conflicting),
        (&[&token, &visitor_token("i1", 2)], Kind::Conflicting),
        (&[&joined], Kind::MalformedToken),
        (&["Basic eDp5"], Kind::MalformedToken),
        (&["ÿ"], Kind::NotAccessToken),
        (&[&long], Kind::TooLarge),
        (&["wixcode-pub.1.x"], Kind::PublicInstance),
        (&["junk"], Kind::NotAccessToken),
        (&["signature.payload"], Kind::NotAccessToken),
        (&["eyJ.eyJ.c2ln"], Kind::NotAccessToken),
        (&["IST.eyJ.eyJ.c2ln"], Kind::NotAccessToken),
        (&["OauthNG.JWS"], Kind::NotAccessToken),
        (&["OauthNG.JWS."], Kind::NotAccessToken),
        (&["OauthNG.JWS.a.b"], Kind::NotAccessToken),
        (&["OauthNG.JWS.a.b."], Kind::NotAccessToken),
        (&["OauthNG.JWS..b.c"], Kind::NotAccessToken),
        (&["OauthNG.JWS.a.b.c.d"], Kind::NotAccessToken),
        (&["OauthNG.JWS.a.b.c="], Kind::NotAccessToken),
        (&["OauthNG.JWS.a.b.c/"], Kind::NotAccessToken),
        (&["oauthng.jws.a.b.c"], Kind::NotAccessToken),
    ];
    for (authorization, kind) in cases {
        let response = call(&app, authorization).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(refusal(response).await, *kind, "{authorization:?}");
    }
    assert_eq!(wix.counts(), (0, 0));
}

#[tokio::test]
async fn a_refused_token_is_asked_about_again_after_ten_seconds() {
    let wix = Wix::start().await;
    let seconds = Arc::new(AtomicUsize::new(1_700_000_000));
    let clock = Arc::clone(&seconds);
    let elevation = wix.elevation().clock(move || {
        let seconds = clock.load(Ordering::Relaxed);
        UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap())
    });
    let app = app(&TokenInfoLayer::new(elevation, VISITORS));
    let token = visitor_token("i1", 1);
    let cases = [
        ("active", json!(false), Kind::Inactive),
        ("exp", json!(1_600_000_000), Kind::Expired),
        ("clientId", json!("another app"), Kind::WrongApp),
        ("instanceId", json!(""), Kind::NoInstance),
    ];
    for (field, value, kind) in cases {
        wix.on_token_info(move |_, question| {
            let mut info = good_info(question);
            info[field] = value.clone();
            Reply::json(&info)
        });
        let before = wix.counts().0;
        for (step, asked) in [(0, 1), (0, 1), (9, 1), (1, 2), (0, 2), (10, 3)] {
            seconds.fetch_add(step, Ordering::Relaxed);
            let response = call(&app, &[&token]).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(refusal(response).await, kind);
            assert_eq!(wix.counts().0 - before, asked, "{kind}");
        }
        // Another token is another question.
        call(&app, &[&visitor_token(field, 2)]).await;
        assert_eq!(wix.counts().0 - before, 4);
        seconds.fetch_add(10, Ordering::Relaxed);
    }
    wix.on_token_info(|_, question| Reply::json(&good_info(question)));
    assert_eq!(call(&app, &[&token]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_says_nothing_about_the_token_is_not_remembered() {
    let wix = Wix::start().await;
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let token = visitor_token("i1", 1);
    for (status, kind) in [
        (429, Kind::RateLimited),
        (503, Kind::Unavailable),
        (302, Kind::MalformedResponse),
    ] {
        wix.on_token_info(move |_, _| Reply::status(status).header("retry-after", "7"));
        let response = call(&app, &[&token]).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refusal(response).await, kind);
    }
    wix.on_token_info(|_, question| Reply::json(&good_info(question)));
    assert_eq!(call(&app, &[&token]).await.status(), StatusCode::OK);
    assert_eq!(wix.counts(), (4, 0));
}

/// Calls once for each token, all at the same time, and counts the answers with each status.
async fn rush(app: &Router, tokens: impl Iterator<Item = String>) -> (usize, usize) {
    let mut calls = JoinSet::new();
    for token in tokens {
        let app = app.clone();
        calls.spawn(async move { call(&app, &[&token]).await });
    }
    let (mut served, mut busy) = (0, 0);
    for response in calls.join_all().await {
        if response.status() == StatusCode::OK {
            served += 1;
        } else {
            assert_eq!(refusal(response).await, Kind::Busy);
            busy += 1;
        }
    }
    (served, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_rush_waits_for_its_turn() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, question| Reply::json(&good_info(question)).after(50 * MILLISECOND));
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let tokens = (0..48).map(|subject| visitor_token("i1", subject));
    assert_eq!(rush(&app, tokens).await, (48, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_questions_wait_for_wix_and_no_more() {
    let wix = Wix::start().await;
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let known = visitor_token("i1", 1000);
    assert_eq!(call(&app, &[&known]).await.status(), StatusCode::OK);
    wix.on_token_info(|_, question| Reply::json(&good_info(question)).after(3000 * MILLISECOND));
    let begin = Instant::now();
    let rush = tokio::spawn({
        let app = app.clone();
        async move { rush(&app, (0..40).map(|subject| visitor_token("i1", subject))).await }
    });
    while wix.counts().0 < 17 {
        sleep(MILLISECOND).await;
    }
    // Who is known needs no turn, and who has the wrong shape neither.
    assert_eq!(call(&app, &[&known]).await.status(), StatusCode::OK);
    let junk = call(&app, &["junk"]).await;
    assert_eq!(refusal(junk).await, Kind::NotAccessToken);
    assert!(begin.elapsed() < 2500 * MILLISECOND);
    assert_eq!(rush.await.unwrap(), (16, 24));
    assert_eq!(wix.counts(), (17, 0), "those who are busy ask nothing");
    // All turns are free again.
    wix.on_token_info(|_, question| Reply::json(&good_info(question)));
    let late = call(&app, &[&visitor_token("i1", 39)]).await;
    assert_eq!(late.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_gives_the_turn_back() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, question| Reply::json(&good_info(question)).after(30_000 * MILLISECOND));
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let calls: Vec<_> = (0..16)
        .map(|subject| {
            let app = app.clone();
            tokio::spawn(async move { call(&app, &[&visitor_token("i1", subject)]).await })
        })
        .collect();
    while wix.counts().0 < 16 {
        sleep(MILLISECOND).await;
    }
    for call in calls {
        call.abort();
    }
    wix.on_token_info(|_, question| Reply::json(&good_info(question)));
    let response = call(&app, &[&visitor_token("i1", 99)]).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_forged_token_costs_no_place_of_a_good_one() {
    let wix = Wix::start().await;
    wix.on_token_info(|_, question| {
        if question["token"].as_str().unwrap().ends_with("visitor") {
            Reply::json(&good_info(question))
        } else {
            Reply::status(400)
        }
    });
    let app = app(&TokenInfoLayer::new(wix.elevation(), VISITORS));
    let good = visitor_token("i1", 1);
    assert_eq!(call(&app, &[&good]).await.status(), StatusCode::OK);
    for forged in 0..100 {
        let response = call(&app, &[&format!("OauthNG.JWS.i1.{forged}.forged")]).await;
        assert_eq!(refusal(response).await, Kind::TokenRefused);
    }
    assert_eq!(call(&app, &[&good]).await.status(), StatusCode::OK);
    assert_eq!(wix.counts(), (101, 0));
}

#[tokio::test]
async fn a_page_of_any_origin_asks_first_and_reads_each_answer() {
    let wix = Wix::start().await;
    let layer = TokenInfoLayer::new(wix.elevation(), VISITORS);
    let cors = wix::cors_for_any_origin().methods([Method::POST]);
    let app = Router::new().route("/", post(async || "answer").layer((cors, layer)));
    let call = async |method: Method, token: Option<&str>| {
        let mut request = request(token.as_slice());
        *request.method_mut() = method;
        request
            .headers_mut()
            .insert("origin", "https://www.shop.example".parse().unwrap());
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        response
    };
    let asked = call(Method::OPTIONS, None).await;
    assert_eq!(asked.status(), StatusCode::OK);
    assert_eq!(asked.headers()[ACCESS_CONTROL_ALLOW_METHODS], "POST");
    let token = visitor_token("i1", 1);
    let served = call(Method::POST, Some(&token)).await;
    assert_eq!(served.status(), StatusCode::OK);
    for token in [None, Some("junk")] {
        let refused = call(Method::POST, token).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }
    wix.on_token_info(|_, _| Reply::status(503).header("retry-after", "3"));
    let other = visitor_token("i1", 2);
    let refused = call(Method::POST, Some(&other)).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "3");
}

#[tokio::test]
async fn a_refused_request_with_a_body_ends_its_connection() {
    let layer = TokenInfoLayer::new(elevation("http://127.0.0.1:9"), VISITORS);
    let app = app(&layer);
    for (header, value, closes) in [
        ("content-length", "5", true),
        ("content-length", "0", false),
        ("transfer-encoding", "chunked", true),
        ("accept", "*/*", false),
    ] {
        let request = Request::post("/").header(header, value);
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers().contains_key("connection"), closes);
    }
}

#[tokio::test]
async fn nothing_of_a_token_is_shown() {
    let wix = Wix::start().await;
    let layer = TokenInfoLayer::new(wix.elevation(), VISITORS);
    assert_silent(&format!("{layer:?}"));
    let response = call(&app(&layer), &[&visitor_token("i1", 1)]).await;
    assert_silent(&format!("{:?}", response.extensions().get::<TokenInfo>()));
    assert!(format!("{layer:?}").contains("Visitor"), "{layer:?}");
}
