//! URLs are signed as they are sent.

use hmac_auth::client::{Client, InvokeError};
use http::{
    Method,
    header::{AUTHORIZATION, HOST, PROXY_AUTHORIZATION},
};
use reqwest::{Proxy, Url};
use tokio::net::TcpListener;

use crate::support::receiver::{Arrived, Host, send, shown};

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
