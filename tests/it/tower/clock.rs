//! The layers of a consumer whose own clock is wrong: what makes them correct it, and what does not.

use std::sync::atomic::Ordering;

use axum::{Router, body::Body, response::Response};
use hmac_auth::{
    ResponseError, ResponseErrorKind, ValidateResponseOptions,
    signature::SIGNATURE,
    tower::{CorrectClockLayer, SignRequestLayer, SignedExchangeLayer},
};
use http::{
    HeaderValue, Request, StatusCode,
    header::{AGE, DATE},
};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, util::MapResponseLayer};

use crate::support::{
    recorder::{EVENTS, Recorder},
    request::{NOW, secrets, time},
    skewed_host::{Change, Host, consumer, date},
};

fn signing() -> SignRequestLayer {
    SignRequestLayer::new(secrets(), consumer())
}

fn exchanging() -> SignedExchangeLayer {
    let options = ValidateResponseOptions::new().clock(|| time(NOW));
    signing().require_signed_response(options)
}

fn to(uri: &str) -> Request<Body> {
    let request = Request::post(uri).header("x-tenant", "7");
    request.body(Body::from("text")).unwrap()
}

async fn send_to(layer: &CorrectClockLayer, router: &Router, uri: &str) -> u16 {
    let response = layer.layer(router.clone()).oneshot(to(uri)).await.unwrap();
    if response.status().is_success() {
        let (_, body) = response.into_parts();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "text");
        return 200;
    }
    response.status().as_u16()
}

async fn send(layer: &CorrectClockLayer, host: &Host) -> u16 {
    send_to(layer, &host.router, "https://host.example/orders").await
}

#[tokio::test]
async fn a_clock_that_is_ahead_is_corrected_and_stays_so() {
    let host = Host::new(-120);
    let unchanged = signing().layer(host.router.clone());
    let response = unchanged.oneshot(to("https://host.example/")).await;
    assert_eq!(response.unwrap().status(), 401);
    assert_eq!(host.tries(), [(0, 401)], "off by default");

    let layer = signing().correct_clock();
    assert_eq!(send(&layer, &host).await, 200);
    assert_eq!(host.tries(), [(0, 401), (-120, 200)]);
    assert_eq!(send(&layer.clone(), &host).await, 200);
    assert_eq!(host.tries(), [(-120, 200)]);
}

#[tokio::test]
async fn a_clock_that_is_behind_is_corrected_by_a_name_that_says_so() {
    let host = Host::new(120);
    assert_eq!(send(&signing().correct_clock(), &host).await, 401);
    assert_eq!(host.tries(), [(0, 401)]);

    let layer = signing().correct_clock_into_the_future();
    assert_eq!(send(&layer, &host).await, 200);
    assert_eq!(host.tries(), [(0, 401), (120, 200)]);
    assert_eq!(send(&layer, &host).await, 200);
    assert_eq!(host.tries(), [(120, 200)]);
}

/// What hosts tolerate is no reason, and what is more than five minutes is none of ours.
#[tokio::test]
async fn only_some_differences_are_corrected() {
    for (seconds, past, both) in [
        (-301, false, false),
        (-300, true, true),
        (-11, true, true),
        (-10, false, false),
        (0, false, false),
        (30, false, false),
        (31, false, true),
        (300, false, true),
        (301, false, false),
        (i64::from(u32::MAX), false, false),
    ] {
        let host = Host::refusing(seconds, |_| ());
        for (layer, is_corrected) in [
            (signing().correct_clock(), past),
            (signing().correct_clock_into_the_future(), both),
        ] {
            // Nothing is kept, so each request is as the first one.
            for _ in 0..2 {
                assert_eq!(send(&layer, &host).await, 401);
                let tries = host.tries();
                if is_corrected {
                    assert_eq!(tries, [(0, 401), (seconds, 401)]);
                } else {
                    assert_eq!(tries, [(0, 401)], "{seconds}");
                }
            }
        }
    }
}

