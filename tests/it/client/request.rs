//! Requests as reqwest builds them: the body, the headers, and what is not sent.

use hmac_auth::{
    AuthErrorKind, MemorySecrets, SecretStore, SignError, SignOptions,
    client::{Client, InvokeError, invoke, sign},
    signature::BaseError,
};
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use reqwest::{Body, Url, redirect, retry};

use crate::support::{
    receiver::{Arrived, Host, SITE, covers, headers, send},
    request::{secrets, sign_options},
};

#[tokio::test]
async fn a_signed_request_is_accepted_with_its_body() {
    let host = Host::start().await;
    let client = host.client();
    let body = r#"{"month":11,"site":"ä"}"#;
    let request = client
        .post(host.url("/_functions/siteStats"))
        .header(CONTENT_TYPE, "application/json")
        .body(body);

    // In a task of its own, and with a store chosen at run time: the future is `Send` all the same.
    let task = async move {
        let secrets: Box<dyn SecretStore> = Box::new(secrets());
        invoke(
            &client,
            request.build().unwrap(),
            &*secrets,
            &sign_options(),
        )
        .await
    };
    let response = tokio::spawn(task).await.unwrap().unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.text().await.unwrap(), "accepted");
    let (request, validated) = host.accepted();
    assert_eq!(request.body(), body);
    assert!(
        covers(&validated, &CONTENT_TYPE)
            && covers(&validated, &HeaderName::from_static("content-digest"))
    );
}

#[tokio::test]
async fn without_a_body_there_is_no_digest() {
    let host = Host::start().await;
    let client = host.client();
    send(&client, client.get(host.url("/")).build().unwrap())
        .await
        .unwrap();
    send(
        &client,
        client
            .request(Method::DELETE, host.url("/"))
            .body("")
            .build()
            .unwrap(),
    )
    .await
    .unwrap();
    let arrived = host.arrived();
    assert_eq!(arrived.len(), 2);
    for Arrived { request, outcome } in arrived {
        assert!(outcome.is_ok());
        assert!(!request.headers().contains_key("content-digest"));
    }
}

#[tokio::test]
async fn requests_of_the_http_crate_can_be_sent() {
    let host = Host::start().await;
    let request = Request::put("http://host.example/a/../b")
        .header(CONTENT_TYPE, "text/plain")
        .body("text")
        .unwrap();
    send(&host.client(), request.try_into().unwrap())
        .await
        .unwrap();
    let (request, _) = host.accepted();
    assert_eq!(
        (request.method(), request.uri().path(), &request.body()[..]),
        (&Method::PUT, "/b", &b"text"[..])
    );
}

#[tokio::test]
async fn default_headers_are_signed() {
    let host = Host::requiring(&[CONTENT_TYPE, SITE]).await;
    let client = host
        .client()
        .default_headers(headers([(CONTENT_TYPE, "application/json"), (SITE, "a")]));
    let request = client.post(host.url("/")).body("{}").build().unwrap();
    let response = invoke(&client, request, &secrets(), &sign_options().cover(SITE))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (request, validated) = host.accepted();
    assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(request.headers()[SITE], "a");
    assert!(covers(&validated, &CONTENT_TYPE) && covers(&validated, &SITE));
}

#[tokio::test]
async fn a_header_of_the_request_wins_over_the_default() {
    let host = Host::start().await;
    let mut defaults = headers([(CONTENT_TYPE, "application/json"), (ACCEPT, "text/html")]);
    defaults.append(ACCEPT, HeaderValue::from_static("text/plain"));
    let client = host
        .client()
        .default_headers(headers([(CONTENT_TYPE, "text/csv"), (SITE, "a")]))
        .default_headers(defaults);

    let request = client
        .post(host.url("/"))
        .header(CONTENT_TYPE, "text/plain")
        .body("text")
        .build()
        .unwrap();
    invoke(
        &client,
        request,
        &secrets(),
        &sign_options().cover(ACCEPT).cover(SITE),
    )
    .await
    .unwrap();
    let request = host.accepted().0;
    let values = |name| {
        request
            .headers()
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(CONTENT_TYPE), ["text/plain"]);
    assert_eq!(values(SITE), ["a"]);
    assert_eq!(values(ACCEPT), ["text/html", "text/plain"]);
}

