//! The `wix_backend` example as a process.

use std::{collections::BTreeMap, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::built::built;

/// Ends with this value.
pub(crate) struct Example {
    urls: BTreeMap<String, String>,
    _process: Child,
}

impl Example {
    pub(crate) async fn start() -> Self {
        let mut process = Command::new(built("wix_backend"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("cargo has just built it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut urls = BTreeMap::new();
        // Nothing is printed after these two.
        while !(urls.contains_key("forged") && urls.contains_key("webhook")) {
            let line = lines.next_line().await.unwrap().expect("a line for each");
            let (name, url) = line.split_once(' ').unwrap();
            urls.insert(name.to_owned(), url.trim().to_owned());
        }
        Self {
            urls,
            _process: process,
        }
    }

    /// Of the backend, or of the page as this person sees it.
    pub(crate) fn url(&self, name: &str) -> &str {
        &self.urls[name]
    }

    /// What Wix has added to the URL of the page.
    pub(crate) fn parameter(&self, viewer: &str, name: &str) -> String {
        let url = reqwest::Url::parse(self.url(viewer)).unwrap();
        let pair = url.query_pairs().find(|(key, _)| key == name);
        pair.expect(name).1.into_owned()
    }
}
