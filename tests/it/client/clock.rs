//! A client whose own clock is wrong. The socket is local and without TLS, so that `https` needs no
//! certificate: `reqwest` without TLS sends it as it is.
#![cfg(unix)]

use std::sync::atomic::Ordering;

use hmac_auth::{
    ValidateResponseOptions,
    client::{Client, InvokeError, invoke},
};
use http::StatusCode;
use tempfile::TempDir;
use tokio::net::UnixListener;

use crate::support::{
    request::{NOW, secrets, time},
    skewed_host::{Host, consumer},
};

/// A directory with the socket of this host, and a client that reaches it.
fn serve(host: &Host) -> (TempDir, Client) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(axum::serve(listener, host.router.clone()).into_future());
    let client = Client::new(reqwest::Client::builder().unix_socket(path));
    (folder, client.unwrap())
}

async fn send_to(client: &Client, url: &str) -> Result<StatusCode, InvokeError> {
    let request = client.post(url).header("x-tenant", "7").body("text");
    let request = request.build().unwrap();
    let response = invoke(client, request, &secrets(), &consumer()).await?;
    Ok(response.status())
}

async fn send(client: &Client) -> StatusCode {
    send_to(client, "https://host.example/orders")
        .await
        .unwrap()
}

#[tokio::test]
async fn the_time_of_the_host_is_found_and_kept() {
    for (seconds, correct) in [
        (-120, Client::correct_clock as fn(Client) -> Client),
        (120, Client::correct_clock_into_the_future),
    ] {
        let host = Host::new(seconds);
        let (_folder, client) = serve(&host);
        assert_eq!(send(&client).await, 401);
        assert_eq!(host.tries(), [(0, 401)], "off by default");

        let client = correct(client);
        assert_eq!(send(&client).await, 200);
        assert_eq!(host.tries(), [(0, 401), (seconds, 200)]);
        assert_eq!(send(&client.clone()).await, 200);
        assert_eq!(host.tries(), [(seconds, 200)]);

        // Back to the own clock, or to another difference.
        let later = seconds + 120;
        host.clock.store(later, Ordering::Relaxed);
        assert_eq!(send(&client).await, 200);
        assert_eq!(host.tries(), [(seconds, 401), (later, 200)]);
        assert_eq!(send(&client).await, 200);
        assert_eq!(host.tries(), [(later, 200)]);
    }
}

#[tokio::test]
async fn neither_the_future_nor_http_is_trusted() {
    let host = Host::new(120);
    let (_folder, client) = serve(&host);
    assert_eq!(send(&client.correct_clock()).await, 401);
    assert_eq!(host.tries(), [(0, 401)]);

    let host = Host::new(-120);
    let (_folder, client) = serve(&host);
    let client = client.correct_clock();
    let url = "http://host.example/orders";
    assert_eq!(send_to(&client, url).await.unwrap(), 401);
    assert_eq!(host.tries(), [(0, 401)]);
}

#[tokio::test]
async fn only_a_success_keeps_a_correction() {
    let host = Host::with(-120, |options| options, StatusCode::NOT_FOUND, |_| ());
    let (_folder, client) = serve(&host);
    let client = client.correct_clock();
    for _ in 0..2 {
        assert_eq!(send(&client).await, 404);
        assert_eq!(host.tries(), [(0, 401), (-120, 404)]);
    }
}

/// With what a host asks for, too, and with its signed answer.
#[tokio::test]
async fn a_request_is_sent_at_most_twice() {
    let options = || ValidateResponseOptions::new().clock(|| time(NOW));
    let host = Host::with(
        -120,
        |options| options.require("x-tenant"),
        StatusCode::OK,
        |_| (),
    );
    let (_folder, client) = serve(&host);
    let client = client.require_signed_response(options()).correct_clock();
    let refused = send_to(&client, "https://host.example/orders").await;
    assert!(matches!(refused, Err(InvokeError::Response(_))));
    assert_eq!(host.tries(), [(0, 401), (-120, 401)]);

    let client = client.retry_as_asked();
    assert_eq!(send(&client).await, 200);
    assert_eq!(host.tries(), [(0, 401), (-120, 200)]);
    assert_eq!(send(&client).await, 200);
    assert_eq!(host.tries(), [(-120, 401), (-120, 200)]);
}

#[tokio::test]
async fn a_success_that_nobody_has_signed_keeps_nothing() {
    let host = Host::with(
        -120,
        |options| options,
        StatusCode::OK,
        |response| {
            response.headers_mut().remove("signature");
        },
    );
    let (_folder, client) = serve(&host);
    let options = ValidateResponseOptions::new().clock(|| time(NOW));
    let client = client.require_signed_response(options).correct_clock();
    for _ in 0..2 {
        let refused = send_to(&client, "https://host.example/orders").await;
        assert!(matches!(refused, Err(InvokeError::Response(_))));
        assert_eq!(host.tries(), [(0, 401), (-120, 200)]);
    }
}
