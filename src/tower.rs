//! Layers for [tower]: a server (axum, hyper, tonic) validates requests with them, and a client
//! (hyper-util, tonic) signs requests.
//!
//! [`ValidateAuthLayer`] lets only validated requests through, and adds
//! [`Validated`](crate::Validated) to their extensions:
//!
//! ```
//! use axum::{Extension, Router, routing::post};
//! use hmac_auth::{
//!     DEFAULT_SECRET_NAME, MemorySecrets, Secret, ValidateOptions, Validated,
//!     generate_secret, tower::ValidateAuthLayer,
//! };
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
//! [`ValidateStreamLayer`] validates uploads that are too large for memory. [`SignRequestLayer`]
//! signs the requests of a client. (Inside a file that imports this module, the crate `tower`
//! itself is `::tower`.)
//!
//! # Where in the stack
//!
//! axum wraps only the routes that were added before the layer: add the layer last. A route that is
//! added after it is open to everybody.
//!
//! From the outside to the inside:
//!
//! 1. Limits of connections, time and concurrency, such as tower-http's `TimeoutLayer`: a peer may
//!    send its body slowly. A concurrency limit inside of this layer is of no use, because requests
//!    that are still being validated hold its permits too.
//! 2. **This layer.**
//! 3. Everything that changes path, host or body: decompression, rewriting, routers that cut the
//!    path (axum's `nest`).
//! 4. Routes and handlers.
//!
//! If a router cuts the path outside of this layer, name the original URI with
//! [`ValidateAuthLayer::original_uri`], and put [`RecordUriLayer`] around everything. Else this layer
//! accepts at `/admin/orders` what was signed for `/orders`. Everything outside of this layer answers any peer. Health
//! checks belong there, and CORS, because browsers never sign preflight requests.
//!
//! [tower]: https://docs.rs/tower

pub use self::{
    answer_body::AnswerBody,
    buffered_body::BufferedBody,
    correct_clock::{CorrectClock, CorrectClockFuture, CorrectClockLayer},
    leave_unsigned::LeaveUnsigned,
    observe_auth::{ObserveAuth, ObserveAuthFuture, ObserveAuthLayer},
    observed::Observed,
    observed_body::ObservedBody,
    record_uri::{RecordUri, RecordUriLayer, received_uri},
    sign_request::{SignRequest, SignRequestFuture, SignRequestLayer},
    sign_response::{SignResponse, SignResponseFuture, SignResponseLayer},
    signed_exchange::{SignedExchange, SignedExchangeFuture, SignedExchangeLayer},
    streamed_body::StreamedBody,
    unsigned::Unsigned,
    upload::Upload,
    validate_auth::{DEFAULT_MAX_BODY_LEN, ValidateAuth, ValidateAuthFuture, ValidateAuthLayer},
    validate_stream::{ValidateStream, ValidateStreamFuture, ValidateStreamLayer},
};

#[cfg(all(feature = "tracing", feature = "client"))]
pub(crate) use self::events::request_signed;
#[cfg(all(feature = "tracing", feature = "wix"))]
pub(crate) use self::events::{is_recording, record_on_span, refusal_event};
#[cfg(feature = "wix-webhooks")]
pub(crate) use self::reply::close_connection;
#[cfg(feature = "wix")]
pub(crate) use self::reply::{Reply, close_if_body_is_left};
#[cfg(feature = "actix")]
pub(crate) use self::{
    cache_control::with_private,
    hashed_body::Rest,
    policy::{Consumers, Policy},
    record_uri::Received,
    response_signer::{Begun, ReadBody, ResponseSigner, not_signed},
    unsigned::Exception,
    upgrade::{is_signed as is_upgrade_signed, remove_unsigned as remove_unsigned_upgrade},
    validation::validate,
};

mod answer_body;
mod buffered_body;
mod cache_control;
mod client_uri;
mod correct_clock;
mod drain;
#[cfg(feature = "tracing")]
mod events;
mod grpc;
mod hashed_body;
mod leave_unsigned;
mod observe_auth;
mod observed;
mod observed_body;
mod pace;
mod pieces;
mod policy;
#[cfg(feature = "tracing")]
mod previous_secret;
mod proven_response;
mod record_uri;
mod reply;
mod response_signer;
mod sign_request;
mod sign_response;
mod signed_exchange;
mod streamed_body;
mod unsigned;
mod upgrade;
mod upload;
mod validate_auth;
mod validate_stream;
#[cfg(feature = "actix")]
mod validation;
mod verifying;
mod work;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Takes the service that is ready, and leaves a clone, which may not be ready.
pub(crate) fn take_ready<S: Clone>(service: &mut S) -> S {
    let clone = service.clone();
    std::mem::replace(service, clone)
}
