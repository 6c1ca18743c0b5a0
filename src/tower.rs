//! Layers for what is on [tower]: they validate in a server (axum, hyper, tonic) and sign in a client (hyper-util, tonic).
//!
//! [`ValidateAuthLayer`] lets only validated requests through and puts [`Validated`](crate::Validated) into their extensions:
//!
//! ```
//! use axum::{Extension, Router, routing::post};
//! use hmac_auth::{DEFAULT_SECRET_NAME, MemorySecrets, Secret, ValidateOptions, Validated, generate_secret, tower::ValidateAuthLayer};
//!
//! async fn site_stats(Extension(validated): Extension<Validated>) -> String {
//!     format!("hello, {}", validated.consumer())
//! }
//!
//! let secrets = MemorySecrets::new();
//! secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
//! let options = ValidateOptions::new().authorities(["host.example"]);
//! options.check()?;
//!
//! let app: Router = Router::new()
//!     .route("/_functions/siteStats", post(site_stats))
//!     .layer(ValidateAuthLayer::new(secrets, options));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`ValidateStreamLayer`] does the same for uploads that are too large to be held in memory. [`SignRequestLayer`] signs what a
//! client sends. (Beside this module, the crate `tower` itself is `::tower`.)
//!
//! # Where in the stack
//!
//! From the outside to the inside:
//!
//! 1. limits of connections and of time, such as tower-http's `TimeoutLayer`: a body may come slowly; and of concurrency, because
//!    inside of this layer a permit is held by whoever is still being checked;
//! 2. **this layer**;
//! 3. whatever changes path, host or body: decompression, routers that cut the path (axum's `nest`), rewriting;
//! 4. routes and handlers.
//!
//! A router that cuts the path before this layer sees it must tell the original one: [`ValidateAuthLayer::original_uri`]. What
//! stands outside of this layer serves everybody, such as a health check or CORS, whose preflight requests are never signed.
//!
//! [tower]: https://docs.rs/tower

pub use self::{
    body::BufferedBody,
    sign::{SignRequest, SignRequestFuture, SignRequestLayer},
    stream::{StreamedBody, ValidateStream, ValidateStreamFuture, ValidateStreamLayer},
    upload::Upload,
    validate::{DEFAULT_MAX_BODY_LEN, ValidateAuth, ValidateAuthFuture, ValidateAuthLayer},
};

mod body;
mod hashed_body;
mod policy;
mod sign;
mod stream;
mod upload;
mod validate;

/// One event for a refusal, on the level that its status asks for; a level cannot be an argument of `tracing::event!`.
#[cfg(feature = "tracing")]
macro_rules! refusal_event {
    ($error:expr, $($fields:tt)+) => {{
        let kind = $error.kind().as_str();
        // Rust 1.85 frees the argument of a `format_args!` that a `let` binds.
        if $error.status().is_server_error() {
            tracing::error!(target: "hmac_auth", kind, reason = %format_args!("{:#}", $error), $($fields)+);
        } else {
            tracing::warn!(target: "hmac_auth", kind, reason = %format_args!("{:#}", $error), $($fields)+);
        }
    }};
}

#[cfg(feature = "tracing")]
pub(crate) use refusal_event;

/// Takes the service that is ready, and leaves a clone, which may not be.
fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    std::mem::replace(service, clone)
}

/// Why what a future holds until it is ready is there.
pub(crate) const UNFINISHED: &str = "a future is not polled after it is ready";

type BoxError = Box<dyn std::error::Error + Send + Sync>;
