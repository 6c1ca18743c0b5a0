//! The backend of a Wix app, outside of a browser.

use std::{collections::BTreeMap, process::Stdio};

use http::{Request, StatusCode};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::example::{example, send};

#[tokio::test]
async fn webhooks_need_the_signature_of_wix_and_nothing_else() {
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
