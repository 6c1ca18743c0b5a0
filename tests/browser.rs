//! The page of the `wix_backend` example in a real browser, from another origin than its backend.
//!
//! Needs Chromium and its driver (Debian: `chromium chromium-driver`), and so is ignored by
//! default. It builds the example that it runs:
//!
//! ```text
//! cargo test --test browser -- --ignored
//! ```

#[path = "it/support/built.rs"]
mod built;

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use built::built;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::sleep,
};

#[tokio::test]
#[ignore = "needs Chromium and its driver"]
async fn a_page_of_the_app_calls_its_backend() {
    let (_backend, urls) = start_example().await;
    let (_driver, browser) = start_browser().await;
    let [backend, owner, visitor, forged] =
        ["backend", "owner", "visitor", "forged"].map(|name| urls.of(name));

    // Each of these is cross-origin with `Authorization`, so the browser asks first.
    assert_eq!(
        answer(&browser, &owner, "visit").await,
        r#"200 {"site":"130db01f-83b1-17c8-1803-c27217800b45","user":"owner-1"}"#
    );
    let saved = r#"200 {"saved":{"color":"blue"},"site":"130db01f-83b1-17c8-1803-c27217800b45"}"#;
    assert_eq!(answer(&browser, &owner, "settings").await, saved);
    assert_eq!(
        answer(&browser, &owner, "products").await,
        r#"200 {"products":[{"name":"Tea","price":7}]}"#
    );

    assert_eq!(answer(&browser, &visitor, "visit").await, "403");
    assert_eq!(
        answer(&browser, &visitor, "settings").await,
        r#"403 {"error":"Owner required"}"#
    );
    assert!(
        answer(&browser, &visitor, "products")
            .await
            .starts_with("403 "),
        "a visitor is not elevated"
    );

    for button in ["visit", "settings"] {
        assert_eq!(
            answer(&browser, &forged, button).await,
            r#"401 {"error":"Invalid app instance"}"#
        );
    }
    assert!(
        answer(&browser, &forged, "products")
            .await
            .starts_with("401 ")
    );

    // The same page on an origin that is not allowed: the browser sends nothing but its question.
    let stranger = owner.replacen("http://localhost:", "http://127.0.0.1:", 1);
    assert_ne!(stranger, owner);
    for button in ["visit", "settings"] {
        assert_eq!(
            answer(&browser, &stranger, button).await,
            "blocked: TypeError"
        );
    }
    // Where the access token is the gate, every page may ask: sites have domains of their own.
    assert_eq!(
        answer(&browser, &stranger, "products").await,
        r#"200 {"products":[{"name":"Tea","price":7}]}"#
    );
    // And without an app instance, outside of a browser, nobody is served either.
    let bare = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("{backend}/visit"))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
    browser.close().await.unwrap();
}

/// What the page shows after a click.
async fn answer(browser: &Client, page: &str, button: &str) -> String {
    browser.goto(page).await.unwrap();
    browser
        .find(Locator::Id(button))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    let shown = browser.find(Locator::Id("answer")).await.unwrap();
    let start = Instant::now();
    loop {
        let text = shown.text().await.unwrap();
        if !text.is_empty() && text != "…" {
            return text.trim_end().to_owned();
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "no answer to {button} on {page}"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

struct Urls(Vec<(String, String)>);

impl Urls {
    fn of(&self, name: &str) -> String {
        self.0
            .iter()
            .find(|(one, _)| one == name)
            .map(|(_, url)| url.clone())
            .expect(name)
    }
}

async fn start_example() -> (Child, Urls) {
    let mut example = Command::new(built("wix_backend"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("cargo has just built it");
    let mut lines = BufReader::new(example.stdout.take().unwrap()).lines();
    let mut urls = Vec::new();
    while urls.len() < 4 {
        let line = lines.next_line().await.unwrap().expect("four lines");
        let (name, url) = line.split_once(' ').unwrap();
        urls.push((name.to_owned(), url.trim().to_owned()));
    }
    (example, Urls(urls))
}

async fn start_browser() -> (Child, Client) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver is installed: Debian's package chromium-driver");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("chromedriver says where it listens");
        if let Some(port) = line.split("started successfully on port ").nth(1) {
            break port.trim_end_matches('.').to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
    let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
    builder.capabilities(
        [("goog:chromeOptions".to_owned(), options)]
            .into_iter()
            .collect(),
    );
    let browser = builder
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .unwrap();
    (driver, browser)
}
