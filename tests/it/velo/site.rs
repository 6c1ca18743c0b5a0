//! A whole site over HTTP: called by Rust, and calling Rust.

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, body::Bytes};
use hmac_auth::{
    AlgParameter, DEFAULT_SECRET_NAME, DigestAlgorithm, Secret, SignOptions, ValidateOptions,
    sign_request,
    signature::{SIGNATURE_INPUT, Scheme},
    tower::ValidateAuthLayer,
};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header::HOST};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    built::built,
    message::{Also, INVALID, change_mac, signed_twice},
    node::{Site, Worker, node},
    request::{self, NOW, SECRET, TestRequest, secrets, signed_as, time, with_header},
};

#[tokio::test]
async fn a_rust_consumer_calls_a_site() {
    let Some(site) = Site::start() else { return };
    let url = format!("{}/_functions/siteStats", site.url);
    let stats = r#"{"data":{"userCount":100,"monthlyRevenue":80091.23}}"#;
    for args in [vec!["GET", &url], vec!["GET", &url, "--key-id", "site-a"]] {
        let output = consumer(&args);
        assert_eq!(output, (Some(0), format!("200 OK\n{stats}\n")));
    }
    let odd = format!("{url}/a%2Fb/ü?q=a b&q=&q=%zz&ü='|");
    assert_eq!(
        consumer(&["GET", &odd]),
        (Some(0), format!("200 OK\n{stats}\n"))
    );
    for body in [r#"{"month":11}"#, r#"{"text":"grüße 🙂"}"#, "[1, 2]"] {
        let received: Value = serde_json::from_str(body).unwrap();
        let (code, printed) = consumer(&["POST", &url, "--data", body]);
        assert_eq!(
            (code, printed),
            (
                Some(0),
                format!("200 OK\n{}\n", json!({ "received": received }))
            )
        );
    }

    // With the library, what the example does not offer.
    for options in [
        SignOptions::new().digest(DigestAlgorithm::Sha512),
        SignOptions::new()
            .alg(AlgParameter::HmacSha256)
            .expires_in(Duration::from_secs(5))
            .tag("app")
            .label("other"),
        SignOptions::new().cover(HeaderName::from_static("x-trace")),
    ] {
        let mut request = with_header(
            Request::post(&url).body(b"{}".to_vec()).unwrap(),
            "x-trace",
            "7",
        );
        request
            .headers_mut()
            .append("x-trace", HeaderValue::from_static("8"));
        sign_request(&mut request, &secrets(), &options).unwrap();
        assert_eq!(send(request).await.0, StatusCode::OK);
    }
    assert_eq!(site.stop(), "");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn a_site_refuses() {
    let Some(site) = Site::start() else { return };
    let url = format!("{}/_functions/siteStats", site.url);
    let uri = |text: String| text.parse::<Uri>().unwrap();
    let now = || {
        i64::try_from(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
        .unwrap()
    };
    let get = |query: &str| {
        Request::get(format!("{url}{query}"))
            .body(Vec::new())
            .unwrap()
    };
    let post = || Request::post(&url).body(b"{}".to_vec()).unwrap();
    let signed_at = |mut request: TestRequest, at: i64| {
        sign_request(&mut request, &secrets(), &SignOptions::new().at(time(at))).unwrap();
        request
    };
    let signed = |request: TestRequest| signed_at(request, now());
    let once = signed(get("?once"));
    assert_eq!(send(once.clone()).await.0, StatusCode::OK);

    let with_covered =
        |request, covered: &str| signed_as(request, &format!("({covered});created={}", now()));
    let cases = [
        ("missing_signature", get("")),
        (
            "wrong_mac",
            request::signed_by(
                &Secret::from_text("another secret of some length").unwrap(),
                get(""),
                &format!(r#"("@method" "@authority" "@path");created={}"#, now()),
            ),
        ),
        (
            "wrong_digest",
            signed(post()).also(|request| *request.body_mut() = b"[]".to_vec()),
        ),
        (
            "wrong_mac",
            signed(get("/a")).also(|request| *request.uri_mut() = uri(format!("{url}/b"))),
        ),
        (
            "wrong_mac",
            signed(get("?a=1&a=2"))
                .also(|request| *request.uri_mut() = uri(format!("{url}?a=2&a=1"))),
        ),
        (
            "wrong_mac",
            signed(get("?a=%20")).also(|request| *request.uri_mut() = uri(format!("{url}?a=+"))),
        ),
        (
            "wrong_mac",
            signed(get("")).also(|request| *request.method_mut() = Method::POST),
        ),
        ("stale", signed_at(get(""), now() - 70)),
        ("in_future", signed_at(get(""), now() + 30)),
        ("replayed", once),
        (
            "not_covered",
            with_covered(get("?a"), r#""@method" "@authority" "@path""#),
        ),
        (
            "body_not_covered",
            with_covered(post(), r#""@method" "@authority" "@path""#),
        ),
        (
            "malformed_signature_input",
            with_covered(get(""), r#""@method" "@authority" "@path""#).also(|request| {
                let value = request.headers()[SIGNATURE_INPUT]
                    .to_str()
                    .unwrap()
                    .to_owned()
                    + ";created=1";
                request
                    .headers_mut()
                    .insert(SIGNATURE_INPUT, value.parse().unwrap());
            }),
        ),
        (
            "malformed_digest",
            with_covered(
                with_header(post(), "content-digest", "sha-256=:AA==:"),
                r#""@method" "@authority" "@path" "content-digest""#,
            ),
        ),
        (
            "malformed_signature_input",
            signed(get("")).also(|request| *request = signed_twice(request)),
        ),
        (
            "malformed_signature",
            signed(get("")).also(|request| change_mac(request, |mac| mac.replace('=', ""))),
        ),
        (
            "malformed_signature",
            signed(get("")).also(|request| change_mac(request, |mac| mac[..40].to_owned())),
        ),
        ("unlisted_authority", {
            let mut request = signed(
                Request::get("https://other.example/_functions/siteStats")
                    .body(Vec::new())
                    .unwrap(),
            );
            request
                .headers_mut()
                .insert(HOST, HeaderValue::from_static("other.example"));
            *request.uri_mut() = uri(url.clone());
            request
        }),
    ];
    let expected: Vec<_> = cases.iter().map(|(kind, _)| *kind).collect();
    for (kind, request) in cases {
        let response = Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .execute(request.try_into().unwrap())
            .await
            .unwrap();
        let headers = response.headers().clone();
        assert_eq!(
            (response.status(), response.text().await.unwrap()),
            (StatusCode::BAD_REQUEST, INVALID.to_owned()),
            "{kind}"
        );
        assert_eq!(headers["cache-control"], "no-store");
        assert!(
            headers["accept-signature"]
                .to_str()
                .unwrap()
                .starts_with(r#"sig1=("@method" "@authority" "@path""#)
        );
    }
    let log = site.stop();
    let kinds: Vec<_> = log
        .lines()
        .map(|line| {
            line.strip_prefix("request refused: ")
                .unwrap()
                .split(':')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(kinds, expected, "{log}");
}

#[tokio::test]
async fn a_site_calls_a_rust_host() {
    let Some(node) = node() else { return };
    let (authority, refusals) = rust_host().await;
    let mut worker = Worker::of(&node, &authority);
    let base = format!("http://{authority}");
    let calls = move || {
        assert_eq!(
            worker.ok(json!({ "operation": "siteStats" }))["uri"],
            "/_functions/siteStats"
        );
        let stats = json!({ "text": "grüße 🙂", "list": [1, 2] });
        let received = worker.ok(json!({ "operation": "sendSiteStats", "stats": stats }));
        assert_eq!(
            serde_json::from_str::<Value>(received["body"].as_str().unwrap()).unwrap(),
            stats
        );

        for (target, seen) in [
            ("?a=1&a=2&a=", "/?a=1&a=2&a="),
            (
                "/a%2Fb/../c%20d/é?q=x y&z=%2B+%zz#part",
                "/c%20d/%C3%A9?q=x%20y&z=%2B+%zz",
            ),
            ("//x/./y?", "//x/y"),
            (
                "/_functions/siteStats?'|\"",
                "/_functions/siteStats?%27|%22",
            ),
        ] {
            let answer =
                worker.ok(json!({ "operation": "invoke", "url": format!("{base}{target}") }));
            assert_eq!(answer["status"], 200, "{target}: {answer}");
            assert_eq!(
                serde_json::from_str::<Value>(answer["text"].as_str().unwrap()).unwrap()["uri"],
                *seen,
                "{target}"
            );
        }
        for (method, body) in [
            ("POST", ""),
            ("delete", ""),
            ("put", "x"),
            ("PATCH", "{}"),
            ("POST", "\u{0}ü"),
        ] {
            let fetch_options = json!({ "method": method, "body": body });
            let answer = worker
                .ok(json!({ "operation": "invoke", "url": base, "fetchOptions": fetch_options, "options": { "keyId": "a" } }));
            assert_eq!(answer["status"], 200, "{method}: {answer}");
            assert_eq!(
                serde_json::from_str::<Value>(answer["text"].as_str().unwrap()).unwrap()["body"],
                *body
            );
        }

        // A redirect is not followed.
        let answer = worker.ok(json!({ "operation": "invoke", "url": format!("{base}/redirect") }));
        assert_eq!(answer["status"], 307);

        // Refused, and the consumer sees the one answer.
        let other = json!({ DEFAULT_SECRET_NAME: "another secret of some length" });
        let answer = worker.ok(json!({ "operation": "invoke", "url": base, "secrets": other }));
        assert_eq!(answer, json!({ "status": 401, "text": INVALID }));
        let message = worker.call(json!({ "operation": "siteStats" }))["error"]["message"].take();
        assert_eq!(
            message,
            format!("{base}/_functions/siteStats has answered 401")
        );
        let call = json!({ "operation": "invoke", "url": base, "secrets": { DEFAULT_SECRET_NAME: SECRET }, "now": NOW });
        assert_eq!(worker.ok(call)["status"], 401);
    };
    tokio::task::spawn_blocking(calls).await.unwrap();
    assert_eq!(
        *refusals.lock().unwrap(),
        ["wrong_mac", "wrong_mac", "stale"]
    );
}

/// Answers every path with what it has received, to those who sign.
async fn rust_host() -> (String, Arc<Mutex<Vec<&'static str>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&refusals);
    let options = ValidateOptions::new()
        .external_scheme(Scheme::Http)
        .authorities([authority.as_str()]);
    let layer = ValidateAuthLayer::new(secrets(), options).map_refusal(move |answer, error, _| {
        seen.lock().unwrap().push(error.kind().as_str());
        answer
    });
    let echo = |uri: Uri, body: Bytes| async move {
        Json(json!({ "uri": uri.to_string(), "body": String::from_utf8_lossy(&body) }))
    };
    let redirect = || async { (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]) };
    let app = Router::new()
        .route("/redirect", axum::routing::get(redirect))
        .fallback(echo)
        .layer(layer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (authority, refusals)
}

/// The `consumer` example: its exit code and what it prints.
fn consumer(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(built("consumer"))
        .args(args)
        .env("HMAC_AUTH_SECRET", SECRET)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
    )
}

async fn send(request: TestRequest) -> (StatusCode, String) {
    let response = Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .execute(request.try_into().unwrap())
        .await
        .unwrap();
    (response.status(), response.text().await.unwrap())
}
