//! A host whose secret is kept by another service: Vault, or a secret manager of AWS, Google or Azure.
//!
//! ```text
//! export SOURCE_TOKEN=…
//! cargo run --example refreshed_secrets -- --token-header X-Vault-Token \
//!     --url https://vault.example/v1/secret/data/site-a --pointer /data/data
//! ```
//!
//! | service | `--url` | `--token-header` | `--pointer` |
//! | --- | --- | --- | --- |
//! | Vault, KV version 2 | `…/v1/secret/data/NAME` | `X-Vault-Token` | `/data/data` |
//! | AWS, through its Secrets Manager Agent | `http://localhost:2773/secretsmanager/get?secretId=NAME` | `X-Aws-Parameters-Secrets-Token` | `/SecretString` |
//! | Google | `https://secretmanager.googleapis.com/v1/projects/PROJECT/secrets/NAME/versions/latest:access` | `Authorization`, the token begins with `Bearer ` | `/payload/data`, with `--base64` |
//! | Azure | `https://VAULT.vault.azure.net/secrets/NAME?api-version=7.4` | `Authorization`, the token begins with `Bearer ` | `/value` |
//!
//! The secret is JSON in all of them: `{"current": "…", "previous": "…"}`. In a rotation, write both. Give the new one to the
//! consumer when all hosts have had the time of `--every`, and remove `previous` at the end. A host that restarts meanwhile
//! accepts both.
//!
//! `refresh.rs` and `source.rs` are the parts to copy. What is read passes through buffers of the HTTP client
//! and of the JSON reader, which nobody wipes.

use std::{error::Error, process::ExitCode, time::Duration};

use axum::{Extension, Router, routing::get};
use clap::Parser;
use hmac_auth::{
    MemorySecrets, ValidateOptions, Validated, signature::Scheme, tower::ValidateAuthLayer,
};
use http::HeaderName;
use reqwest::Url;
use tokio::net::TcpListener;

use crate::{
    refresh::Refresher,
    source::{Format, Source},
};

mod refresh;
mod source;

/// Only this host uses it.
const SECRET_NAME: &str = "site-a-secret";

/// Serves / to everyone who signs with the secret of a service, and reads it again and again.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the secret is
    #[arg(long)]
    url: Url,
    /// In which header the value of `SOURCE_TOKEN` goes
    #[arg(long, value_name = "NAME", default_value = "authorization")]
    token_header: HeaderName,
    /// Where in the answer the secret is, as a JSON pointer
    #[arg(long, default_value = "")]
    pointer: String,
    /// The secret is in base64
    #[arg(long)]
    base64: bool,
    /// How often the secret is read, give or take a tenth
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    every: Duration,
    /// After which time without a good answer the operator has to act
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    max_age: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    match serve(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> Result<(), Box<dyn Error>> {
    let token = std::env::var("SOURCE_TOKEN").map_err(|_| "there is no SOURCE_TOKEN")?;
    let format = Format {
        pointer: args.pointer,
        is_base64: args.base64,
    };
    let source = Source::new(args.url, args.token_header, &token, format)?;
    let secrets = MemorySecrets::new();
    let refresher = Refresher::new(source, secrets.clone(), SECRET_NAME)
        .every(args.every)
        .max_age(args.max_age);
    // A host without a secret does not start.
    let last_good = refresher.first().await?;
    tokio::spawn(refresher.run(last_good));

    let options = ValidateOptions::new()
        .secret_name(SECRET_NAME)
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    let app = Router::new()
        .route("/", get(who))
        .layer(ValidateAuthLayer::new(secrets, options));
    let listener = TcpListener::bind(&args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn who(Extension(validated): Extension<Validated>) -> &'static str {
    if validated.by_previous_secret() {
        "the previous secret"
    } else {
        "the current secret"
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
