//! A host to try clients on: it answers `GET` and `POST /_functions/siteStats` to everyone who signs with the shared secret.
//!
//! ```text
//! export HMAC_AUTH_SECRET=$(openssl rand -hex 32)
//! cargo run --example host -- --listen 127.0.0.1:8080
//! ```
//!
//! Call it with the `consumer` example, or with curl, Python or Node as `examples/clients.md` shows. The operator reads why a
//! request was refused on stderr; the peer does not learn it. A host in production also limits time and connections.

use std::{error::Error, iter, net::SocketAddr, process::ExitCode};

use axum::{
    Extension, Json, Router, body::Bytes, extract::ConnectInfo, http::request, routing::get,
};
use clap::Parser;
use hmac_auth::{
    AuthError, EnvSecrets, SecretEncoding, ValidateOptions, Validated, signature::Scheme,
    tower::ValidateAuthLayer,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// `EnvSecrets` reads it from the variable `HMAC_AUTH_SECRET`, and what it was before the last rotation from
/// `HMAC_AUTH_SECRET_PREVIOUS`.
const SECRET_NAME: &str = "hmac-auth-secret";

/// The digest of a body is only known at its end, so a host decides how much it is ready to hold until then.
const MAX_BODY_LEN: u64 = 1024 * 1024;

/// Serves /_functions/siteStats to everyone who signs with the secret in `HMAC_AUTH_SECRET`.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// `HMAC_AUTH_SECRET` is hexadecimal [default: its UTF-8 text is the secret]
    #[arg(long)]
    hex: bool,
    /// Accept only this key id [default: any, and none]
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// An authority of this host, `host` or `host:port`; repeatable [default: any]
    #[arg(long = "authority", value_name = "HOST")]
    authorities: Vec<String>,
    /// The largest body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BODY_LEN)]
    max_body_len: u64,
    /// Accept a request as often as it is sent
    #[arg(long)]
    no_replay_guard: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> Result<(), Box<dyn Error>> {
    let app = Router::new()
        .route("/_functions/siteStats", get(site_stats).post(site_stats))
        // Around everything, also unknown paths and other methods: nothing answers before the request is validated.
        .layer(validation(&args)?);
    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

fn validation(args: &Args) -> Result<ValidateAuthLayer, Box<dyn Error>> {
    let encoding = if args.hex {
        SecretEncoding::Hex
    } else {
        SecretEncoding::Text
    };
    let secrets = EnvSecrets::new("").encoding(encoding);
    // Clients reach this host directly. Behind a TLS proxy they say `https`, which is the default.
    let mut options = ValidateOptions::new()
        .secret_name(SECRET_NAME)
        .external_scheme(Scheme::Http);
    if let Some(key_id) = &args.key_id {
        options = options.key_ids([(key_id.as_str(), SECRET_NAME)]);
    }
    if !args.authorities.is_empty() {
        options = options.authorities(args.authorities.iter().map(String::as_str));
    }
    // A host without a usable secret does not start, instead of refusing everybody later; nor does one with wrong options.
    options.check_with(&secrets)?;

    let layer = ValidateAuthLayer::new(secrets, options)
        .max_body_len(args.max_body_len)
        .map_refusal(|answer, error, head| {
            log_refusal(error, head);
            answer
        });
    Ok(if args.no_replay_guard {
        layer.without_replay_guard()
    } else {
        layer
    })
}

/// Answers anyone who is let through: `Validated` is the proof, so that this handler cannot be reached without it.
async fn site_stats(Extension(validated): Extension<Validated>, body: Bytes) -> Json<Value> {
    Json(json!({
        "data": { "userCount": 100, "monthlyRevenue": 80091.23 },
        "keyId": validated.key_id(),
        "received": serde_json::from_slice::<Value>(&body).ok(),
    }))
}

/// One line for the operator. What the peer has chosen is escaped and cut.
fn log_refusal(error: &AuthError, head: &request::Parts) {
    let path: String = head
        .uri
        .path()
        .chars()
        .take(100)
        .flat_map(char::escape_default)
        .collect();
    let peer = head
        .extensions
        .get()
        .map_or("?".to_owned(), |ConnectInfo::<SocketAddr>(peer)| {
            peer.to_string()
        });
    eprintln!(
        "refused {}: {} {path} from {peer}: {error:#}",
        error.kind(),
        head.method
    );
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    let chain = iter::successors(Some(error), |&error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
