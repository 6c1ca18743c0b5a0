//! The host: a directory of consumers behind a cache, a route that enforces, one that observes.

use std::{
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    routing::{MethodRouter, get, post},
};
use hmac_auth::{
    AuthError, CachedDirectory, Consumer, ConsumerDirectory, FindConsumer, MemoryReplayGuard,
    Secret, ValidateOptions, describe_metrics, generate_secret, signature::Scheme,
    tower::ValidateAuthLayer,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::net::TcpListener;

/// The key id and the name of each consumer.
pub(crate) const SHOPS: [(&str, &str); 3] = [
    ("shop-1", "Flowers"),
    ("shop-2", "Books"),
    ("shop-3", "Tea"),
];

/// From 1 µs on, three for each power of ten.
const BUCKETS: [f64; 13] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2,
];

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) secrets: HashMap<&'static str, Secret>,
    pub(crate) directory_is_down: Arc<AtomicBool>,
    pub(crate) started: Instant,
}

impl Host {
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut secrets = HashMap::new();
        for (key_id, _) in SHOPS {
            secrets.insert(key_id, Secret::from_text(&generate_secret()?)?);
        }
        let database = Database {
            consumers: SHOPS
                .map(|(key_id, name)| (key_id, Consumer::new(name, secrets[key_id].clone())))
                .into(),
            is_down: Arc::default(),
        };
        let directory_is_down = Arc::clone(&database.is_down);

        let metrics = recorder()?;
        // Short times, so that a minute shows all of it.
        let directory = CachedDirectory::new(database)
            .time_to_live(Duration::from_secs(3))
            .revocation_time(Duration::from_secs(8));
        let options = ValidateOptions::new()
            .authorities([address.to_string()])
            .external_scheme(Scheme::Http)
            .max_time_diff(Duration::from_secs(20));
        options.check()?;
        let guard = MemoryReplayGuard::new().capacity(6_000);
        guard.record_metrics();
        let validate = ValidateAuthLayer::with_directory(directory, options).replay_guard(guard);

        let app = Router::new()
            .route("/orders", post(async || "enforced").layer(validate.clone()))
            .route(
                "/reports",
                get(async || "observed").layer(validate.observing()),
            )
            .route("/metrics", metrics);
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self {
            address,
            secrets,
            directory_is_down,
            started: Instant::now(),
        })
    }
}

/// Installs the recorder for the whole process, and returns its endpoint.
fn recorder() -> Result<MethodRouter, Box<dyn Error>> {
    let seconds = Matcher::Full("hmac_auth_validation_seconds".to_owned());
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &BUCKETS)?
        .install_recorder()?;
    describe_metrics();
    Ok(get(async move || {
        prometheus.run_upkeep();
        prometheus.render()
    }))
}

/// Stands for a database over a network.
struct Database {
    consumers: HashMap<&'static str, Consumer>,
    is_down: Arc<AtomicBool>,
}

impl ConsumerDirectory for Database {
    fn find(&self, key_id: &str) -> FindConsumer {
        let answer = if self.is_down.load(Ordering::Relaxed) {
            Err(AuthError::directory_unavailable("no route to the database"))
        } else {
            Ok(self.consumers.get(key_id).cloned())
        };
        FindConsumer::pending(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            answer
        })
    }
}