#[tokio::test]
async fn only_a_date_of_the_host_itself_counts() {
    let changes: [(&str, Change); 9] = [
        ("from a cache", |response| {
            response.headers_mut().insert(AGE, 120.into());
        }),
        ("from a cache, and new", |response| {
            response.headers_mut().insert(AGE, 0.into());
        }),
        ("an age that cannot be read", |response| {
            let value = HeaderValue::from_static("-");
            response.headers_mut().insert(AGE, value);
        }),
        ("no date", |response| {
            response.headers_mut().remove(DATE);
        }),
        ("two dates", |response| {
            response.headers_mut().append(DATE, date(-120));
        }),
        ("no HTTP date", |response| {
            let value = HeaderValue::from_static("2023-11-14T22:11:20Z");
            response.headers_mut().insert(DATE, value);
        }),
        ("not ASCII", |response| {
            let value = HeaderValue::from_bytes(b"\xff").unwrap();
            response.headers_mut().insert(DATE, value);
        }),
        ("an answer, and no refusal", |response| {
            let value = HeaderValue::from_static("sig1=::");
            response.headers_mut().insert(SIGNATURE, value);
        }),
        ("another status", |response| {
            *response.status_mut() = StatusCode::FORBIDDEN;
        }),
    ];
    for (name, change) in changes {
        let host = Host::refusing(-120, change);
        send(&signing().correct_clock(), &host).await;
        assert_eq!(host.tries().len(), 1, "{name}");
    }
    let host = Host::refusing(-120, |_| ());
    send(&signing().correct_clock(), &host).await;
    assert_eq!(host.tries().len(), 2);
}

/// Also the old two forms of a date are read (RFC 9110 section 5.6.7).
#[tokio::test]
async fn each_form_of_a_date_counts() {
    let changes: [Change; 2] = [
        |response| {
            let value = HeaderValue::from_static("Tuesday, 14-Nov-23 22:11:20 GMT");
            response.headers_mut().insert(DATE, value);
        },
        |response| {
            let value = HeaderValue::from_static("Tue Nov 14 22:11:20 2023");
            response.headers_mut().insert(DATE, value);
        },
    ];
    for change in changes {
        let host = Host::refusing(0, change);
        send(&signing().correct_clock(), &host).await;
        assert_eq!(host.tries(), [(0, 401), (-120, 401)]);
    }
}

/// Whoever is on the way can write a `Date` there.
#[tokio::test]
async fn only_https_counts() {
    let host = Host::new(-120);
    let layer = signing().correct_clock();
    let mut relative = to("/orders");
    let value = HeaderValue::from_static("host.example");
    relative.headers_mut().insert("host", value);
    for request in [to("http://host.example/orders"), relative] {
        let response = layer.layer(host.router.clone()).oneshot(request).await;
        assert_eq!(response.unwrap().status(), 401);
        assert_eq!(host.tries(), [(0, 401)]);
    }
    // Also not what is known from `https`.
    send(&layer, &host).await;
    host.tries();
    send_to(&layer, &host.router, "http://host.example/orders").await;
    assert_eq!(host.tries(), [(0, 401)]);
}

#[tokio::test]
async fn only_a_success_keeps_a_correction() {
    for status in [
        StatusCode::FOUND,
        StatusCode::NOT_FOUND,
        StatusCode::BAD_GATEWAY,
    ] {
        let host = Host::with(-120, |options| options, status, |_| ());
        let layer = signing().correct_clock();
        for _ in 0..2 {
            assert_eq!(send(&layer, &host).await, status);
            assert_eq!(host.tries(), [(0, 401), (-120, status.as_u16())]);
        }
    }
}

