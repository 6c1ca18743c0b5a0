//! Signing and sending with `reqwest`, against hosts that validate what arrives on a real socket.

mod common;

use std::{
    error::Error,
    iter,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use common::{options, secrets, sign_options, time};
use hmac_auth::{
    AuthErrorKind, MemoryReplayGuard, MemorySecrets, SecretStore, SignError, SignOptions,
    ValidateOptions, Validated,
    client::{Client, InvokeError, invoke, sign},
    signature::{BaseError, Scheme},
    validate_auth,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
    },
    request,
};
use reqwest::{Body, ClientBuilder, Proxy, Url, redirect, retry};
use tokio::net::TcpListener;

/// The host's names, one of them international.
const HOST_NAMES: [&str; 2] = ["host.example", "xn--bcher-kva.example"];

const SITE: HeaderName = HeaderName::from_static("x-site");

/// Validates and remembers whatever arrives.
struct Host {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    options: ValidateOptions,
    guard: MemoryReplayGuard,
    /// For those who are accepted.
    answer: (StatusCode, HeaderMap),
    arrived: Mutex<Vec<Arrived>>,
}

#[derive(Clone)]
struct Arrived {
    request: Request<Bytes>,
    outcome: Result<Validated, AuthErrorKind>,
}

impl Host {
    async fn start() -> Self {
        Self::requiring(&[]).await
    }

    async fn requiring(fields: &[HeaderName]) -> Self {
        let options = fields
            .iter()
            .fold(options(), |options, field| options.require(field.as_str()));
        Self::with(options, (StatusCode::OK, HeaderMap::new())).await
    }

    async fn answering(status: StatusCode, headers: HeaderMap) -> Self {
        Self::with(options(), (status, headers)).await
    }

