//! The host: every consumer in the database may call it.

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Extension, Router, routing::get};
use hmac_auth::{
    ConsumerDirectory, ValidateOptions, Validated, signature::Scheme, tower::ValidateAuthLayer,
};
use tokio::net::TcpListener;

use crate::directory::Tenant;

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// What the operator of the host can know, and no peer.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// How many requests had a previous secret.
    pub(crate) by_previous_secret: u64,
    /// How many requests were refused, by the kind of the refusal.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// The reasons of those with 503.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Host {
    pub(crate) async fn start(
        directory: impl ConsumerDirectory + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        // Consumers of this example say `http`. Behind a TLS proxy, the default is right.
        let options = ValidateOptions::new()
            .authorities([address.to_string()])
            .external_scheme(Scheme::Http);
        let refusals = Arc::clone(&seen);
        let layer = ValidateAuthLayer::with_directory(directory, options).map_refusal(
            move |answer, error, _| {
                let mut seen = refusals.lock().expect("no panic");
                *seen.refused.entry(error.kind().as_str()).or_default() += 1;
                if error.status().is_server_error() {
                    *seen.failures.entry(format!("{error:#}")).or_default() += 1;
                }
                answer
            },
        );
        layer.check()?;
        let app = Router::new()
            .route("/orders", get(orders))
            .layer(layer)
            .layer(Extension(Arc::clone(&seen)));
        tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self { address, seen })
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().expect("no panic").clone()
    }
}

/// What is attached belongs to the secret that has signed: no further look-up says who calls.
async fn orders(
    Extension(validated): Extension<Validated>,
    Extension(seen): Extension<Arc<Mutex<Seen>>>,
) -> String {
    if validated.by_previous_secret() {
        seen.lock().expect("no panic").by_previous_secret += 1;
    }
    let tenant = validated.attached::<Tenant>();
    let tenant = tenant.expect("the directory attaches it");
    format!(
        "{}: tenant {}, {}",
        validated.consumer(),
        tenant.id,
        tenant.scopes.join(" ")
    )
}
