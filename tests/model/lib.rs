//! Requests for the models: signed and validated outside of them, because there is nothing to share yet.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac_auth::{
    DEFAULT_SECRET_NAME, ReplayId, Secret, SecretError, SecretSet, SecretStore, SignOptions,
    ValidateOptions, sign_request, validate_auth,
};
use http::Request;

pub const START: u64 = 1_800_000_000;

/// One set under each name. It has no lock, which only works within a model.
pub struct Fixed(pub SecretSet);

impl SecretStore for Fixed {
    fn lookup(&self, _: &str) -> Result<SecretSet, SecretError> {
        Ok(self.0.clone())
    }
}

pub fn secret(text: &str) -> Secret {
    Secret::from_text(&format!("a secret for the models: {text}")).expect("a long secret")
}

pub fn signed(secret: Secret, created: u64) -> Request<&'static str> {
    let mut request = Request::get("https://host.example/")
        .body("")
        .expect("a request");
    let options = SignOptions::new()
        .secret_name(DEFAULT_SECRET_NAME)
        .at(time(created));
    sign_request(&mut request, &Fixed(secret.into()), &options).expect("a request to sign");
    request
}

/// A new signature of this second, validated in it.
pub fn id(created: u64) -> ReplayId {
    let secret = secret("one");
    let request = signed(secret.clone(), created);
    let options = ValidateOptions::new().at(time(created));
    let validated = validate_auth(&request, &Fixed(secret.into()), &options);
    validated.expect("a valid request").replay_id().clone()
}

pub fn time(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}
