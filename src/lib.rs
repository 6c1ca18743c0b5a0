#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! Authenticates HTTP requests between servers with a shared secret: one call to sign, one call to validate, on public standards.
//!
//! A *host* has data or functions that a *consumer* needs. The consumer signs each request with [`sign_request`]; the host
//! calls [`validate_auth`] before doing anything else and then knows who sent it, that nothing was changed, that it is fresh and,
//! with a [`MemoryReplayGuard`], that it was not sent before. The wire is RFC 9421 (HTTP Message Signatures) with `hmac-sha256`
//! and RFC 9530 (`Content-Digest`), so that shell scripts, Python, Node and others can take part.
//!
//! ```
//! use hmac_auth::{
//!     AuthErrorKind, DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret, SignOptions, ValidateOptions,
//!     generate_secret, sign_request, validate_auth,
//! };
//!
//! // Both sides have the same secret; here, in memory.
//! let secrets = MemorySecrets::new();
//! secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
//!
//! // The consumer signs the request as it will be sent.
//! let mut request = http::Request::post("https://host.example/_functions/siteStats?year=2026")
//!     .header("content-type", "application/json")
//!     .body(r#"{"month":11}"#)?;
//! sign_request(&mut request, &secrets, &SignOptions::new())?;
//!
//! // The host, once at its start …
//! let options = ValidateOptions::new().authorities(["host.example"]);
//! options.check()?;
//! let guard = MemoryReplayGuard::new();
//!
//! // … and for each request, before anything else.
//! let validated = validate_auth(&request, &secrets, &options).and_then(|validated| guard.first_use(validated))?;
//! assert_eq!(validated.secret_name(), DEFAULT_SECRET_NAME);
//!
//! // Again, or with anything changed, it is refused.
//! let again = guard.first_use(validate_auth(&request, &secrets, &options)?);
//! assert_eq!(again.unwrap_err().kind(), AuthErrorKind::Replayed);
//! *request.body_mut() = r#"{"month":12}"#;
//! let changed = validate_auth(&request, &secrets, &options);
//! assert_eq!(changed.unwrap_err().kind(), AuthErrorKind::WrongDigest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A server on tower (axum, hyper, tonic) takes all of that as one layer, `tower::ValidateAuthLayer`; a client takes
//! `tower::SignRequestLayer`, or with reqwest `client::invoke`. The backend of a Wix app finds its own checks in the module `wix`.
//!
//! # What this is not
//!
//! It does not encrypt: use TLS. It does not tell apart the holders of one secret: give each consumer its own, with
//! [`ValidateOptions::key_ids`]. It says who sent a request, not what they may do. It does not verify signatures with public keys;
//! its only algorithm is HMAC-SHA256. Responses are not signed.
//!
//! # What you decide
//!
//! - **Where secrets live**: [`MemorySecrets`], [`EnvSecrets`], [`FileSecrets`] or a [`SecretStore`] of your own.
//! - **Who you are**: [`ValidateOptions::authorities`]. Without it, a request for another host with the same secret is accepted.
//! - **Who may call**: one secret for all, or [`ValidateOptions::key_ids`].
//! - **Whether a request counts once**: [`MemoryReplayGuard`], in one line after [`validate_auth`]; the layers have one. Without it,
//!   a recorded request can be repeated for [`ValidateOptions::max_time_diff`].
//! - **How old is too old**: [`ValidateOptions::max_time_diff`], 60 s, and [`ValidateOptions::max_clock_skew`], 10 s.
//! - **What else is signed**: [`SignOptions::cover`] and [`ValidateOptions::require`] for fields your handler relies on.
//!
//! # What is proven
//!
//! [`Validated`] proves method, authority, path, query and body, and the fields in [`Validated::components`]. A field that is
//! not covered may have been added or changed on the way. Bodies are limited by you, before they get here.
//!
//! # Without blocking
//!
//! Nothing in the core waits, reads the environment or opens files, except the stores that say so, and only the functions without a
//! given time read the clock. Who fetches secrets asynchronously or streams bodies takes the same checks in phases:
//! [`Claim::parse`], [`Claim::verify_head`], [`VerifiedHead::finish`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `wix` | yes | the backend of a Wix app: app instances, access tokens, elevation: the module `wix` |
//! | `tower` | no | layers for servers and clients on tower: the module `tower`; with `wix`, those for app instances and CORS |
//! | `client` | no | signs and sends with reqwest: the module `client`; with `wix`, exchanges access tokens |
//! | `tracing` | no | an event for each request that a layer refuses; switches `tower` on |
//! | `aws-lc-rs` | no | computes SHA-2 and HMAC with AWS-LC instead of `sha2`: same API, same results, faster where the processor has no SHA instructions; needs a C compiler |
//!
//! # Threat model
//!
//! The attacker sees all traffic, sends any bytes at any rate, and may hold the secret of another consumer. They do not hold this
//! one, and they cannot read the host's memory.
//!
//! | they try | what holds |
//! | --- | --- |
//! | to forge or change a request | HMAC-SHA256 over a base that two requests share only if they agree in all that is covered; MACs are compared in constant time, 32 bytes, in one place |
//! | to leave something out of the signature | whatever a request has of method, authority, path, query and body must be covered |
//! | to repeat a request | `created` is mandatory; the guard remembers each signature while it is fresh, forgets none early, and refuses what it cannot know |
//! | to send it to another host | the authority is covered and compared with the list |
//! | to choose key or algorithm | a key id only selects among the host's own; `alg` is only compared |
//! | to make refusing expensive | limits come first, then the MACs of four signatures at most, together over 32 KiB at most, under each of four accepted secrets at most, then the body; beyond that, nothing refused costs more than what is accepted |
//! | to learn from answers | every failure of authentication gets the same answer |
//! | to learn from logs | no secret, no MAC and no raw byte of a peer in `Debug`, `Display` or errors; key state is wiped on drop |

pub use self::{
    digest::DigestAlgorithm,
    error::{AuthError, AuthErrorKind, SignError},
    replay::{
        DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, MemoryReplayGuard,
        ReplayGuard, ReplayId, UseOnce,
    },
    secret::{
        DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, MAX_PREVIOUS_SECRETS, MIN_SECRET_LEN,
        MemorySecrets, Secret, SecretEncoding, SecretError, SecretSet, SecretStore,
        generate_secret,
    },
    sign::{AlgParameter, DEFAULT_LABEL, SignOptions, sign_parts, sign_request},
    validate::{
        Claim, DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, ValidateOptions, Validated,
        VerifiedHead, validate_auth,
    },
};

#[cfg(feature = "client")]
pub mod client;
mod crypto;
mod digest;
mod error;
#[cfg(all(
    any(doc, doctest),
    feature = "client",
    feature = "tower",
    feature = "wix"
))]
#[cfg_attr(docsrs, doc(auto_cfg = false))] // exists for documentation only
pub mod guide;
mod replay;
mod secret;
mod shown;
mod sign;
pub mod signature;
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
