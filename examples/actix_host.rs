//! An actix host with two workers, which share one replay guard.
//!
//! ```text
//! cargo run --example actix_host
//! ```
//!
//! It serves on a free port and calls itself; the exit code is 0 if the signed request is accepted once, and its copy is refused.

use std::{error::Error, net::TcpListener, sync::Arc};

use actix_web::{App, HttpServer, rt, web};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret, SignOptions, ValidateOptions,
    Validated,
    actix::ValidateAuth,
    client::{Client, invoke, sign},
    generate_secret,
    signature::Scheme,
};
use serde_json::{Value, json};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;

    // `http` because there is no TLS proxy in front of it, which is what hosts are reached through by default.
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    // Both are made outside of the closure, which actix calls for each worker: a request counts once for all of them.
    let guard = Arc::new(MemoryReplayGuard::new());
    let validate = ValidateAuth::new(secrets.clone(), options, guard)
        .unprotected([(http::Method::GET, "/health")]);
    validate.check()?;
    let server = HttpServer::new(move || {
        App::new()
            .route("/_functions/siteStats", web::post().to(site_stats))
            .route("/health", web::get().to(async || "ok"))
            .wrap(validate.clone())
    });
    let server = server.workers(2).listen(listener)?.run();
    let handle = server.handle();
    rt::spawn(server);

    let client = Client::new(reqwest::Client::builder().no_proxy())?;
    let options = SignOptions::new().key_id("site-a");
    let url = format!("http://{address}/_functions/siteStats");
    let stats = || {
        let request = client.post(&url).body(r#"{"month":11}"#);
        request.header("content-type", "application/json").build()
    };

    let response = invoke(&client, stats()?, &secrets, &options).await?;
    println!(
        "{} {}",
        response.status(),
        response.error_for_status()?.text().await?
    );
    // The same signature twice, with an ordinary client.
    let mut signed = stats()?;
    sign(&mut signed, &secrets, &options)?;
    let copy = signed.try_clone().ok_or("a body in memory")?;
    let plain = reqwest::Client::builder().no_proxy().build()?;
    let (first, second) = (plain.execute(signed).await?, plain.execute(copy).await?);
    println!("{}, then {}", first.status(), second.status());
    let health = plain.get(format!("http://{address}/health")).send().await?;
    println!("{} without a signature", health.status());

    handle.stop(true).await;
    if (first.status().as_u16(), second.status().as_u16()) != (200, 401) {
        return Err("a signature counts once".into());
    }
    Ok(())
}

/// `Validated` is the proof: without the middleware there is none, and this handler answers 500.
async fn site_stats(validated: Validated, asked: web::Json<Value>) -> web::Json<Value> {
    web::Json(json!({
        "consumer": validated.consumer(),
        "keyId": validated.key_id(),
        "asked": asked.into_inner(),
    }))
}
