//! A host on one thread, in a process of its own.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{self, Child, Command, Stdio},
    thread,
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderName, HeaderValue},
};
use hmac_auth::{
    MemoryReplayGuard, MemorySecrets, Secret, ValidateOptions, tower::ValidateAuthLayer,
};
use tokio::net::TcpListener;

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

/// A layer that names its refusals.
pub(crate) fn layer(
    secrets: MemorySecrets,
    options: ValidateOptions,
    guard: MemoryReplayGuard,
) -> ValidateAuthLayer {
    let layer = ValidateAuthLayer::new(secrets, options).replay_guard(guard);
    layer.map_refusal(|mut response, error, _| {
        response
            .headers_mut()
            .insert(REFUSED, HeaderValue::from_static(error.kind().as_str()));
        response
    })
}

/// Serves until the process that has started this one is gone. What that one says is told line by line.
pub(crate) fn serve(app: Router, mut told: impl FnMut(&str) + Send + 'static) {
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            told(&line);
        }
        process::exit(0);
    });
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("axum never stops");
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
    pub(crate) child: Child,
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
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut address = String::new();
        output.read_line(&mut address).expect("a line");
        child.stdout = Some(output.into_inner());
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
