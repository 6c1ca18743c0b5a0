//! A middleware for [actix-web]: the checks, limits and answers of
//! [`ValidateAuthLayer`](crate::tower::ValidateAuthLayer).
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use actix_web::{App, HttpServer, web};
//! use hmac_auth::{
//!     MemoryReplayGuard, MemorySecrets, ValidateOptions, Validated, actix::ValidateAuth,
//! };
//!
//! async fn site_stats(validated: Validated, body: web::Bytes) -> String {
//!     format!("{} sends {} bytes", validated.consumer(), body.len())
//! }
//!
//! # async fn run(secrets: MemorySecrets) -> Result<(), Box<dyn std::error::Error>> {
//! let options = ValidateOptions::new().authorities(["host.example"]);
//! options.check_with(&secrets)?;
//! // Outside of the closure, which actix calls once for each worker.
//! let guard = Arc::new(MemoryReplayGuard::new());
//! let validate = ValidateAuth::new(secrets, options, guard);
//! HttpServer::new(move || {
//!     App::new()
//!         .route("/_functions/siteStats", web::post().to(site_stats))
//!         .wrap(validate.clone())
//! })
//! .bind(("127.0.0.1", 8080))?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where in the stack
//!
//! `App::wrap` wraps all routes of the app, whatever the order of the calls, and what is wrapped last
//! is outermost. `Scope::wrap` and `Resource::wrap` wrap only what is in them. From the outside to
//! the inside:
//!
//! 1. limits of time and connections, CORS, logs;
//! 2. **this middleware**;
//! 3. everything that changes path or body;
//! 4. routes and handlers.
//!
//! The scopes of actix do not cut the path. `NormalizePath` changes it: wrap the app with
//! `NormalizePath` first and with this middleware afterwards, so that this middleware is outside. If
//! that cannot be, put [`RecordUri`] around everything, and name the URI with
//! [`ValidateAuth::original_uri`].
//!
//! # What actix does itself
//!
//! The middleware reads the raw payload, before anything decompresses it. A handler gets the bytes as
//! they were signed, with the `Content-Encoding` that was signed: the extractors of actix decompress
//! them then, if actix has the feature. These extractors have limits of their own, such as 256 KiB
//! for `web::Bytes`. Raise both.
//!
//! Three things happen in actix before any middleware is asked. Each peer that sends
//! `Expect: 100-continue` is told to continue. Trailers are dropped, or the body is broken off. A
//! request with `Upgrade: websocket` has no end: its connection is closed after the answer, unless the
//! consumer has signed the upgrade.
//!
//! [actix-web]: https://docs.rs/actix-web

pub use self::{
    extract::{MaybeValidated, MissingMiddleware},
    record_uri::{RecordUri, RecordUriMiddleware},
    validate_auth::{ValidateAuth, ValidateAuthMiddleware},
};

mod answer;
mod extract;
mod head;
mod raw_body;
mod record_uri;
mod sign_response;
mod validate_auth;
