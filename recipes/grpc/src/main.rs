//! Server streaming with tonic 0.14: the call is one message, which is signed, and many come back.
//!
//! Client and bidirectional streaming cannot be signed. The signature is in the head, which travels
//! first, and must cover the digest of the body, which a stream gives at its end. A body without a
//! covered digest is refused.
//!
//! The service here is `grpc.health.v1.Health`, whose `Watch` streams.

use std::{env, error::Error};

use hmac_auth::{EnvSecrets, ValidateOptions, tower::ValidateAuthLayer};
use tokio::net::TcpListener;
use tonic::service::Routes;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: recipe-grpc ADDRESS")?;
    let secrets = EnvSecrets::new("");
    let options = ValidateOptions::new()
        .authorities(["api.example.com"])
        .key_ids([("site-a", "site-a-secret")]);
    options.check_with(&secrets)?;
    // A service of your own finds the proof in `request.extensions().get::<Validated>()`. A stream
    // that it makes should end after a while, so that the consumer proves itself again.
    let (_reporter, health) = tonic_health::server::health_reporter();
    let app =
        Routes::new(health).into_axum_router().layer(ValidateAuthLayer::new(secrets, options));
    Ok(axum::serve(TcpListener::bind(address).await?, app).await?)
}
