//! The examples as processes.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::{Output, Stdio},
    sync::LazyLock,
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, generate_secret, sign_request,
};
use http::{Request, StatusCode, Uri};
use reqwest::Client;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use super::built::built;

pub(crate) const INVALID: &str = r#"{"error":"Invalid authentication token"}"#;

pub(crate) const MAX_BODY_LEN: usize = 1024 * 1024;

/// Printable, and hexadecimal: as good with `--hex` as without.
pub(crate) static SECRET: LazyLock<String> = LazyLock::new(|| {
    let digits = generate_secret()
        .unwrap()
        .into_bytes()
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
});

/// The `host` example, listening on a free port; ends with this value.
pub(crate) struct Host {
    pub(crate) process: Child,
    pub(crate) url: Uri,
}

impl Host {
    pub(crate) async fn start(args: &[&str]) -> Self {
        let mut process = example("host")
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .await
            .unwrap();
        let Some(site) = line.trim_end().strip_prefix("listening on ") else {
            panic!(
                "the host did not start: {}",
                text(&process.wait_with_output().await.unwrap().stderr)
            );
        };
        Self {
            process,
            url: format!("{site}/_functions/siteStats").parse().unwrap(),
        }
    }

    pub(crate) fn consumer_command(&self, method: &str) -> Command {
        let mut command = example("consumer");
        command.args([method, &self.url.to_string()]);
        command
    }

    pub(crate) async fn consumer(&self, method: &str, args: &[&str]) -> Output {
        self.consumer_command(method)
            .args(args)
            .output()
            .await
            .unwrap()
    }

    /// What it has told its operator.
    pub(crate) async fn stop(mut self) -> String {
        self.process.kill().await.unwrap();
        let mut log = String::new();
        self.process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .await
            .unwrap();
        log
    }
}

pub(crate) fn example(name: &str) -> Command {
    let mut command = Command::new(built(name));
    command
        .env("HMAC_AUTH_SECRET", &*SECRET)
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    command
}

/// `target/debug`, of `target/debug/deps/it-…`.
pub(crate) fn build_dir() -> PathBuf {
    env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// Where `.ci/foreign_clients` installs the packages of the clients.
pub(crate) fn foreign_clients() -> PathBuf {
    build_dir().with_file_name("foreign-clients")
}

pub(crate) fn signed(
    request: http::request::Builder,
    body: impl Into<Vec<u8>>,
) -> Request<Vec<u8>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&SECRET).unwrap());
    let mut request = request.body(body.into()).unwrap();
    sign_request(&mut request, &secrets, &SignOptions::new()).unwrap();
    request
}

pub(crate) async fn send(request: Request<Vec<u8>>) -> (StatusCode, String) {
    let client = Client::builder().no_proxy().build().unwrap();
    let response = client.execute(request.try_into().unwrap()).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

pub(crate) async fn runs(program: &str, args: &[&str]) -> bool {
    let output = Command::new(program).args(args).output().await;
    output.is_ok_and(|output| output.status.success())
}

/// Past the test harness, which hides what a passing test prints.
pub(crate) fn skip(reason: &str) {
    io::stderr()
        .write_all(format!("SKIPPED: {reason}\n").as_bytes())
        .unwrap();
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