#[tokio::test]
async fn a_refusal_ends_a_correction() {
    let host = Host::new(-250);
    let layer = signing().correct_clock();
    assert_eq!(send(&layer, &host).await, 200);
    host.tries();

    // Another difference takes the place of the first one.
    for (before, seconds) in [(-250, -180), (-180, -100)] {
        host.clock.store(seconds, Ordering::Relaxed);
        assert_eq!(send(&layer, &host).await, 200);
        assert_eq!(host.tries(), [(before, 401), (seconds, 200)]);
        assert_eq!(send(&layer, &host).await, 200);
        assert_eq!(host.tries(), [(seconds, 200)]);
    }

    // A refusal that says nothing about the time ends it, too.
    let silent = MapResponseLayer::new(|_: Response| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    });
    let refusing = host.router.clone().layer(silent);
    assert_eq!(
        send_to(&layer, &refusing, "https://host.example/").await,
        401
    );
    assert_eq!(host.tries(), [(-100, 200)]);
    assert_eq!(send(&layer, &host).await, 200);
    assert_eq!(host.tries(), [(0, 401), (-100, 200)]);

    // The clock of one of the two was set right.
    host.clock.store(0, Ordering::Relaxed);
    assert_eq!(send(&layer, &host).await, 200);
    assert_eq!(host.tries(), [(-100, 401), (0, 200)]);
    assert_eq!(send(&layer, &host).await, 200);
    assert_eq!(host.tries(), [(0, 200)]);
}

#[tokio::test]
async fn a_correction_belongs_to_one_host_and_the_memory_is_bounded() {
    let names = (0..66).map(|number| format!("h{number}.example"));
    let host = Host::with(
        -120,
        |options| options.authorities(names.clone().chain(["h0.example:8443".to_owned()])),
        StatusCode::OK,
        |_| (),
    );
    let layer = signing().correct_clock();
    let tries = async |authority: &str| {
        let uri = format!("https://{authority}/orders");
        assert_eq!(send_to(&layer, &host.router, &uri).await, 200);
        host.tries().len()
    };
    assert_eq!(tries("h0.example").await, 2);
    assert_eq!(tries("H0.example:443").await, 1, "the same authority");
    assert_eq!(tries("h0.example:8443").await, 2);
    assert_eq!(tries("h1.example").await, 2);
    for number in 2..63 {
        assert_eq!(tries(&format!("h{number}.example")).await, 2);
    }
    for number in 0..63 {
        assert_eq!(tries(&format!("h{number}.example")).await, 1);
    }
    // The 65th.
    assert_eq!(tries("h64.example").await, 2);
    assert_eq!(tries("h1.example").await, 1);
    assert_eq!(tries("h0.example").await, 2, "the first one is gone");
}

#[tokio::test]
async fn requests_at_once_find_the_same_time() {
    let host = Host::new(-120);
    let layer = signing().correct_clock();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (layer, host) = (layer.clone(), host.clone());
        requests.spawn(async move { send(&layer, &host).await });
    }
    assert_eq!(requests.join_all().await, [200; 16]);
    let tries = host.tries();
    assert!(tries.len() <= 32, "{tries:?}");
    send(&layer, &host).await;
    assert_eq!(host.tries(), [(-120, 200)]);
}

async fn exchange(layer: &SignedExchangeLayer, router: &Router) -> Result<(), ResponseError> {
    let request = to("https://host.example/orders");
    match layer.layer(router.clone()).oneshot(request).await {
        Ok(response) => {
            let (_, body) = response.into_parts();
            assert_eq!(body.collect().await.unwrap().to_bytes(), "text");
            Ok(())
        }
        Err(error) => Err(*error.downcast().unwrap()),
    }
}

