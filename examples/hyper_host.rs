//! A host on plain hyper, for HTTP/1.1 and HTTP/2 on one port.
//!
//! ```text
//! cargo run --example hyper_host
//! ```
//!
//! It serves on a free port and calls itself over both versions; the exit code is 0 if both calls are accepted.

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, Validated,
    generate_secret,
    signature::Scheme,
    tower::{BufferedBody, SignRequestLayer, ValidateAuthLayer},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::map_request_body::MapRequestBodyLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    tokio::spawn(serve(
        listener,
        ValidateAuthLayer::new(secrets.clone(), options),
    ));

    for http2 in [false, true] {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http::<Full<Bytes>>();
        let client = ServiceBuilder::new()
            .layer(SignRequestLayer::new(secrets.clone(), SignOptions::new()))
            .service(client);
        let request = Request::post(format!("http://{address}/_functions/siteStats"))
            .body(Full::from(r#"{"month":11}"#))?;
        let response = client.oneshot(request).await?;
        let (status, version) = (response.status(), response.version());
        let body = response.into_body().collect().await?.to_bytes();
        println!("{version:?} {status} {}", String::from_utf8_lossy(&body));
        if !status.is_success() {
            return Err("refused".into());
        }
    }
    Ok(())
}

async fn serve(listener: TcpListener, validate: ValidateAuthLayer) -> std::io::Result<()> {
    let service = ServiceBuilder::new()
        // Hyper's body cannot be made from bytes; this one stands in for it.
        .layer(MapRequestBodyLayer::new(BufferedBody::new))
        .layer(validate)
        .service(service_fn(site_stats));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            if let Err(error) = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await
            {
                eprintln!("{error}");
            }
        });
    }
}

async fn site_stats(
    request: Request<BufferedBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let consumer = request
        .extensions()
        .get::<Validated>()
        .map(|validated| validated.consumer().to_owned());
    Ok(Response::new(Full::from(format!(
        "hello, {}",
        consumer.unwrap_or_default()
    ))))
}
