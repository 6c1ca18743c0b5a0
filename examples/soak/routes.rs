//! What the host serves, and how it takes new secrets.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::post,
};
use hmac_auth::{MemoryReplayGuard, Secret, ValidateOptions};
use http_body_util::BodyExt;

use crate::host::{self, layer, secrets, validate_options};

/// A short one, so that the guard is full of live signatures soon.
const MAX_TIME_DIFF: Duration = Duration::from_secs(10);
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// The bodies of ordinary requests are buffered up to here.
pub(crate) const MAX_BODY_LEN: u64 = 256 << 10;

fn options() -> ValidateOptions {
    validate_options()
        .max_time_diff(MAX_TIME_DIFF)
        .max_clock_skew(MAX_CLOCK_SKEW)
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new()
        .capacity(1 << 23)
        .capacity_per_consumer(1 << 23)
}

/// Takes `rotate NAME SECRET` and `retire NAME`, and answers each with a line when it is done.
pub(crate) fn serve() {
    let secrets = secrets();
    let layer = || layer(secrets.clone(), options(), guard()).max_body_len(MAX_BODY_LEN);
    let app = Router::new()
        .route(
            "/orders/{id}",
            post(buffered).put(buffered).get(buffered).layer(layer()),
        )
        .route(
            "/upload",
            post(streamed).layer(layer().max_body_len(u64::MAX).streaming()),
        );
    let told = move |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let is_done = match words.as_slice() {
            ["rotate", name, secret] => Secret::from_text(secret)
                .and_then(|secret| secrets.rotate(name, secret))
                .is_ok(),
            ["retire", name] => secrets.retire(name).is_ok(),
            _ => false,
        };
        println!("{}", if is_done { "done" } else { "what" });
    };
    host::serve(app, told);
}

async fn buffered(_: Bytes) -> &'static str {
    "ok"
}

/// Only a body that is right to its end is one.
async fn streamed(mut body: Body) -> StatusCode {
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            return StatusCode::BAD_REQUEST;
        }
    }
    StatusCode::OK
}
