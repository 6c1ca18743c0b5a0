//! A rate limit for each consumer, with axum 0.8 and governor: inside of the layer, where the
//! consumer is proven. Nobody can use up the rate of another one, and only listed names count.
//!
//! The body has been read and hashed by then. Limit connections and bytes outside of the layer.

use std::{env, error::Error, num::NonZeroU32, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::RETRY_AFTER},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use hmac_auth::{EnvSecrets, ValidateOptions, Validated, tower::ValidateAuthLayer};
use tokio::net::TcpListener;

/// How many requests a consumer may send in a minute, and how many at once.
const RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

type Limiter = Arc<DefaultKeyedRateLimiter<String>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-rate-limit ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret"), ("site-b", "site-b-secret")]);
    options.check_with(&secrets)?;
    let limiter: Limiter = Arc::new(RateLimiter::keyed(Quota::per_minute(RATE)));
    let app = Router::new()
        .route("/orders/{id}", get(hello))
        .layer(from_fn_with_state(limiter, limit))
        // The last layer is the outermost one.
        .layer(ValidateAuthLayer::new(secrets, options));
    Ok(axum::serve(TcpListener::bind(address).await?, app).await?)
}

async fn limit(
    State(limiter): State<Limiter>,
    validated: Validated,
    request: Request,
    next: Next,
) -> Response {
    match limiter.check_key(&validated.consumer().to_owned()) {
        Ok(()) => next.run(request).await,
        // The signature is used up: the consumer waits, and signs anew.
        Err(until) => {
            let wait = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            let retry_after = [(RETRY_AFTER, wait.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, retry_after).into_response()
        }
    }
}

async fn hello(validated: Validated) -> String {
    format!("hello, {}", validated.consumer())
}
