//! The examples as their users run them: as processes, over real HTTP, and called from other languages.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::LazyLock,
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, generate_secret, sign_request,
};
use http::{Request, StatusCode, Uri, header};
use reqwest::Client;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

const INVALID: &str = r#"{"error":"Invalid authentication token"}"#;
const MAX_BODY_LEN: usize = 1024 * 1024;

/// Printable, and hexadecimal: as good with `--hex` as without.
static SECRET: LazyLock<String> = LazyLock::new(|| {
    let digits = generate_secret()
        .unwrap()
        .into_bytes()
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
});

#[tokio::test]
async fn site_to_site_comes_out_as_expected() {
    let output = example("site_to_site").output().await.unwrap();
    let table = text(&output.stdout);
    assert!(output.status.success(), "{table}{}", text(&output.stderr));
    let lines: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "signed GET 200 accepted",
        "signed POST 200 accepted",
        "unsigned 401 missing_signature",
        "wrong secret 401 wrong_mac",
        "changed body 401 wrong_digest",
        "changed query 401 wrong_mac",
        "stale 401 stale",
        "replayed 401 replayed",
        "other authority 401 unlisted_authority",
    ];
    assert_eq!(lines.len(), expected.len(), "{table}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[tokio::test]
async fn each_framework_is_served() {
    let expected = [
        (
            "axum_host",
            &["200 OK {", "200 OK 1048576 bytes, signed at "][..],
        ),
        (
            "hyper_host",
            &["HTTP/1.1 200 OK hello, ", "HTTP/2.0 200 OK hello, "],
        ),
        (
            "tonic_host",
            &[
                "signed: Serving",
                "unsigned: Err(Status { code: Unauthenticated",
            ],
        ),
        (
            "invoke",
            &[
                "503 Service Unavailable",
                "200 OK",
                "{\"question\":{\"month\":11}",
            ],
        ),
        (
            "hyper_client",
            &[
                "accepted, with the nonce ",
                "accepted, with the nonce ",
                "accepted, with the nonce ",
                "200 OK",
            ],
        ),
    ];
    for (name, lines) in expected {
        let output = example(name).output().await.unwrap();
        let printed = text(&output.stdout);
        assert!(
            output.status.success(),
            "{name}: {printed}{}",
            text(&output.stderr)
        );
        assert_eq!(printed.lines().count(), lines.len(), "{name}: {printed}");
        for (line, expected) in printed.lines().zip(lines) {
            assert!(line.starts_with(expected), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn a_consumer_is_accepted() {
    let host = Host::start(&[]).await;
    let get = host.consumer("GET", &[]).await;
    assert_eq!(
        (get.status.code(), text(&get.stderr)),
        (Some(0), String::new())
    );
    assert!(
        text(&get.stdout).starts_with("200 OK\n{\"data\":{"),
        "{}",
        text(&get.stdout)
    );

    let post = host
        .consumer(
            "POST",
            &["--data", r#"{"month":11}"#, "--header", "X-Trace: 7"],
        )
        .await;
    assert_eq!(post.status.code(), Some(0));
    assert!(
        text(&post.stdout).contains(r#""received":{"month":11}"#),
        "{}",
        text(&post.stdout)
    );

    // What the client normalises or encodes is signed as it is sent.
    let odd = format!("{}?q=a b&ü=|'%2f%zz", host.url).replace("siteStats", "x/../siteStats");
    assert_eq!(
        example("consumer")
            .args(["GET", &odd])
            .output()
            .await
            .unwrap()
            .status
            .code(),
        Some(0)
    );

    let other_type = host
        .consumer(
            "PUT",
            &["--data", "a=b", "--header", "Content-Type: text/plain"],
        )
        .await;
    assert_eq!(
        (other_type.status.code(), text(&other_type.stdout)),
        (Some(1), "405 Method Not Allowed\n\n".to_owned())
    );
    assert_eq!(host.stop().await, "");
}

#[tokio::test]
async fn a_consumer_with_another_secret_is_refused() {
    let host = Host::start(&[]).await;
    let output = host
        .consumer_command("GET")
        .env("HMAC_AUTH_SECRET", "another secret of some length")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        format!("401 Unauthorized\n{INVALID}\n")
    );
    let log = host.stop().await;
    assert!(
        log.starts_with("refused wrong_mac: GET /_functions/siteStats from 127.0.0.1:"),
        "{log}"
    );
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn only_the_listed_key_id_is_accepted() {
    let host = Host::start(&["--key-id", "site-a"]).await;
    assert_eq!(
        host.consumer("GET", &["--key-id", "site-a"])
            .await
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        host.consumer("GET", &["--key-id", "site-b"])
            .await
            .status
            .code(),
        Some(1)
    );
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(1));
    let log = host.stop().await;
    assert_eq!(log.matches("refused unknown_key_id: ").count(), 2, "{log}");
    assert!(log.contains(r#"keyid "site-b""#), "{log}");
}

#[tokio::test]
async fn only_listed_authorities_are_accepted() {
    let host = Host::start(&[
        "--authority",
        "host.example",
        "--authority",
        "other.example:8443",
    ])
    .await;
    for (authority, expected) in [
        ("host.example", StatusCode::OK),
        ("HOST.example:80", StatusCode::OK),
        ("other.example:8443", StatusCode::OK),
        ("other.example", StatusCode::UNAUTHORIZED),
    ] {
        // As through a proxy: signed for the public name, sent to the address.
        let mut request = signed(
            Request::get(format!("http://{authority}/_functions/siteStats")),
            "",
        );
        request
            .headers_mut()
            .insert(header::HOST, authority.parse().unwrap());
        *request.uri_mut() = host.url.clone();
        assert_eq!(send(request).await.0, expected, "{authority}");
    }
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(1));
    let log = host.stop().await;
    assert_eq!(
        log.matches("refused unlisted_authority: ").count(),
        2,
        "{log}"
    );
}

#[tokio::test]
async fn nothing_answers_an_unsigned_request() {
    let host = Host::start(&[]).await;
    let nowhere: Uri = host
        .url
        .to_string()
        .replace("siteStats", "nowhere")
        .parse()
        .unwrap();
    for url in [&host.url, &nowhere] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let request = Request::builder()
                .method(method)
                .uri(url)
                .body(Vec::new())
                .unwrap();
            let body = if method == "HEAD" { "" } else { INVALID };
            assert_eq!(
                send(request).await,
                (StatusCode::UNAUTHORIZED, body.to_owned()),
                "{method} {url}"
            );
        }
    }
    assert_eq!(
        send(signed(Request::head(&host.url), "")).await,
        (StatusCode::OK, String::new())
    );
    assert_eq!(
        send(signed(Request::get(&nowhere), "")).await.0,
        StatusCode::NOT_FOUND
    );
    let log = host.stop().await;
    assert_eq!(
        log.matches("refused missing_signature: ").count(),
        14,
        "{log}"
    );
    assert_eq!(log.lines().count(), 14, "{log}");
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let host = Host::start(&[]).await;
    let largest = signed(Request::post(&host.url), "x".repeat(MAX_BODY_LEN));
    assert_eq!(send(largest).await.0, StatusCode::OK);
    let larger = signed(Request::post(&host.url), "x".repeat(MAX_BODY_LEN + 1));
    assert_eq!(
        send(larger).await,
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            r#"{"error":"Payload too large"}"#.to_owned()
        )
    );
    let log = host.stop().await;
    assert!(log.starts_with("refused body_too_large: POST "), "{log}");
}

#[tokio::test]
async fn a_request_counts_once() {
    let host = Host::start(&[]).await;
    let request = signed(Request::post(&host.url), "{}");
    assert_eq!(send(request.clone()).await.0, StatusCode::OK);
    assert_eq!(
        send(request).await,
        (StatusCode::UNAUTHORIZED, INVALID.to_owned())
    );
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(0));
    assert_eq!(host.consumer("GET", &[]).await.status.code(), Some(0));
    let log = host.stop().await;
    assert!(log.starts_with("refused replayed: POST "), "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[tokio::test]
async fn without_the_guard_a_request_counts_again() {
    let host = Host::start(&["--no-replay-guard"]).await;
    let request = signed(Request::get(&host.url), "");
    for _ in 0..3 {
        assert_eq!(send(request.clone()).await.0, StatusCode::OK);
    }
    assert_eq!(host.stop().await, "");
}

#[tokio::test]
async fn a_secret_may_be_hexadecimal() {
    let host = Host::start(&["--hex"]).await;
    assert_eq!(
        host.consumer("POST", &["--hex", "--data", "{}"])
            .await
            .status
            .code(),
        Some(0)
    );
    // Its text is another secret.
    assert_eq!(
        host.consumer("POST", &["--data", "{}"]).await.status.code(),
        Some(1)
    );
    assert!(host.stop().await.starts_with("refused wrong_mac: "));
}

#[tokio::test]
async fn without_a_usable_secret_nothing_starts() {
    let consumer = ["GET", "http://127.0.0.1:9/_functions/siteStats"];
    for (secret, args, complaint) in [
        (
            None,
            &[][..],
            "there is no environment variable HMAC_AUTH_SECRET",
        ),
        (
            Some(""),
            &[],
            "the secret has 0 bytes, at least 16 are needed",
        ),
        (
            Some("too short"),
            &[],
            "the secret has 9 bytes, at least 16 are needed",
        ),
        (
            Some("not hexadecimal at all"),
            &["--hex"],
            "the secret is not hexadecimal",
        ),
    ] {
        for (program, operands) in [("host", &[][..]), ("consumer", &consumer)] {
            let mut command = example(program);
            match secret {
                Some(secret) => command.env("HMAC_AUTH_SECRET", secret),
                None => command.env_remove("HMAC_AUTH_SECRET"),
            };
            let output = command.args(operands).args(args).output().await.unwrap();
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(
                (output.status.code(), stdout.as_str()),
                (Some(1), ""),
                "{stderr}"
            );
            assert!(
                stderr.starts_with("error: ") && stderr.contains(complaint),
                "{stderr}"
            );
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(
                secret.is_none_or(|secret| secret.is_empty() || !stderr.contains(secret)),
                "{stderr}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_options_are_told_at_once() {
    let host = Host::start(&[]).await;
    let taken = host.url.authority().unwrap().to_string();
    for (args, complaint) in [
        (
            ["--authority", "host.example/path"],
            "the authority `host.example/path` is not `host` or `host:port`",
        ),
        (["--listen", &taken], "cannot listen on"),
    ] {
        let output = example("host").args(args).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(complaint),
            "{}",
            text(&output.stderr)
        );
    }
    let output = host.consumer("GET", &["--header", "no colon"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("a header is 'Name: value'"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn curl_is_accepted() {
    if !(runs("openssl", &["version"]).await && runs("curl", &["--version"]).await) {
        return skip("curl.sh needs openssl and curl");
    }
    let mut client = Command::new("sh");
    client.arg("examples/clients/curl.sh");
    check_client(client).await;
}

#[tokio::test]
async fn python_is_accepted() {
    let installed = foreign_clients().join("venv/bin/python");
    for python in [installed.to_str().unwrap(), "python3"] {
        if runs(
            python,
            &[
                "-c",
                "import requests; from http_message_signatures import MappingKeyResolver",
            ],
        )
        .await
        {
            let mut client = Command::new(python);
            client.arg("examples/clients/python_client.py");
            return check_client(client).await;
        }
    }
    skip("python_client.py needs requests and http-message-signatures: run .ci/foreign_clients");
}

#[tokio::test]
async fn node_is_accepted() {
    let installed = foreign_clients();
    if !(runs("node", &["--version"]).await
        && installed
            .join("node_modules/http-message-signatures")
            .is_dir())
    {
        return skip("node_client.mjs needs http-message-signatures: run .ci/foreign_clients");
    }
    // From its standard input, node looks for packages in the working directory.
    let mut client = Command::new("node");
    client
        .current_dir(installed)
        .args(["--input-type=module", "-"]);
    client.stdin(File::open("examples/clients/node_client.mjs").unwrap());
    check_client(client).await;
}

/// The document shows what was run, word by word.
#[test]
fn the_snippets_are_those_of_the_clients() {
    let document = fs::read_to_string("examples/clients.md").unwrap();
    let mut blocks = document.split("\n```");
    let mut checked = 0;
    while let (Some(_), Some(block)) = (blocks.next(), blocks.next()) {
        let (language, snippet) = block.split_once('\n').unwrap();
        let program = match language {
            "sh" => "curl.sh",
            "python" => "python_client.py",
            "js" => "node_client.mjs",
            _ => continue,
        };
        let program = fs::read_to_string(Path::new("examples/clients").join(program)).unwrap();
        assert!(
            program.contains(snippet),
            "the {language} snippet of examples/clients.md is not in its program"
        );
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// A GET and a POST are accepted. `.ci/foreign_clients` also shows that another secret is refused.
async fn check_client(mut client: Command) {
    let host = Host::start(&[]).await;
    client
        .env("HMAC_AUTH_SECRET", &*SECRET)
        .env("NO_PROXY", "127.0.0.1");
    let output = client.arg(host.url.to_string()).output().await.unwrap();
    let answers = text(&output.stdout);
    assert!(
        output.status.success(),
        "{answers}{}{}",
        text(&output.stderr),
        host.stop().await
    );
    assert!(answers.contains(r#""received":{"month":11}"#), "{answers}");
    assert_eq!(host.stop().await, "");
}

/// The `host` example, listening on a free port; ends with this value.
struct Host {
    process: Child,
    url: Uri,
}

impl Host {
    async fn start(args: &[&str]) -> Self {
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

    fn consumer_command(&self, method: &str) -> Command {
        let mut command = example("consumer");
        command.args([method, &self.url.to_string()]);
        command
    }

    async fn consumer(&self, method: &str, args: &[&str]) -> Output {
        self.consumer_command(method)
            .args(args)
            .output()
            .await
            .unwrap()
    }

    /// What it has told its operator.
    async fn stop(mut self) -> String {
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

/// Cargo puts the examples beside the directory of this test.
fn example(name: &str) -> Command {
    let program = build_dir()
        .join("examples")
        .join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "no {}: `cargo test --test examples` does not build it, `cargo build --examples` does",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .env("HMAC_AUTH_SECRET", &*SECRET)
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    command
}

/// `target/debug`, of `target/debug/deps/examples-…`.
fn build_dir() -> PathBuf {
    env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// Where `.ci/foreign_clients` installs the packages of the clients.
fn foreign_clients() -> PathBuf {
    build_dir().with_file_name("foreign-clients")
}

fn signed(request: http::request::Builder, body: impl Into<Vec<u8>>) -> Request<Vec<u8>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&SECRET).unwrap());
    let mut request = request.body(body.into()).unwrap();
    sign_request(&mut request, &secrets, &SignOptions::new()).unwrap();
    request
}

async fn send(request: Request<Vec<u8>>) -> (StatusCode, String) {
    let client = Client::builder().no_proxy().build().unwrap();
    let response = client.execute(request.try_into().unwrap()).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn runs(program: &str, args: &[&str]) -> bool {
    let output = Command::new(program).args(args).output().await;
    output.is_ok_and(|output| output.status.success())
}

/// Past the test harness, which hides what a passing test prints.
fn skip(reason: &str) {
    io::stderr()
        .write_all(format!("SKIPPED: {reason}\n").as_bytes())
        .unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
