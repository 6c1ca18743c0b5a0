//! The backend of a Wix app, outside of a browser.

use std::{collections::BTreeMap, process::Stdio};

use http::{Request, StatusCode};
use reqwest::{Client, Url};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use crate::support::example::{example, send};

/// The example, which ends with this value, and what it has printed.
async fn start() -> (Child, BTreeMap<String, String>) {
    let mut process = example("wix_backend")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut printed = BTreeMap::new();
    // Wix has sent its webhook before the last of these lines, and a task handles it.
    while !(printed.contains_key("forged") && printed.contains_key("webhook")) {
        let line = lines.next_line().await.unwrap().expect("more lines");
        let (name, value) = line.split_once(' ').unwrap();
        printed.insert(name.to_owned(), value.trim().to_owned());
    }
    (process, printed)
}

#[tokio::test]
async fn webhooks_need_the_signature_of_wix_and_nothing_else() {
    let (_process, printed) = start().await;
    let site = "130db01f-83b1-17c8-1803-c27217800b45";
    assert_eq!(printed["webhook"], format!("{site} has the app"));

    let webhook = format!("{}/webhook", printed["backend"]);
    for body in [r#"{"eventType":"AppRemoved"}"#, "", "a.b.c"] {
        let request = Request::post(&webhook).body(body.into()).unwrap();
        let invalid = r#"{"error":"Invalid webhook"}"#.to_owned();
        assert_eq!(send(request).await, (StatusCode::UNAUTHORIZED, invalid));
    }
    let request = Request::get(&webhook).body(Vec::new()).unwrap();
    assert_eq!(send(request).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn each_route_answers_with_json() {
    let (_process, printed) = start().await;
    let client = Client::builder().no_proxy().build().unwrap();
    for (viewer, route, parameter, status) in [
        ("owner", "who", "instance", StatusCode::OK),
        ("owner", "visit", "instance", StatusCode::OK),
        ("owner", "products", "token", StatusCode::OK),
        ("visitor", "visit", "instance", StatusCode::FORBIDDEN),
        ("visitor", "products", "token", StatusCode::FORBIDDEN),
        ("forged", "who", "instance", StatusCode::UNAUTHORIZED),
        ("forged", "products", "token", StatusCode::UNAUTHORIZED),
    ] {
        let page = Url::parse(&printed[viewer]).unwrap();
        let mut pairs = page.query_pairs();
        let (_, value) = pairs.find(|(name, _)| name == parameter).unwrap();
        let request = client.get(format!("{}/{route}", printed["backend"]));
        let request = request.header("authorization", &*value);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{viewer}: {route}");
        let headers = response.headers();
        let content_type = headers.get("content-type").expect(route);
        assert_eq!(content_type, "application/json", "{viewer}: {route}");
        let json = response.text().await.unwrap();
        serde_json::from_str::<serde_json::Value>(&json).expect(&json);
    }
}
