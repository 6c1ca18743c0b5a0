//! Proofs of requests: each one with another signature.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_auth::{
    AuthError, AuthErrorKind, DEFAULT_SECRET_NAME, MemorySecrets, ReplayGuard, Secret, SignOptions,
    ValidateOptions, Validated, sign_request, validate_auth,
};
use http::Request;

/// When nearly all tests happen: 2023-11-14T22:13:20Z. Redis has another time, which does not matter.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn time(unix_seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

/// The options of a host whose clock shows this time.
pub(crate) fn options_at(unix_seconds: u64) -> ValidateOptions {
    ValidateOptions::new()
        .authorities(["host.example"])
        .at(time(unix_seconds))
}

/// A signed request that can be validated more than once.
pub(crate) struct Signed {
    request: Request<Vec<u8>>,
    secrets: MemorySecrets,
}

impl Signed {
    pub(crate) fn at(unix_seconds: u64) -> Self {
        let secrets = MemorySecrets::new();
        let secret = Secret::from_text("a secret that only the tests know").unwrap();
        secrets.insert(DEFAULT_SECRET_NAME, secret);
        let mut request = Request::get("https://host.example/orders")
            .body(Vec::new())
            .unwrap();
        let options = SignOptions::new().at(time(unix_seconds));
        sign_request(&mut request, &secrets, &options).unwrap();
        Self { request, secrets }
    }

    pub(crate) fn validate(&self, options: &ValidateOptions) -> Validated {
        validate_auth(&self.request, &self.secrets, options).unwrap()
    }

    /// As a host validates it whose clock shows this time.
    pub(crate) fn proof_at(&self, unix_seconds: u64) -> Validated {
        self.validate(&options_at(unix_seconds))
    }
}

/// A proof whose signature nobody has seen.
pub(crate) fn new_proof() -> Validated {
    Signed::at(NOW).proof_at(NOW)
}

pub(crate) async fn claim(guard: &dyn ReplayGuard, proof: &Validated) -> Result<(), AuthError> {
    guard.accept_once(proof.clone()).await.map(|_| ())
}

/// Why the guard refuses it.
pub(crate) async fn refusal(guard: &dyn ReplayGuard, proof: &Validated) -> AuthErrorKind {
    claim(guard, proof).await.unwrap_err().kind()
}
