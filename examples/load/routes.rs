//! What the host serves: the same handlers with and without authentication.

use std::{hint::black_box, sync::LazyLock};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::StatusCode,
    routing::post,
};
use hmac::{Hmac, KeyInit, Mac};
use hmac_auth::{MemoryReplayGuard, tower::ValidateAuthLayer};
use http_body::Frame;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tower::layer::util::Identity;

use crate::{
    consumers,
    host::{self, secrets, validate_options},
};

/// With room for all requests of a minute.
pub(crate) fn replay_guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new()
        .capacity(1 << 23)
        .capacity_per_consumer(1 << 23)
}

pub(crate) fn layer() -> ValidateAuthLayer {
    host::layer(secrets(), validate_options(), replay_guard())
}

pub(crate) fn app() -> Router {
    Router::new()
        .route("/plain", post(plain))
        .route("/inline", post(inline))
        .route("/inline-layered", post(inline).layer(Identity::new()))
        .route("/layer", post(plain).layer(layer()))
        .route("/listed", post(plain).layer(consumers::listed()))
        .route("/found", post(plain).layer(consumers::found()))
        .route(
            "/orders/{id}",
            post(plain).put(plain).get(plain).layer(layer()),
        )
        .route("/drain", post(drain))
        .route("/hash", post(hash))
        .route(
            "/upload",
            post(drain).layer(layer().max_body_len(u64::MAX).streaming()),
        )
}

async fn plain(body: Bytes) -> &'static str {
    black_box(body);
    "ok"
}

/// What hashing alone costs: one digest, and one MAC over about what a signature covers.
async fn inline(request: Request) -> &'static str {
    static KEY: LazyLock<Hmac<Sha256>> = LazyLock::new(|| {
        Hmac::new_from_slice(b"a secret of the host").expect("HMAC takes a key of any length")
    });
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 2 << 20).await else {
        return "too large";
    };
    black_box(Sha256::digest(&body));
    let mut mac = KEY.clone();
    mac.update(parts.method.as_str().as_bytes());
    mac.update(parts.uri.path().as_bytes());
    for field in ["host", "content-digest", "content-type", "signature-input"] {
        mac.update(field.as_bytes());
        mac.update(parts.headers[field].as_bytes());
    }
    black_box(mac.finalize());
    "ok"
}

async fn drain(body: Body) -> StatusCode {
    read(body, |bytes| {
        black_box(bytes);
    })
    .await
}

async fn hash(body: Body) -> StatusCode {
    let mut hash = Sha256::new();
    let status = read(body, |bytes| hash.update(bytes)).await;
    black_box(hash.finalize());
    status
}

async fn read(mut body: Body, mut each: impl FnMut(&[u8])) -> StatusCode {
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(bytes)) => each(&bytes),
            Ok(Err(_)) => {}
            Err(_) => return StatusCode::BAD_REQUEST,
        }
    }
    StatusCode::OK
}
