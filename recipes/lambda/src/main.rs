//! A host in AWS Lambda, behind a function URL or an HTTP API: events of the payload format 2.0.
//!
//! - Both hand on the query and `Host` as they were sent. An HTTP API percent-decodes the path, so
//!   consumers call plain paths there. Use the stage `$default`. An API mapping such as `v1` is cut
//!   off the path: `.path_prefix("/v1")` puts it back.
//! - A REST API (v1) and a load balancer (ALB) hand on the path and `Host`, but the query only as a
//!   map, without order and encoding. Nobody can build again what was signed: use no query there.

use std::error::Error;

use axum::{Router, routing::get};
use hmac_auth::{
    EnvSecrets, MemoryReplayGuard, ValidateOptions, Validated, tower::ValidateAuthLayer,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets)?;
    // A request that starts an instance is older than its guard, so that must not count.
    // Instances share no memory: a `ReplayGuard` over a table with conditional writes, such as
    // DynamoDB, is for all of them.
    let guard = MemoryReplayGuard::new().accept_replays_across_restarts();
    let validate = ValidateAuthLayer::new(secrets, options).replay_guard(guard);
    let app = Router::new().route("/orders/{id}", get(hello).post(echo)).layer(validate);
    lambda_http::run(app).await
}

async fn hello(validated: Validated) -> String {
    format!("hello, {}", validated.consumer())
}

async fn echo(body: String) -> String {
    body
}
