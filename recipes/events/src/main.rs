//! Server-sent events with axum 0.8: a signed request, whose answer streams through the layer.
//!
//! A consumer that reconnects signs anew. Browsers cannot sign, so this is for servers.

use std::{convert::Infallible, env, error::Error, time::Duration};

use axum::{
    Router,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use hmac_auth::{EnvSecrets, ValidateOptions, Validated, tower::ValidateAuthLayer};
use tokio::{net::TcpListener, time::interval};
use tokio_stream::{Stream, StreamExt, wrappers::IntervalStream};

/// A proof is for the moment of the request: after this, the consumer has to prove itself again.
const LONGEST_STREAM: Duration = Duration::from_secs(15 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-events ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")])
        // The handler reads it, so nobody else may add it.
        .require_if_present("last-event-id");
    options.check_with(&secrets)?;
    let app =
        Router::new().route("/events", get(events)).layer(ValidateAuthLayer::new(secrets, options));
    Ok(axum::serve(TcpListener::bind(address).await?, app).await?)
}

async fn events(
    validated: Validated,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let mut id: u64 = last.unwrap_or(0);
    let ticks = IntervalStream::new(interval(Duration::from_millis(200)));
    let events = ticks.map(move |_| {
        id += 1;
        Ok(Event::default().id(id.to_string()).data(format!("for {}", validated.consumer())))
    });
    let events = events.take((LONGEST_STREAM.as_millis() / 200) as usize);
    Sse::new(events).keep_alive(KeepAlive::default())
}
