//! An axum host: requests whose bodies are held in memory, and uploads that are streamed to a file.
//!
//! ```text
//! cargo run --example axum_host
//! ```
//!
//! It serves on a free port and calls itself once on each route; the exit code is 0 if both are accepted.

use std::error::Error;

use axum::{
    Extension, Json, Router,
    body::Body,
    http::StatusCode,
    routing::{post, put},
};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, Validated,
    client::{Client, invoke},
    generate_secret,
    signature::Scheme,
    tower::{Upload, ValidateAuthLayer},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    // `http` because there is no TLS proxy in front of it, which is what hosts are reached through by default.
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    // Fingerprints, for the operator to compare with those of a consumer: they are safe to show, as the secret was generated.
    eprintln!("{secrets:?}");
    let validate = ValidateAuthLayer::new(secrets.clone(), options);
    let uploads = Router::new()
        .route("/upload", put(upload))
        .layer(validate.clone().max_body_len(1 << 30).streaming());
    let app = Router::new()
        .route("/_functions/siteStats", post(site_stats))
        .layer(validate)
        .merge(uploads);
    tokio::spawn(axum::serve(listener, app).into_future());

    let client = Client::new(reqwest::Client::builder().no_proxy())?;
    let stats = client
        .post(format!("http://{address}/_functions/siteStats"))
        .body(r#"{"month":11}"#);
    let upload = client
        .request(http::Method::PUT, format!("http://{address}/upload"))
        .body(vec![7; 1024 * 1024]);
    for request in [stats, upload] {
        let response = invoke(
            &client,
            request.build()?,
            &secrets,
            &SignOptions::new().key_id("site-a"),
        )
        .await?;
        println!(
            "{} {}",
            response.status(),
            response.error_for_status()?.text().await?
        );
    }
    Ok(())
}

/// `Validated` is the proof: without the layer there is none, and this handler answers 500.
async fn site_stats(Extension(validated): Extension<Validated>, body: String) -> Json<Value> {
    Json(json!({ "consumer": validated.consumer(), "keyId": validated.key_id(), "asked": body }))
}

/// What this answers to a body that is not as signed, the layer replaces by the refusal.
async fn upload(Extension(upload): Extension<Upload>, body: Body) -> Result<String, StatusCode> {
    save(&upload, body).await.map_err(|error| {
        eprintln!("upload of {}: {error}", upload.consumer());
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

/// Until the end of the body, the file is temporary: dropped, it is gone.
async fn save(upload: &Upload, mut body: Body) -> Result<String, Box<dyn Error + Send + Sync>> {
    let unproven = tempfile::NamedTempFile::new()?;
    let mut file = tokio::fs::File::from_std(unproven.reopen()?);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            file.write_all(&data).await?;
        }
    }
    file.flush().await?;
    let validated = upload.validated().ok_or("the body has not ended")?;
    // Now it may be kept: `unproven.persist(path)`.
    Ok(format!(
        "{} bytes, signed at {}",
        unproven.as_file().metadata()?.len(),
        validated.created()
    ))
}
