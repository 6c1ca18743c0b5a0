//! Chromium, driven by its own driver.

use std::{process::Stdio, str::FromStr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use fantoccini::{Client, ClientBuilder, wd::WebDriverCompatibleCommand};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::sleep,
};

/// A browser of its own for each test; ends with this value.
pub(crate) struct Chromium {
    pub(crate) client: Client,
    _driver: Child,
}

impl Chromium {
    /// Resolves names by these rules, as in `MAP www.shop.example:80 127.0.0.1:8080`.
    pub(crate) async fn start(resolver_rules: &str) -> Self {
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
        let options = json!({ "args": [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-lcd-text",
                        format!("--host-resolver-rules={resolver_rules}"),
        ] });
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(
            [("goog:chromeOptions".to_owned(), options)]
                .into_iter()
                .collect(),
        );
        let client = builder
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            client,
            _driver: driver,
        }
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What the script returns, as soon as it is neither null nor false.
    pub(crate) async fn wait_for(&self, script: &str) -> Value {
        for _ in 0..400 {
            let value = self.run(script).await;
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return value;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("nothing came of: {script}");
    }

    /// Shows pages as a screen of this width does, in a light or a dark scheme.
    pub(crate) async fn look(&self, width: u32, scheme: &str) {
        let metrics = json!({
            "width": width,
            "height": 640,
            "deviceScaleFactor": 1,
            "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }))
            .await;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// The whole page as PNG, however long it is.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let answer = self
            .devtools(
                "Page.captureScreenshot",
                json!({ "format": "png", "captureBeyondViewport": true }),
            )
            .await;
        STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    async fn devtools(&self, command: &'static str, params: Value) -> Value {
        self.client
            .issue_cmd(DevTools { command, params })
            .await
            .unwrap()
    }
}

/// A command of the protocol of Chromium's developer tools.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    params: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base_url: &Url,
        session_id: Option<&str>,
    ) -> Result<Url, <Url as FromStr>::Err> {
        let session = session_id.expect("a session");
        base_url.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.params });
        (Method::POST, Some(body.to_string()))
    }
}
