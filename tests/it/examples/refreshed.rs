//! The host whose secret another service keeps, beside a stand-in for that service.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, routing::get};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, generate_secret, sign_request,
};
use http::{HeaderMap, Request, StatusCode, header::CONNECTION};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::TcpListener,
    process::Child,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::support::example::{example, send, text};

const TOKEN: &str = "a-token-of-the-host";
const MAX_AGE: f64 = 1.0;

/// The service: what it answers, and how often it was asked with the token.
#[derive(Clone, Default)]
struct Service(Arc<Mutex<(Answer, usize)>>);

type Answer = (StatusCode, String);

impl Service {
    async fn start() -> (Self, String, JoinHandle<()>) {
        let service = Self::default();
        let answer = |State(service): State<Self>, headers: HeaderMap| async move {
            let mut state = service.0.lock().unwrap();
            state.1 += 1;
            let knows_token = headers.get("x-vault-token").is_some_and(|it| it == TOKEN);
            let (status, body) = if knows_token {
                state.0.clone()
            } else {
                (StatusCode::FORBIDDEN, String::new())
            };
            // So that nothing is left when the service goes.
            (status, [(CONNECTION, "close")], body)
        };
        let app = Router::new()
            .route("/v1/secret/data/site-a", get(answer))
            .with_state(service.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/v1/secret/data/site-a");
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (service, url, serving)
    }

    fn answers(&self, status: StatusCode, body: impl Into<String>) {
        self.0.lock().unwrap().0 = (status, body.into());
    }

    /// As Vault does.
    fn has(&self, current: &str, previous: Option<&str>) {
        let data = serde_json::json!({ "current": current, "previous": previous });
        let answer = serde_json::json!({ "data": { "data": data } });
        self.answers(StatusCode::OK, answer.to_string());
    }

    /// Waits until it was asked so often from now on, and the answers have arrived.
    async fn asked(&self, times: usize) {
        let count = || self.0.lock().unwrap().1;
        let before = count();
        // The answer to the last of them counts once the next one is asked for.
        until("the service is asked", || count() > before + times).await;
    }
}

struct Host {
    process: Child,
    url: String,
    log: Arc<Mutex<String>>,
}

impl Host {
    async fn start(url: &str, args: &[&str]) -> Self {
        let mut process = example("refreshed_secrets")
            .env("SOURCE_TOKEN", TOKEN)
            .args(["--listen", "127.0.0.1:0", "--token-header", "X-Vault-Token"])
            .args(["--url", url, "--every", "0.1"])
            .args(["--max-age", &MAX_AGE.to_string()])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collected(process.stderr.take().unwrap());
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            panic!("the host did not start: {}", log.lock().unwrap());
        };
        let url = url.to_owned();
        Self { process, url, log }
    }

    async fn call(&self, secret: &str) -> (StatusCode, String) {
        let secrets = MemorySecrets::new();
        secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(secret).unwrap());
        let mut request = Request::get(&self.url).body(Vec::new()).unwrap();
        sign_request(&mut request, &secrets, &SignOptions::new()).unwrap();
        send(request).await
    }

    #[track_caller]
    fn accepts(&self, secret: &str, as_which: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let expected = (StatusCode::OK, format!("the {as_which} secret"));
            assert_eq!(self.call(secret).await, expected, "{caller}");
        }
    }

    fn lines(&self, with: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let lines = log.lines().filter(|line| line.contains(with));
        lines.map(str::to_owned).collect()
    }

    async fn logs(&self, line: &str) {
        until(line, || !self.lines(line).is_empty()).await;
    }

    async fn stop(mut self, secrets: &[&str]) {
        self.process.kill().await.unwrap();
        let log = self.log.lock().unwrap();
        for secret in secrets.iter().chain([&TOKEN]) {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

fn collected(stderr: impl AsyncRead + Unpin + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let copy = Arc::clone(&log);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            let mut copy = copy.lock().unwrap();
            copy.push_str(&line);
            copy.push('\n');
        }
    });
    log
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = timeout(Duration::from_secs(30), wait).await;
    assert!(waited.is_ok(), "not in 30 s: {what}");
}

