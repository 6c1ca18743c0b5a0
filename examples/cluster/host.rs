//! One host of the cluster around any guard. It names itself in each answer, and prints the number
//! of each order that it takes.

use std::{
    error::Error,
    future::ready,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use axum::{
    Router, extract::Path, http::HeaderValue, middleware::map_response, response::Response,
    routing::post,
};
use clap::Args;
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, ReplayGuard, Secret, ValidateOptions,
    tower::ValidateAuthLayer,
};
use tokio::net::TcpListener;

pub(crate) const AUTHORITY: &str = "api.example.com";

/// Which host has answered.
pub(crate) const HOST: &str = "x-host";

/// Why it has refused, which no host in production tells.
pub(crate) const REFUSED: &str = "x-refused";

#[derive(Args)]
pub(crate) struct HostArgs {
    /// How the host names itself
    #[arg(long)]
    name: String,
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// How far the clock of the host is ahead, in milliseconds
    #[arg(long, allow_negative_numbers = true, default_value_t = 0)]
    clock_offset: i64,
}

/// The secret that host and consumer of this example share.
pub(crate) fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text("a secret of this example only");
    secrets.insert(DEFAULT_SECRET_NAME, secret.expect("it is long enough"));
    secrets
}

/// Serves until the process is killed.
pub(crate) async fn serve(
    args: HostArgs,
    guard: impl ReplayGuard + 'static,
) -> Result<(), Box<dyn Error>> {
    let offset = args.clock_offset;
    let options = ValidateOptions::new()
        .authorities([AUTHORITY])
        .clock(move || ahead(SystemTime::now(), offset));
    let layer = ValidateAuthLayer::new(secrets(), options)
        .replay_guard(guard)
        .map_refusal(|mut answer, error, _| {
            let kind = HeaderValue::from_static(error.kind().as_str());
            answer.headers_mut().insert(REFUSED, kind);
            answer
        });
    layer.check()?;
    let name = HeaderValue::from_str(&args.name)?;
    let app = Router::new()
        .route("/orders/{number}", post(take_order))
        .layer(layer)
        .layer(map_response(move |mut answer: Response| {
            answer.headers_mut().insert(HOST, name.clone());
            ready(answer)
        }));
    let listener = TcpListener::bind(args.listen).await?;
    axum::serve(listener, app).await?;
    Ok(())
}

/// Whatever becomes of the answer, the line says that the order was taken.
async fn take_order(Path(number): Path<u32>) {
    println!("{number}");
}

fn ahead(time: SystemTime, milliseconds: i64) -> SystemTime {
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    if milliseconds < 0 {
        time - distance
    } else {
        time + distance
    }
}
