//! A consumer that signs and sends in one call, and signs anew for each retry. The host that it calls runs in the same process.
//!
//! ```text
//! cargo run --example invoke
//! ```
//!
//! The host is busy when it is called for the first time. The exit code is 0 if it has accepted the consumer in the end.

use std::{
    error::Error,
    net::SocketAddr,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{Router, routing::post};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions,
    client::{Client, InvokeError, invoke},
    generate_secret,
    signature::Scheme,
    tower::ValidateAuthLayer,
};
use http::{StatusCode, header::CONTENT_TYPE};
use reqwest::{Request, Response};
use tokio::{net::TcpListener, time::sleep};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Both sites store the same text.
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let address = start_host(secrets.clone()).await?;

    let client = Client::new(
        reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30)),
    )?;
    let request = client.post(format!("http://{address}/_functions/siteStats"));
    let request = request
        .header(CONTENT_TYPE, "application/json")
        .body(r#"{"month":11}"#)
        .build()?;
    let response = invoke_patiently(&client, request, &secrets).await?;
    let status = response.status();
    println!("{status}\n{}", response.text().await?);
    Ok(if status.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tries up to three times, which suits a question: to the host, each attempt is a request of its own.
async fn invoke_patiently(
    client: &Client,
    request: Request,
    secrets: &MemorySecrets,
) -> Result<Response, InvokeError> {
    let options = SignOptions::new();
    for pause in [Duration::from_millis(100), Duration::from_millis(500)] {
        // A clone is not signed yet: each attempt gets a time and a nonce of its own.
        let Some(attempt) = request.try_clone() else {
            break;
        };
        match invoke(client, attempt, secrets, &options).await {
            Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
                println!("{}", response.status());
            }
            Err(InvokeError::Send(error)) if error.is_connect() => println!("{error}"),
            result => return result,
        }
        sleep(pause).await;
    }
    invoke(client, request, secrets, &options).await
}

async fn start_host(secrets: MemorySecrets) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    let app = Router::new()
        .route("/_functions/siteStats", post(site_stats))
        .layer(ValidateAuthLayer::new(secrets, options));
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(address)
}

/// Whoever gets here has been validated.
async fn site_stats(question: String) -> (StatusCode, String) {
    static IS_BUSY: AtomicBool = AtomicBool::new(true);
    if IS_BUSY.swap(false, Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy".to_owned());
    }
    (
        StatusCode::OK,
        format!(r#"{{"question":{question},"revenue":80091.23}}"#),
    )
}
