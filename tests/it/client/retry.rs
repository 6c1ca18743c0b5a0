//! Redirects and retries: nothing is sent behind the back of the caller.

use hmac_auth::{AuthErrorKind, client::Client};
use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use reqwest::{redirect, retry};

use crate::support::receiver::{Arrived, Host, send};

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Host::start().await;
    for status in [
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
    ] {
        let location =
            HeaderMap::from_iter([(LOCATION, HeaderValue::try_from(other.url("/")).unwrap())]);
        let host = Host::answering(status, location).await;
        let client = Client::new(host.builder().redirect(redirect::Policy::limited(10))).unwrap();

        let response = send(
            &client,
            client.post(host.url("/")).body("text").build().unwrap(),
        )
        .await
        .unwrap();
        assert_eq!(
            (response.status(), &response.headers()[LOCATION]),
            (status, &other.url("/").parse().unwrap())
        );
        host.accepted();
    }
    assert!(other.arrived().is_empty());
}

#[tokio::test]
async fn nothing_is_retried_behind_the_callers_back() {
    let host = Host::answering(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new()).await;
    let always = retry::for_host("host.example")
        .no_budget()
        .classify_fn(|exchange| match exchange.status() {
            Some(StatusCode::SERVICE_UNAVAILABLE) => exchange.retryable(),
            _ => exchange.success(),
        });
    let client = Client::new(host.builder().retry(always)).unwrap();
    let response = send(&client, client.get("http://host.example/").build().unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    host.accepted();
}

#[tokio::test]
async fn a_retry_is_signed_anew() {
    let host = Host::start().await;
    let client = host.client();
    let request = client.post(host.url("/")).body("text").build().unwrap();
    let again = request.try_clone().unwrap();
    for request in [request, again] {
        assert_eq!(
            send(&client, request).await.unwrap().status(),
            StatusCode::OK
        );
    }
    let arrived = host.arrived();
    let [first, second] = &arrived[..] else {
        panic!("{} requests", arrived.len())
    };
    let nonce = |arrived: &Arrived| {
        arrived
            .outcome
            .as_ref()
            .unwrap()
            .nonce()
            .unwrap()
            .to_owned()
    };
    assert_ne!(nonce(first), nonce(second));

    // The guard is on: the same signature once more is refused.
    let replay = host
        .builder()
        .build()
        .unwrap()
        .post(host.url("/"))
        .headers(first.request.headers().clone())
        .body("text");
    assert_eq!(
        replay.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        host.arrived()[2].outcome.clone().unwrap_err(),
        AuthErrorKind::Replayed
    );
}