/// The reason for `Client::default_headers`.
#[tokio::test]
async fn what_the_builder_adds_is_not_signed() {
    let host = Host::requiring(&[CONTENT_TYPE]).await;
    let builder = host
        .builder()
        .default_headers(headers([(CONTENT_TYPE, "text/plain")]))
        .user_agent("site-a");
    let client = Client::new(builder).unwrap();
    let request = client.post(host.url("/")).body("text").build().unwrap();

    let covering = sign_options().cover(USER_AGENT);
    let error = invoke(&client, request.try_clone().unwrap(), &secrets(), &covering)
        .await
        .unwrap_err();
    let InvokeError::Sign(SignError::Component(BaseError::Absent { component })) = error else {
        panic!("{error:?}")
    };
    assert_eq!(component, "\"user-agent\"");
    assert!(host.arrived().is_empty());

    assert_eq!(
        send(&client, request).await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let [arrived] = <[_; 1]>::try_from(host.arrived())
        .ok()
        .expect("one request");
    assert_eq!(arrived.outcome.unwrap_err(), AuthErrorKind::NotCovered);
    assert_eq!(arrived.request.headers()[USER_AGENT], "site-a");

    let host = Host::requiring(&[USER_AGENT]).await;
    let client = host
        .client()
        .default_headers(headers([(USER_AGENT, "site-a")]));
    invoke(
        &client,
        client.get(host.url("/")).build().unwrap(),
        &secrets(),
        &covering,
    )
    .await
    .unwrap();
    host.accepted();
}

#[tokio::test]
async fn a_streamed_body_is_not_sent() {
    let host = Host::start().await;
    let client = host.client();
    let request = client
        .post(host.url("/"))
        .body(Body::wrap("text".to_owned()))
        .build()
        .unwrap();
    let error = send(&client, request).await.unwrap_err();
    assert!(matches!(error, InvokeError::StreamedBody), "{error:?}");
    assert!(
        error
            .to_string()
            .ends_with("collect it, and use its bytes as the body"),
        "{error}"
    );
    assert!(host.arrived().is_empty());
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let host = Host::start().await;
    let client = host.client();
    let get = || client.get(host.url("/"));

    let error = invoke(
        &client,
        get().build().unwrap(),
        &MemorySecrets::new(),
        &SignOptions::new(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(error, InvokeError::Sign(SignError::Secret(_))),
        "{error:?}"
    );

    let error = send(
        &client,
        get().header(HOST, "other.example").build().unwrap(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            error,
            InvokeError::Sign(SignError::Component(BaseError::Authority(
                hmac_auth::signature::AuthorityError::Conflicting
            )))
        ),
        "{error:?}"
    );

    let request = get().header(SITE, "ä").build().unwrap();
    let error = invoke(&client, request, &secrets(), &sign_options().cover(SITE))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            InvokeError::Sign(SignError::Component(BaseError::NotAscii { .. }))
        ),
        "{error:?}"
    );

    assert!(host.arrived().is_empty());
}

#[test]
fn debug_shows_no_value_of_a_header() {
    let token = headers([(AUTHORIZATION, "Bearer hidden")]);
    let client = Client::new(reqwest::Client::builder().default_headers(token.clone()))
        .unwrap()
        .default_headers(token);
    assert_eq!(
        format!("{client:?}"),
        r#"Client { default_headers: ["authorization"], .. }"#
    );
}

