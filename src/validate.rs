use http::Request;

use crate::{error::AuthError, secret::SecretStore};

pub use self::{
    claim::Claim,
    head::VerifiedHead,
    options::{DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, ValidateOptions},
    validated::Validated,
};

mod claim;
mod head;
mod options;
mod validated;

/// Validates a request, as the host's first step before doing anything else.
///
/// All checks are made, in this order: size and shape of the signature fields; which signatures are meant for this host; that
/// they cover method, authority, path, query and body; that they are fresh; the authority; the MAC; the digest of the body. What
/// it does not do is remember: give the result to [`MemoryReplayGuard::first_use`](crate::MemoryReplayGuard::first_use), so
/// that no request is accepted twice.
///
/// ```
/// use hmac_auth::{
///     AuthError, DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret, SignOptions, ValidateOptions, generate_secret,
///     sign_request, validate_auth,
/// };
///
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
/// let options = ValidateOptions::new().authorities(["host.example"]);
/// let guard = MemoryReplayGuard::new();
///
/// let mut request = http::Request::get("https://host.example/_functions/siteStats").body("")?;
/// sign_request(&mut request, &secrets, &SignOptions::new())?;
///
/// let validated = validate_auth(&request, &secrets, &options).and_then(|validated| guard.first_use(validated))?;
/// assert_eq!(validated.secret_name(), DEFAULT_SECRET_NAME);
///
/// // The same request a second time, and the same signature on another request:
/// assert!(guard.first_use(validate_auth(&request, &secrets, &options)?).is_err());
/// *request.uri_mut() = "https://host.example/_functions/everything".parse()?;
/// assert!(validate_auth(&request, &secrets, &options).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`AuthError`]: its kind is for the operator, its response for the peer.
///
/// # Security
///
/// Everything in the request is chosen by the peer, and nothing in it chooses the secret or the algorithm: a key id only
/// selects among those of [`ValidateOptions::key_ids`]. Limit the size of the body before it gets here; with a wrong MAC it is not
/// hashed.
pub fn validate_auth<B: AsRef<[u8]>>(
    request: &Request<B>,
    secrets: &(impl SecretStore + ?Sized),
    options: &ValidateOptions,
) -> Result<Validated, AuthError> {
    let mut claim = Claim::unread(request.into(), options);
    claim.read()?;
    claim.verify_any(secrets, request.body().as_ref())?.finish()
}
