#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! Authenticates HTTP requests between servers with a shared secret.
//!
//! A *consumer* calls a *host*. The consumer signs each request with [`sign_request`]. The host
//! validates each request with [`validate_auth`] before it does anything else. The host then knows
//! which secret signed the request, and so which consumer sent it. It also knows that nobody
//! changed the request on the way, that it is fresh, and with a [`MemoryReplayGuard`] that nobody
//! sent it before.
//!
//! The wire format is public: RFC 9421 (HTTP Message Signatures) with `hmac-sha256`, and RFC 9530
//! (`Content-Digest`). Shell scripts, Python and Node can call the same host.
//!
//! ```
//! use hmac_auth::{
//!     AuthErrorKind, DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets,
//!     Secret, SignOptions, ValidateOptions, generate_secret, sign_request,
//!     validate_auth,
//! };
//!
//! // Both sides have the same secret; here, in memory.
//! let secrets = MemorySecrets::new();
//! let secret = Secret::from_text(&generate_secret()?)?;
//! secrets.insert(DEFAULT_SECRET_NAME, secret);
//!
//! // The consumer signs the request, just before it sends it.
//! let url = "https://host.example/_functions/siteStats?year=2026";
//! let mut request = http::Request::post(url)
//!     .header("content-type", "application/json")
//!     .body(r#"{"month":11}"#)?;
//! sign_request(&mut request, &secrets, &SignOptions::new())?;
//!
//! // The host, once when it starts …
//! let options = ValidateOptions::new().authorities(["host.example"]);
//! options.check()?;
//! let guard = MemoryReplayGuard::new();
//!
//! // … and for each request, before anything else.
//! let validated = validate_auth(&request, &secrets, &options)
//!     .and_then(|validated| guard.first_use(validated))?;
//! assert_eq!(validated.secret_name(), DEFAULT_SECRET_NAME);
//!
//! // The host refuses a second use …
//! let again = guard.first_use(validate_auth(&request, &secrets, &options)?);
//! assert_eq!(again.unwrap_err().kind(), AuthErrorKind::Replayed);
//! // … and any change.
//! *request.body_mut() = r#"{"month":12}"#;
//! let changed = validate_auth(&request, &secrets, &options);
//! assert_eq!(changed.unwrap_err().kind(), AuthErrorKind::WrongDigest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A server on tower (axum, hyper, tonic) gets all of that in one layer: the module `tower`. A server
//! on actix-web gets it in a middleware: the module `actix`. A client with reqwest uses the module
//! `client`. The backend of a Wix app uses the module `wix`.
//!
//! # What this is not
//!
//! - It does not encrypt: use TLS.
//! - It does not decide what an authenticated consumer may do.
//! - It does not tell apart two holders of one secret. Give each consumer its own, with
//!   [`ValidateOptions::key_ids`].
//! - It does not verify signatures that were made with a private key, but for the webhooks of Wix.
//!
//! # What is proven
//!
//! [`Validated`] proves the method, the authority, the path, the query and the body, and the fields
//! in [`Validated::components`]. Anybody on the way may have added or changed any other field.
//! Limit the size of the body before you call [`validate_auth`].
//!
//! # What you decide
//!
//! | decision | default | how to change it |
//! | --- | --- | --- |
//! | where secrets are | you choose | [`EnvSecrets`], [`FileSecrets`], [`MemorySecrets`], your own [`SecretStore`] |
//! | which authorities this host has | any | [`ValidateOptions::authorities`] |
//! | which consumers may call | all who have the one secret | [`ValidateOptions::key_ids`], or a [`ConsumerDirectory`] |
//! | whether a request counts once | no | [`MemoryReplayGuard`], for several hosts `RedisReplayGuard` or your own [`ReplayGuard`]; layers have one |
//! | how old a request may be | 60 s, and 10 s in the future | [`ValidateOptions::max_time_diff`], [`ValidateOptions::max_clock_skew`] |
//! | what else is signed | `content-type` and `content-encoding` if present | [`SignOptions::cover`], [`ValidateOptions::require`] |
//!
//! # Without blocking
//!
//! Nothing in the core waits, reads the environment or opens files, except the stores that say so.
//! To fetch secrets asynchronously or to stream the body, use the phases: [`Claim::parse`],
//! [`Claim::verify_head`], [`VerifiedHead::finish`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `wix` | yes | the backend of a Wix app: app instances, access tokens, elevation |
//! | `wix-webhooks` | no | webhooks, service plugins and signed requests of Wix; with `tower`, an endpoint for webhooks; needs a C compiler |
//! | `tower` | no | layers for servers and clients on tower; with `wix`, those for app instances and CORS |
//! | `actix` | no | a middleware for actix-web 4, with extractors of `Validated`; switches `tracing` on |
//! | `axum` | no | extractors of axum: `Validated`, `Option<Validated>`, and with `wix` `AppInstance`; switches `tracing` on |
//! | `client` | no | signs and sends with reqwest; with `wix`, exchanges access tokens |
//! | `directory-cache` | no | a cache for a directory of consumers |
//! | `testing` | no | for your own tests: signatures that are the same in each run, and changed requests that a host must refuse; switches `tower` on |
//! | `tracing` | no | an event for each request that a layer refuses, accepts or signs, and for an unusable secret file; switches `tower` on |
//! | `metrics` | no | counts what the layers do, through the facade `metrics`; switches `tower` on |
//! | `redis` | no | a replay guard on Redis, for several hosts: `RedisReplayGuard` |
//! | `cli` | no | the program `hmac-auth`, see the guide; it adds nothing to the library |
//! | `js` | no | random numbers and the clock of a JavaScript host, on `wasm32-unknown-unknown` only |
//! | `rust-crypto` | yes | the default engine: SHA-2 and HMAC in Rust, random bytes from the system |
//! | `aws-lc-rs` | no | the engine AWS-LC, with the same results; needs a C compiler |
//! | `fips` | no | the engine is the FIPS module of AWS-LC; needs a C compiler, `cmake`, `go` and `perl` |
//!
//! One engine is needed: without default features, name it. Of several, `fips` comes first, then
//! `aws-lc-rs`. Only the one that is used computes anything.
//!
//! # Guide
//!
//! docs.rs shows the guide in the module `guide`: frameworks, migrate, behind a proxy, secrets and
//! rotation, several hosts, consumers, refusals, signed responses, the tool, metrics, Wix, webhooks of
//! Wix, other clients, interop, threat model, performance, capacity.