    async fn with(options: ValidateOptions, answer: (StatusCode, HeaderMap)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let with_port = [
            address.to_string(),
            format!("{}:{}", HOST_NAMES[0], address.port()),
        ];
        let authorities = HOST_NAMES.map(str::to_owned).into_iter().chain(with_port);
        let shared = Arc::new(Shared {
            options: options
                .authorities(authorities)
                .external_scheme(Scheme::Http),
            guard: MemoryReplayGuard::new().started_at(time(common::NOW)),
            answer,
            arrived: Mutex::default(),
        });
        shared.options.check().unwrap();
        let app = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { address, shared }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Finds this host under all its names and without a port in the URL.
    fn builder(&self) -> ClientBuilder {
        let builder = reqwest::Client::builder().no_proxy();
        HOST_NAMES
            .into_iter()
            .fold(builder, |builder, name| builder.resolve(name, self.address))
    }

    fn client(&self) -> Client {
        Client::new(self.builder()).unwrap()
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    /// The only request that arrived, which must be accepted.
    fn accepted(&self) -> (Request<Bytes>, Validated) {
        let [arrived] = <[_; 1]>::try_from(self.arrived())
            .ok()
            .expect("one request");
        (arrived.request, arrived.outcome.expect("accepted"))
    }
}

async fn receive(State(host): State<Arc<Shared>>, head: request::Parts, body: Bytes) -> Response {
    let request = Request::from_parts(head, body);
    let outcome = validate_auth(&request, &secrets(), &host.options)
        .and_then(|validated| host.guard.first_use(validated));
    let response = match &outcome {
        Ok(_) => (host.answer.0, host.answer.1.clone(), "accepted").into_response(),
        Err(error) => error.to_response(&host.options).map(axum::body::Body::from),
    };
    host.arrived.lock().unwrap().push(Arrived {
        request,
        outcome: outcome.map_err(|error| error.kind()),
    });
    response
}

async fn send(
    client: &Client,
    request: reqwest::Request,
) -> Result<reqwest::Response, InvokeError> {
    invoke(client, request, &secrets(), &sign_options()).await
}

fn covers(validated: &Validated, field: &HeaderName) -> bool {
    validated
        .components()
        .any(|component| component.name().as_str() == field.as_str())
}

fn headers<const N: usize>(headers: [(HeaderName, &'static str); N]) -> HeaderMap {
    headers
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
}

/// All that an operator could log of an error.
fn shown(error: &InvokeError) -> String {
    let chain = iter::successors(Some(error as &dyn Error), |&error| error.source());
    let chain = chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    format!("{chain} {error:?}")
}

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

/// Whatever is changed between the text of a URL and the wire is changed before it is signed.
#[tokio::test]
async fn the_url_is_signed_as_it_is_sent() {
    let host = Host::start().await;
    let port = host.address.port();
    let (local, other_port) = (format!("127.0.0.1:{port}"), format!("host.example:{port}"));
    let cases = [
        ("http://host.example", "host.example", "/"),
        ("http://host.example?", "host.example", "/?"),
        ("http://host.example?page=2", "host.example", "/?page=2"),
        ("http://host.example:80/", "host.example", "/"),
        ("HTTP://HOST.Example/Orders", "host.example", "/Orders"),
        ("http:\\\\host.example\\orders", "host.example", "/orders"),
        ("http://bücher.example/", "xn--bcher-kva.example", "/"),
        (&format!("http://{local}/orders"), &local, "/orders"),
        (&format!("http://2130706433:{port}/"), &local, "/"),
        (&format!("http://host.example:{port}/"), &other_port, "/"),
        (
            "http://host.example/a/../b/./c/%2e%2e/d",
            "host.example",
            "/b/d",
        ),
        ("http://host.example//a//b/", "host.example", "//a//b/"),
        (
            "http://host.example/a%2Fb%20c%7e",
            "host.example",
            "/a%2Fb%20c%7e",
        ),
        ("http://host.example/ä b", "host.example", "/%C3%A4%20b"),
        ("http://host.example/100%", "host.example", "/100%"),
        (
            "http://host.example/a;b=c,d:@!$&'()*+|[]^",
            "host.example",
            "/a;b=c,d:@!$&'()*+|[]^",
        ),
        (
            "http://host.example/a{b}\"<`>",
            "host.example",
            "/a%7Bb%7D%22%3C%60%3E",
        ),
        (
            "http://host.example/?q=a b+c%20d&q=ä&e=&f",
            "host.example",
            "/?q=a%20b+c%20d&q=%C3%A4&e=&f",
        ),
        (
            "http://host.example/?a?b/../c'{}|[]^`\\",
            "host.example",
            "/?a?b/../c%27{}|[]^`\\",
        ),
        (" \thttp://host.example/a\tb\n", "host.example", "/ab"),
        ("http://host.example/a?b#fragment?c", "host.example", "/a?b"),
        ("http://host.example/#", "host.example", "/"),
    ];
    let client = host.client();
    for (url, authority, target) in cases {
        send(&client, client.get(url).build().unwrap())
            .await
            .unwrap();
        let Arrived { request, outcome } = host
            .shared
            .arrived
            .lock()
            .unwrap()
            .pop()
            .expect("it has arrived");
        assert_eq!(outcome.map(|_| ()), Ok(()), "{url}");
        assert_eq!(request.headers()[HOST], authority, "{url}");
        assert_eq!(request.uri().to_string(), target, "{url}");
    }
}

#[tokio::test]
async fn query_pairs_are_signed_as_they_are_encoded() {
    let host = Host::start().await;
    let mut url = Url::parse(&host.url("/orders?page=2")).unwrap();
    url.query_pairs_mut().append_pair("name", "a b&c=ü+");
    send(&host.client(), reqwest::Request::new(Method::GET, url))
        .await
        .unwrap();
    assert_eq!(
        host.accepted().0.uri().query(),
        Some("page=2&name=a+b%26c%3D%C3%BC%2B")
    );
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
async fn a_proxy_changes_nothing_that_is_signed() {
    let host = Host::start().await;
    let proxy = Proxy::http(host.url("/"))
        .unwrap()
        .basic_auth("user", "password");
    let client = Client::new(reqwest::Client::builder().proxy(proxy)).unwrap();
    send(
        &client,
        client
            .post("http://host.example/orders?page=2")
            .body("text")
            .build()
            .unwrap(),
    )
    .await
    .unwrap();
    let (request, _) = host.accepted();
    assert_eq!(request.uri(), "http://host.example/orders?page=2");
    assert!(request.headers().contains_key(PROXY_AUTHORIZATION));
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

#[tokio::test]
async fn unusable_urls_are_not_sent() {
    let host = Host::start().await;
    let client = host.client();
    let send_to = async |url: &str| {
        send(
            &client,
            reqwest::Request::new(Method::GET, Url::parse(url).unwrap()),
        )
        .await
        .unwrap_err()
    };

    let too_long = host.url(&"/long".repeat(20_000));
    for url in [
        "ftp://host.example/",
        "data:text/plain,hello",
        "unix:/run/host",
        "http://{{host}}/",
        &too_long,
    ] {
        let error = send_to(url).await;
        assert!(matches!(error, InvokeError::InvalidUrl), "{url}: {error:?}");
    }
    for url in [
        "http://user:hidden@host.example/",
        "http://:hidden@host.example/",
        "http://user@host.example/",
    ] {
        let error = send_to(url).await;
        assert!(matches!(error, InvokeError::UserInfo), "{url}: {error:?}");
        assert!(!shown(&error).contains("hidden"), "{error:?}");
    }
    assert!(host.arrived().is_empty());

    // The builder of `reqwest` makes a field of them.
    send(
        &client,
        client
            .get("http://user:hidden@host.example/")
            .build()
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(
        host.accepted().0.headers()[AUTHORIZATION],
        "Basic dXNlcjpoaWRkZW4="
    );
}

#[tokio::test]
async fn without_a_response_the_error_shows_no_query() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/orders?token=hidden#hidden",
        listener.local_addr().unwrap()
    );
    drop(listener);
    let client = Client::new(reqwest::Client::builder().no_proxy()).unwrap();
    let error = send(&client, client.get(url).build().unwrap())
        .await
        .unwrap_err();

    let InvokeError::Send(source) = &error else {
        panic!("{error:?}")
    };
    assert!(source.is_connect());
    assert_eq!(error.to_string(), "there is no response");
    let shown = shown(&error);
    assert!(
        shown.contains("/orders") && !shown.contains("hidden"),
        "{shown}"
    );
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
