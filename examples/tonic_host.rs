//! A gRPC host and client on tonic, with unary calls: the health service of tonic-health, for those who can sign.
//!
//! ```text
//! cargo run --example tonic_host
//! ```
//!
//! It serves on a free port and calls itself with and without a signature; the exit code is 0 if only the signed call is answered.

use std::error::Error;

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, generate_secret,
    signature::Scheme,
    tower::{BufferedBody, SignRequestLayer, ValidateAuthLayer},
};
use tokio::net::TcpListener;
use tonic::{Code, body::Body, service::Routes, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::ServiceBuilder;
use tower_http::map_request_body::MapRequestBodyLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    let (_reporter, health) = tonic_health::server::health_reporter();
    // A tonic server is an axum router; its body can be made from bytes.
    let app = Routes::new(health)
        .into_axum_router()
        .layer(ValidateAuthLayer::new(secrets.clone(), options));
    tokio::spawn(axum::serve(listener, app).into_future());

    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect()
        .await?;
    let unsigned = HealthClient::new(channel.clone())
        .check(HealthCheckRequest::default())
        .await;
    // The channel adds scheme and authority below this layer, so the client is given them here.
    let signing = ServiceBuilder::new()
        .layer(MapRequestBodyLayer::new(BufferedBody::new))
        .layer(SignRequestLayer::new(
            secrets,
            SignOptions::new().key_id("site-a"),
        ))
        .layer(MapRequestBodyLayer::new(Body::new))
        .service(channel);
    let mut client = HealthClient::with_origin(signing, format!("http://{address}").parse()?);
    let signed = client.check(HealthCheckRequest::default()).await?;

    println!("signed: {:?}", signed.into_inner().status());
    println!("unsigned: {unsigned:?}");
    match unsigned {
        Err(status) if status.code() == Code::Unauthenticated => Ok(()),
        _ => Err("the unsigned call was not refused".into()),
    }
}