#[cfg(feature = "axum")]
pub use self::axum::MissingLayer;
#[cfg(feature = "directory-cache")]
pub use self::cached_directory::{
    CachedDirectory, DEFAULT_DIRECTORY_CAPACITY, DEFAULT_MAX_LOOK_UPS, DEFAULT_REVOCATION_TIME,
    DEFAULT_TIME_TO_LIVE,
};
// docs.rs has no Go for the feature, and shows what it adds nevertheless.
#[cfg(any(feature = "fips", all(docsrs, feature = "aws-lc-rs")))]
#[cfg_attr(docsrs, doc(cfg(feature = "fips")))]
pub use self::crypto::assert_fips_mode;
#[cfg(feature = "metrics")]
pub use self::describe_metrics::describe_metrics;
#[cfg(feature = "redis")]
pub use self::replay::{DEFAULT_REDIS_MARGIN, DEFAULT_REDIS_TIME_LIMIT, RedisReplayGuard};
pub use self::{
    crypto::Mac,
    digest::DigestAlgorithm,
    explain::explain,
    replay::{
        AcceptOnce, DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER,
        MemoryReplayGuard, ReplayGuard, TwoLevelReplayGuard, UseOnce,
    },
    response::{
        ResponseError, ResponseErrorKind, SignResponseError, SignResponseOptions,
        ValidateResponseOptions, ValidatedResponse, sign_response, sign_response_parts,
        validate_response, validate_response_parts,
    },
    secret::{
        DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, Fingerprint, MAX_PREVIOUS_SECRETS,
        MIN_SECRET_LEN, MemorySecrets, Secret, SecretEncoding, SecretError, SecretSet, SecretStore,
        generate_secret,
    },
    sign::{
        AlgParameter, DEFAULT_LABEL, SentRequest, SignError, SignOptions, sign_empty, sign_parts,
        sign_request,
    },
    validate::{
        AuthError, AuthErrorKind, Claim, Consumer, ConsumerDirectory, DEFAULT_MAX_CLOCK_SKEW,
        DEFAULT_MAX_TIME_DIFF, FindConsumer, MAX_DIRECTORY_KEY_ID_LEN, ReplayId, ValidateOptions,
        Validated, VerifiedHead, VerifyIn, validate_auth,
    },
};

#[cfg(feature = "actix")]
pub mod actix;
mod answer;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "directory-cache")]
mod cached_directory;
#[cfg(feature = "client")]
pub mod client;
mod crypto;
#[cfg(feature = "metrics")]
mod describe_metrics;
mod digest;
mod escape;
mod eventual;
pub mod explain;
#[cfg(all(
    any(doc, doctest),
    feature = "actix",
    feature = "client",
    feature = "testing",
    feature = "tower",
    feature = "wix-webhooks"
))]
#[cfg_attr(docsrs, doc(auto_cfg = false))] // exists for documentation only
pub mod guide;
#[cfg(any(feature = "client", feature = "tower"))]
mod host_clock;
mod message;
#[cfg(feature = "metrics")]
mod metrics;
mod replay;
mod response;
mod secret;
mod sign;
pub mod signature;
mod structured;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
#[cfg(feature = "tower")]
pub mod tower;
mod validate;
#[cfg(feature = "wix")]
pub mod wix;

/// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