/// Of an event such as `WARN …: the secret is old name="…" age_seconds=0.3 …`.
fn age(event: &str) -> f64 {
    let (_, rest) = event.split_once("age_seconds=").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn new_secrets<const N: usize>() -> [String; N] {
    std::array::from_fn(|_| generate_secret().unwrap())
}

#[tokio::test]
async fn a_new_value_is_taken_over() {
    let (service, url, _serving) = Service::start().await;
    let [first, second, third] = new_secrets();
    service.has(&first, None);
    let host = Host::start(&url, &["--pointer", "/data/data"]).await;
    host.accepts(&first, "current").await;
    assert_eq!(host.call(&second).await.0, StatusCode::UNAUTHORIZED);

    service.has(&second, Some(&first));
    host.logs("the secret has changed").await;
    host.accepts(&second, "current").await;
    host.accepts(&first, "previous").await;

    // The end of the rotation, and what leaks is replaced at once.
    service.has(&third, None);
    service.asked(1).await;
    host.accepts(&third, "current").await;
    for revoked in [&first, &second] {
        assert_eq!(host.call(revoked).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(host.lines("the secret has changed").len(), 2);
    assert!(host.lines("not refreshed").is_empty());
    host.stop(&[&first, &second, &third]).await;
}

#[tokio::test]
async fn the_last_good_value_stays_while_the_service_is_down() {
    let (service, url, serving) = Service::start().await;
    let [first, second] = new_secrets();
    service.has(&first, None);
    let host = Host::start(&url, &["--pointer", "/data/data"]).await;

    service.answers(StatusCode::SERVICE_UNAVAILABLE, &*second);
    host.logs("the secret was not refreshed").await;
    host.accepts(&first, "current").await;
    host.logs("the secret is old").await;
    host.accepts(&first, "current").await;
    let young = host.lines("the secret was not refreshed");
    assert!(young.iter().all(|line| age(line) < MAX_AGE), "{young:?}");
    assert!(young[0].contains("WARN") && young[0].contains("503"));
    let old = host.lines("the secret is old");
    assert!(old.iter().all(|line| age(line) >= MAX_AGE), "{old:?}");
    assert!(old[0].contains("ERROR") && old[0].contains(r#"name="site-a-secret""#));

    // It comes back, and goes for good.
    service.has(&second, None);
    host.logs("the secret has changed").await;
    host.accepts(&second, "current").await;
    serving.abort();
    host.logs("cannot be reached").await;
    host.accepts(&second, "current").await;
    host.stop(&[&first, &second]).await;
}

#[tokio::test]
async fn a_malformed_answer_changes_nothing() {
    let (service, url, _serving) = Service::start().await;
    let [good, other] = new_secrets();
    service.has(&good, None);
    let host = Host::start(&url, &["--pointer", "/data/data"]).await;
    let short = &other[..15];
    for (answer, event) in [
        (other.clone(), "the answer is not JSON"),
        (format!(r#"{{"data":"{other}"}}"#), "nothing at `--pointer`"),
        (
            format!(r#"{{"data":{{"data":"{other}"}}}}"#),
            "the secret is not {",
        ),
        (
            format!(r#"{{"data":{{"data":{{"currant":"{other}"}}}}}}"#),
            "the secret is not {",
        ),
        (
            format!(r#"{{"data":{{"data":{{"current":"{other}","previous":["{good}"]}}}}}}"#),
            "the secret is not {",
        ),
        (
            format!(r#"{{"data":{{"data":{{"current":"{short}"}}}}}}"#),
            "the secret has 15 bytes",
        ),
        (other.repeat(2_000), "the answer has more than 65536 bytes"),
    ] {
        let before = host.lines(event).len();
        service.answers(StatusCode::OK, answer);
        until(event, || host.lines(event).len() > before + 1).await;
        host.accepts(&good, "current").await;
        service.has(&good, None);
        service.asked(1).await;
    }
    assert!(host.lines("the secret has changed").is_empty());
    host.stop(&[&good, &other, short]).await;
}

/// As a text, plain or in base64: so the others do.
#[tokio::test]
async fn a_secret_may_be_text_in_an_answer() {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let [current, previous] = new_secrets();
    let secret = serde_json::json!({ "current": current, "previous": previous }).to_string();
    for (answer, args) in [
        (
            serde_json::json!({ "SecretString": secret }),
            &["--pointer", "/SecretString"][..],
        ),
        (
            serde_json::json!({ "payload": { "data": STANDARD.encode(&secret) } }),
            &["--pointer", "/payload/data", "--base64"],
        ),
    ] {
        let (service, url, _serving) = Service::start().await;
        service.answers(StatusCode::OK, answer.to_string());
        let host = Host::start(&url, args).await;
        host.accepts(&current, "current").await;
        host.accepts(&previous, "previous").await;
        host.stop(&[&current, &previous]).await;
    }
}

#[tokio::test]
async fn without_a_first_value_nothing_starts() {
    let (service, url, _serving) = Service::start().await;
    service.answers(StatusCode::OK, "{}");
    for (url, token, complaint) in [
        (&*url, Some(TOKEN), "nothing at `--pointer`"),
        (&*url, Some("another"), "the source answers 403 Forbidden"),
        (&*url, None, "there is no SOURCE_TOKEN"),
        ("http://127.0.0.1:9", Some(TOKEN), "cannot be reached"),
    ] {
        let mut command = example("refreshed_secrets");
        match token {
            Some(token) => command.env("SOURCE_TOKEN", token),
            None => command.env_remove("SOURCE_TOKEN"),
        };
        command.args(["--token-header", "X-Vault-Token", "--pointer", "/data/data"]);
        let output = command.args(["--url", url]).output().await.unwrap();
        let log = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains(complaint) && !log.contains(TOKEN), "{log}");
        assert_eq!(text(&output.stdout), "");
    }
}
