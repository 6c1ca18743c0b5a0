#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! Doc.

pub use self::{
    digest::DigestAlgorithm,
    error::{AuthError, AuthErrorKind, SignError},
    replay::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, MemoryReplayGuard, ReplayId},
    secret::{
        DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, MAX_PREVIOUS_SECRETS, MIN_SECRET_LEN, MemorySecrets, Secret,
        SecretEncoding, SecretError, SecretSet, SecretStore, generate_secret,
    },
    sign::{AlgParameter, DEFAULT_LABEL, SignOptions, sign_parts, sign_request},
    validate::{Claim, DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, ValidateOptions, Validated, VerifiedHead, validate_auth},
};

mod crypto;
mod digest;
mod error;
mod replay;
mod secret;
mod sign;
pub mod signature;
mod time;
mod validate;
