//! The host, and what arrives there.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request, http::HeaderMap};
use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    Args,
    case::{NAME, OTHER_PORT},
};

/// Stands for the kind of a refusal, where there is none.
pub(crate) const ACCEPTED: &str = "accepted";

/// What the host saw of a request.
pub(crate) struct Arrival {
    /// The kind and the reason.
    pub(crate) refusal: Option<(&'static str, String)>,
}

/// All that arrived, with the name of its request.
#[derive(Clone, Default)]
pub(crate) struct Arrivals(Arc<Mutex<Vec<(String, Arrival)>>>);

impl Arrivals {
    fn add(&self, fields: &HeaderMap, refusal: Option<(&'static str, String)>) {
        let name = fields.get(NAME).and_then(|name| name.to_str().ok());
        let name = name.unwrap_or_default().to_owned();
        self.0.lock().unwrap().push((name, Arrival { refusal }));
    }

    /// What has arrived of this request. What came late of an earlier one is forgotten.
    pub(crate) fn take(&self, name: &str) -> Vec<Arrival> {
        let all = self.0.lock().unwrap().split_off(0);
        let named = all.into_iter().filter(|(one, _)| one == name);
        named.map(|(_, arrival)| arrival).collect()
    }
}

pub(crate) async fn start(
    args: &Args,
    secrets: MemorySecrets,
    arrivals: Arrivals,
) -> Result<SocketAddr, Box<dyn Error>> {
    let mut options = ValidateOptions::new().authorities([
        args.authority.clone(),
        format!("{}:{OTHER_PORT}", args.authority),
    ]);
    if let Some(field) = &args.trust_forwarded_host {
        options = options.trust_forwarded_host(field.clone());
    }
    options.check()?;
    let refused = arrivals.clone();
    let validate =
        ValidateAuthLayer::new(secrets, options).map_refusal(move |answer, error, head| {
            let refusal = (error.kind().as_str(), format!("{error:#}"));
            refused.add(&head.headers, Some(refusal));
            answer
        });
    let delay = Duration::from_millis(args.delay);
    let app = Router::new()
        .fallback(move |request: Request| async move {
            arrivals.add(request.headers(), None);
            sleep(delay).await;
        })
        .layer(validate);
    let listener = TcpListener::bind(args.listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(address)
}

impl Arrival {
    pub(crate) fn kind(&self) -> &'static str {
        self.refusal.as_ref().map_or(ACCEPTED, |(kind, _)| kind)
    }
}
