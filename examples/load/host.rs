//! The host: the same handlers with and without authentication.

use std::{
    env, fs,
    hint::black_box,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    process::{self, Child, Command, Stdio},
    sync::LazyLock,
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode},
    routing::post,
};
use hmac::{Hmac, KeyInit, Mac};
use hmac_auth::{
    MemoryReplayGuard, MemorySecrets, Secret, ValidateOptions, tower::ValidateAuthLayer,
};
use http_body::Frame;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tower::layer::util::Identity;

use crate::consumers;

pub(crate) const AUTHORITY: &str = "host.example";

/// The key ids that the host lists; each is also the name of the secret.
pub(crate) const SITES: [&str; 2] = ["site-a", "site-b"];

/// Why the host has refused, which no host in production tells.
pub(crate) const REFUSED: HeaderName = HeaderName::from_static("x-refused");

const SECRET: &str = "a secret of the host and ";

pub(crate) fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    for site in SITES {
        secrets.insert(
            site,
            Secret::from_text(&format!("{SECRET}{site}")).expect("long enough"),
        );
    }
    secrets
}

pub(crate) fn validate_options() -> ValidateOptions {
    let options = ValidateOptions::new()
        .authorities([AUTHORITY])
        .key_ids(SITES.map(|site| (site, site)));
    options.check().expect("options that agree");
    options
}

/// With room for all requests of a minute.
pub(crate) fn replay_guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new()
        .capacity(1 << 23)
        .capacity_per_consumer(1 << 23)
}

pub(crate) fn layer() -> ValidateAuthLayer {
    let layer = ValidateAuthLayer::new(secrets(), validate_options()).replay_guard(replay_guard());
    layer.map_refusal(|mut response, error, _| {
        response
            .headers_mut()
            .insert(REFUSED, HeaderValue::from_static(error.kind().as_str()));
        response
    })
}

fn app() -> Router {
    Router::new()
        .route("/plain", post(plain))
        .route("/inline", post(inline))
        .route("/inline-layered", post(inline).layer(Identity::new()))
        .route("/layer", post(plain).layer(layer()))
        .route("/listed", post(plain).layer(consumers::listed()))
        .route("/found", post(plain).layer(consumers::found()))
        .route(
            "/orders/{id}",
            post(plain).put(plain).get(plain).layer(layer()),
        )
        .route("/drain", post(drain))
        .route("/hash", post(hash))
        .route(
            "/upload",
            post(drain).layer(layer().max_body_len(u64::MAX).streaming()),
        )
}

async fn plain(body: Bytes) -> &'static str {
    black_box(body);
    "ok"
}

/// What hashing alone costs: one digest, and one MAC over about what a signature covers.
async fn inline(request: Request) -> &'static str {
    static KEY: LazyLock<Hmac<Sha256>> = LazyLock::new(|| {
        Hmac::new_from_slice(SECRET.as_bytes()).expect("HMAC takes a key of any length")
    });
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 2 << 20).await else {
        return "too large";
    };
    black_box(Sha256::digest(&body));
    let mut mac = KEY.clone();
    mac.update(parts.method.as_str().as_bytes());
    mac.update(parts.uri.path().as_bytes());
    for field in ["host", "content-digest", "content-type", "signature-input"] {
        mac.update(field.as_bytes());
        mac.update(parts.headers[field].as_bytes());
    }
    black_box(mac.finalize());
    "ok"
}

async fn drain(body: Body) -> StatusCode {
    read(body, |bytes| {
        black_box(bytes);
    })
    .await
}

async fn hash(body: Body) -> StatusCode {
    let mut hash = Sha256::new();
    let status = read(body, |bytes| hash.update(bytes)).await;
    black_box(hash.finalize());
    status
}

async fn read(mut body: Body, mut each: impl FnMut(&[u8])) -> StatusCode {
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(bytes)) => each(&bytes),
            Ok(Err(_)) => {}
            Err(_) => return StatusCode::BAD_REQUEST,
        }
    }
    StatusCode::OK
}

/// Serves until the process that has started this one is gone.
pub(crate) fn serve() {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app())
            .await
            .expect("axum never stops");
    });
}

/// On this thread alone.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// The process of a host.
pub(crate) struct Host {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Host {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env::current_exe().expect("the path of this program"))
            .args(["--role", "host"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can run");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut address)
            .expect("a line");
        Self {
            child,
            address: address.trim().parse().expect("an address"),
        }
    }

    /// A value of `/proc/…/status` in KiB, where there is one.
    pub(crate) fn memory(&self, name: &str) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .ok()
    }

    /// The time that its thread was running, where the system tells: other processes hardly change it.
    pub(crate) fn busy(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).ok()?;
        stat.split(' ')
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