#[tokio::test]
async fn signed_responses_have_the_time_of_the_host() {
    for (seconds, layer) in [
        (-120, exchanging().correct_clock()),
        (120, exchanging().correct_clock_into_the_future()),
    ] {
        let host = Host::new(seconds);
        exchange(&layer, &host.router).await.unwrap();
        assert_eq!(host.tries(), [(0, 401), (seconds, 200)]);
        exchange(&layer, &host.router).await.unwrap();
        assert_eq!(host.tries(), [(seconds, 200)]);
    }
    let host = Host::new(120);
    for layer in [exchanging(), exchanging().correct_clock()] {
        let error = exchange(&layer, &host.router).await.unwrap_err();
        assert_eq!(error.kind(), ResponseErrorKind::UnsignedRefusal);
        assert_eq!(host.tries(), [(0, 401)]);
    }
}

#[tokio::test]
async fn a_success_that_nobody_has_signed_keeps_nothing() {
    let host = Host::with(
        -120,
        |options| options,
        StatusCode::OK,
        |response| {
            response.headers_mut().remove(SIGNATURE);
        },
    );
    let layer = exchanging().correct_clock();
    for _ in 0..2 {
        exchange(&layer, &host.router).await.unwrap_err();
        assert_eq!(host.tries(), [(0, 401), (-120, 200)]);
    }
}

/// What a host asks for and its time share one further try.
#[tokio::test]
async fn a_request_is_sent_at_most_twice() {
    let strict = |seconds| {
        let change = |_: &mut Response| ();
        Host::with(
            seconds,
            |options| options.require("x-tenant"),
            StatusCode::OK,
            change,
        )
    };
    let host = strict(-120);
    let layer = exchanging().retry_as_asked().correct_clock();
    exchange(&layer, &host.router).await.unwrap();
    assert_eq!(host.tries(), [(0, 401), (-120, 200)]);
    // The time is right now, and the host asks for the field again.
    exchange(&layer, &host.router).await.unwrap();
    assert_eq!(host.tries(), [(-120, 401), (-120, 200)]);
    exchange(&layer, &host.router).await.unwrap();
    assert_eq!(host.tries(), [(-120, 401), (-120, 200)]);

    // Without the first setter, the time alone does not help.
    let host = strict(-120);
    let layer = exchanging().correct_clock();
    exchange(&layer, &host.router).await.unwrap_err();
    assert_eq!(host.tries(), [(0, 401), (-120, 401)]);

    let host = Host::refusing(-120, |_| ());
    let layer = exchanging().retry_as_asked().correct_clock();
    exchange(&layer, &host.router).await.unwrap_err();
    assert_eq!(host.tries().len(), 2);
}

#[tokio::test]
async fn each_correction_is_an_event() {
    Recorder::install();
    let seen = || -> Vec<[String; 3]> {
        let events = EVENTS.take().into_iter();
        let corrections = events.filter(|event| event.contains_key("seconds"));
        let fields = ["message", "authority", "seconds"];
        corrections
            .map(|event| fields.map(|field| event[field].clone()))
            .collect()
    };
    let event = |message: &str, seconds: i64| {
        [message, "host.example", &seconds.to_string()].map(str::to_owned)
    };
    let (tried, kept, dropped) = (
        "signing once more with a corrected clock",
        "clock correction kept",
        "clock correction dropped",
    );
    let host = Host::new(-120);
    let layer = signing().correct_clock();
    seen();
    send(&layer, &host).await;
    assert_eq!(seen(), [event(tried, -120), event(kept, -120)]);
    send(&layer, &host).await;
    assert_eq!(seen(), [[""; 3]; 0]);
    host.clock.store(0, Ordering::Relaxed);
    send(&layer, &host).await;
    assert_eq!(seen(), [event(dropped, -120), event(tried, 0)]);

    host.clock.store(120, Ordering::Relaxed);
    send(&layer, &host).await;
    let future = "clock not corrected: that needs correct_clock_into_the_future";
    assert_eq!(seen(), [event(future, 120)]);
    host.clock.store(-301, Ordering::Relaxed);
    send(&layer, &host).await;
    let large = "clock not corrected: it differs by more than 5 minutes";
    assert_eq!(seen(), [event(large, -301)]);
}