#[tokio::test]
async fn each_verb_is_signed() {
    let host = Host::start().await;
    let client = host.client();
    let url = host.url("/orders/7");
    let requests = [
        (client.get(&url), Method::GET, ""),
        (client.head(&url), Method::HEAD, ""),
        (client.post(&url).body("new"), Method::POST, "new"),
        (client.put(&url).body("whole"), Method::PUT, "whole"),
        (client.patch(&url).body("part"), Method::PATCH, "part"),
        (client.delete(&url), Method::DELETE, ""),
    ];
    for (request, method, body) in requests {
        let response = send(&client, request.build().unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{method}");
        let arrived = host.shared.arrived.lock().unwrap().pop();
        let Arrived { request, outcome } = arrived.expect("it has arrived");
        assert_eq!(outcome.map(|_| ()), Ok(()), "{method}");
        assert_eq!(
            (request.method(), &request.body()[..]),
            (&method, body.as_bytes())
        );
    }
    assert!(host.arrived().is_empty());
}

/// What `sign` has signed can be seen, and a client of one's own sends it.
#[tokio::test]
async fn a_request_signed_here_is_sent_by_any_client() {
    let host = Host::start().await;
    let builder = host
        .builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never());
    let client = builder.build().unwrap();
    for (method, body) in [(Method::POST, r#"{"month":11}"#), (Method::GET, "")] {
        let mut request = client.request(method, "http://host.example/a/../orders?page=2");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut request = request.build().unwrap();
        let unsigned = request.try_clone().unwrap();
        // A store that is chosen at run time.
        let secrets: &dyn SecretStore = &secrets();
        sign(&mut request, secrets, &sign_options()).unwrap();

        let headers = request.headers().clone();
        let input = headers["signature-input"].to_str().unwrap();
        assert!(
            input.contains(r#""@method" "@authority" "@path""#),
            "{input}"
        );
        assert_eq!(headers.contains_key("content-digest"), !body.is_empty());
        assert_eq!(
            (
                request.method(),
                request.url(),
                request.body().and_then(Body::as_bytes)
            ),
            (
                unsigned.method(),
                unsigned.url(),
                unsigned.body().and_then(Body::as_bytes)
            )
        );

        assert_eq!(
            client.execute(request).await.unwrap().status(),
            StatusCode::OK
        );
        let arrived = host.shared.arrived.lock().unwrap().pop();
        let Arrived { request, outcome } = arrived.expect("it has arrived");
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(request.body(), body);
        for (name, value) in &headers {
            assert_eq!(request.headers().get(name), Some(value), "{name}");
        }
    }
}

#[test]
fn a_request_that_cannot_be_signed_is_unchanged() {
    let request = |url: &str, body: Option<Body>| {
        let mut request = reqwest::Request::new(Method::POST, Url::parse(url).unwrap());
        request
            .headers_mut()
            .append(SITE, HeaderValue::from_static("a"));
        request
            .headers_mut()
            .append(SITE, HeaderValue::from_static("b"));
        *request.body_mut() = body;
        request
    };
    let (url, nothing) = ("http://host.example/orders?page=2", MemorySecrets::new());
    let stream = || Some(Body::wrap("text".to_owned()));
    let cases = [
        ("secret", url, Some("text".into()), sign_options()),
        ("secret", url, None, sign_options()),
        (
            "component",
            url,
            Some("text".into()),
            sign_options().cover(ACCEPT),
        ),
        ("stream", url, stream(), sign_options()),
        (
            "URL",
            "ftp://host.example/",
            Some("text".into()),
            sign_options(),
        ),
        (
            "user",
            "http://user:hidden@host.example/",
            None,
            sign_options(),
        ),
    ];
    for (reason, url, body, options) in cases {
        let mut request = request(url, body);
        let before = (
            request.method().clone(),
            request.url().clone(),
            request.headers().clone(),
            request
                .body()
                .map(|body| body.as_bytes().map(<[u8]>::to_vec)),
        );
        let result = match reason {
            "secret" => sign(&mut request, &nothing, &options),
            _ => sign(&mut request, &secrets(), &options),
        };
        let is_expected = match result.unwrap_err() {
            InvokeError::Sign(SignError::Secret(_)) => reason == "secret",
            InvokeError::Sign(SignError::Component(_)) => reason == "component",
            InvokeError::StreamedBody => reason == "stream",
            InvokeError::InvalidUrl => reason == "URL",
            InvokeError::UserInfo => reason == "user",
            _ => false,
        };
        assert!(is_expected, "{reason}");
        let after = (
            request.method().clone(),
            request.url().clone(),
            request.headers().clone(),
            request
                .body()
                .map(|body| body.as_bytes().map(<[u8]>::to_vec)),
        );
        assert_eq!(after, before, "{reason}");
    }
}
