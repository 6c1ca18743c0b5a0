//! The example hosts: each framework, and each option.

use http::{Request, StatusCode, Uri, header};

use crate::support::example::{Host, INVALID, MAX_BODY_LEN, example, send, signed, text};

#[tokio::test]
async fn each_framework_is_served() {
    let expected = [
        (
            "axum_host",
            &["200 OK {", "200 OK 1048576 bytes, signed at "][..],
        ),
        (
            "actix_host",
            &[
                "200 OK {",
                "200 OK, then 401 Unauthorized",
                "200 OK without a signature",
            ],
        ),
        (
            "hyper_host",
            &["HTTP/1.1 200 OK hello, ", "HTTP/2.0 200 OK hello, "],
        ),
        (
            "tonic_host",
            &[
                "signed: Serving",
                "unsigned: Err(Status { code: Unauthenticated",
            ],
        ),
        (
            "invoke",
            &[
                "503 Service Unavailable",
                "200 OK",
                "{\"question\":{\"month\":11}",
            ],
        ),
        (
            "hyper_client",
            &[
                "accepted, with the nonce ",
                "accepted, with the nonce ",
                "accepted, with the nonce ",
                "200 OK",
            ],
        ),
    ];
    for (name, lines) in expected {
        let output = example(name).output().await.unwrap();
        let printed = text(&output.stdout);
        assert!(
            output.status.success(),
            "{name}: {printed}{}",
            text(&output.stderr)
        );
        assert_eq!(printed.lines().count(), lines.len(), "{name}: {printed}");
        for (line, expected) in printed.lines().zip(lines) {
            assert!(line.starts_with(expected), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn nothing_differs_without_a_proxy() {
    for (args, count) in [(&[][..], 28), (&["--http2"], 24)] {
        let output = example("behind_a_proxy").args(args).output().await.unwrap();
        let printed = text(&output.stdout);
        assert!(output.status.success(), "{printed}{}", text(&output.stderr));
        let accepted = printed.lines().filter(|line| line.ends_with(" accepted"));
        let raw = printed.lines().filter(|line| line.ends_with(" not_ascii"));
        assert_eq!(accepted.count() + raw.count(), count, "{printed}");
    }
}

#[tokio::test]
async fn only_the_listed_key_id_is_accepted() {
    let host = Host::start(&["--key-id", "site-a"]).await;
    assert_eq!(
        host.consumer("GET", &["--key-id", "site-a"])
            .await
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        host.consumer("GET", &["--key-id", "site-b"])
            .await
            .status
            .code(),
        Some(1)
    );
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(1));
    let log = host.stop().await;
    assert_eq!(log.matches("refused unknown_key_id: ").count(), 2, "{log}");
    assert!(log.contains(r#"keyid "site-b""#), "{log}");
}

#[tokio::test]
async fn only_listed_authorities_are_accepted() {
    let host = Host::start(&[
        "--authority",
        "host.example",
        "--authority",
        "other.example:8443",
    ])
    .await;
    for (authority, expected) in [
        ("host.example", StatusCode::OK),
        ("HOST.example:80", StatusCode::OK),
        ("other.example:8443", StatusCode::OK),
        ("other.example", StatusCode::UNAUTHORIZED),
    ] {
        // As through a proxy: signed for the public name, sent to the address.
        let mut request = signed(
            Request::get(format!("http://{authority}/_functions/siteStats")),
            "",
        );
        request
            .headers_mut()
            .insert(header::HOST, authority.parse().unwrap());
        *request.uri_mut() = host.url.clone();
        assert_eq!(send(request).await.0, expected, "{authority}");
    }
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(1));
    let log = host.stop().await;
    assert_eq!(
        log.matches("refused unlisted_authority: ").count(),
        2,
        "{log}"
    );
}

#[tokio::test]
async fn nothing_answers_an_unsigned_request() {
    let host = Host::start(&[]).await;
    let nowhere: Uri = host
        .url
        .to_string()
        .replace("siteStats", "nowhere")
        .parse()
        .unwrap();
    for url in [&host.url, &nowhere] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let request = Request::builder()
                .method(method)
                .uri(url)
                .body(Vec::new())
                .unwrap();
            let body = if method == "HEAD" { "" } else { INVALID };
            assert_eq!(
                send(request).await,
                (StatusCode::UNAUTHORIZED, body.to_owned()),
                "{method} {url}"
            );
        }
    }
    assert_eq!(
        send(signed(Request::head(&host.url), "")).await,
        (StatusCode::OK, String::new())
    );
    assert_eq!(
        send(signed(Request::get(&nowhere), "")).await.0,
        StatusCode::NOT_FOUND
    );
    let log = host.stop().await;
    assert_eq!(
        log.matches("refused missing_signature: ").count(),
        14,
        "{log}"
    );
    assert_eq!(log.lines().count(), 14, "{log}");
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let host = Host::start(&[]).await;
    let largest = signed(Request::post(&host.url), "x".repeat(MAX_BODY_LEN));
    assert_eq!(send(largest).await.0, StatusCode::OK);
    let larger = signed(Request::post(&host.url), "x".repeat(MAX_BODY_LEN + 1));
    assert_eq!(
        send(larger).await,
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            r#"{"error":"Payload too large"}"#.to_owned()
        )
    );
    let log = host.stop().await;
    assert!(log.starts_with("refused body_too_large: POST "), "{log}");
}

#[tokio::test]
async fn a_request_counts_once() {
    let host = Host::start(&[]).await;
    let request = signed(Request::post(&host.url), "{}");
    assert_eq!(send(request.clone()).await.0, StatusCode::OK);
    assert_eq!(
        send(request).await,
        (StatusCode::UNAUTHORIZED, INVALID.to_owned())
    );
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(0));
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(0));
    let log = host.stop().await;
    assert!(log.starts_with("refused replayed: POST "), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn without_the_guard_a_request_counts_again() {
    let host = Host::start(&["--no-replay-guard"]).await;
    let request = signed(Request::get(&host.url), "");
    for _ in 0..3 {
        assert_eq!(send(request.clone()).await.0, StatusCode::OK);
    }
    assert_eq!(host.stop().await, "");
}
