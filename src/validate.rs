//! Validating requests: the host's side.

use http::Request;

use crate::secret::SecretStore;

#[cfg(all(feature = "metrics", feature = "directory-cache"))]
pub(crate) use self::directory::outcome_of;
pub(crate) use self::policy::{named_authority, seems_in_milliseconds};
pub use self::{
    claim::Claim,
    consumer::Consumer,
    directory::{ConsumerDirectory, FindConsumer, MAX_DIRECTORY_KEY_ID_LEN},
    error::{AuthError, AuthErrorKind},
    options::{DEFAULT_MAX_CLOCK_SKEW, DEFAULT_MAX_TIME_DIFF, ValidateOptions},
    replay_id::ReplayId,
    validated::Validated,
    verified_head::VerifiedHead,
    verify_in::VerifyIn,
};
#[cfg(feature = "tower")]
pub(crate) use self::{
    claim::HOST_ADVICE,
    validated::Proof,
    verify_in::{Answers, Question},
};

mod candidate;
mod claim;
mod consumer;
mod directory;
mod error;
mod options;
mod policy;
mod refusal;
mod replay_id;
mod seen;
mod validated;
mod verified_head;
mod verify_in;

/// Validates a request, as the host's first step before doing anything else.
///
/// The checks, in this order: the size and shape of the signature fields; which signatures are
/// meant for this host; that they cover method, authority, path, query and body; that they are
/// fresh; the authority; the MAC; the digest of the body. The function remembers nothing. Give the
/// result to [`MemoryReplayGuard::first_use`](crate::MemoryReplayGuard::first_use), so that no
/// request is accepted twice.
///
/// ```
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret,
///     SignOptions, ValidateOptions, generate_secret, sign_request,
///     validate_auth,
/// };
///
/// let secrets = MemorySecrets::new();
/// let secret = Secret::from_text(&generate_secret()?)?;
/// secrets.insert(DEFAULT_SECRET_NAME, secret);
/// let options = ValidateOptions::new().authorities(["host.example"]);
/// let guard = MemoryReplayGuard::new();
///
/// let url = "https://host.example/_functions/siteStats";
/// let mut request = http::Request::get(url).body("")?;
/// sign_request(&mut request, &secrets, &SignOptions::new())?;
///
/// let validated = validate_auth(&request, &secrets, &options)
///     .and_then(|validated| guard.first_use(validated))?;
/// assert_eq!(validated.secret_name(), DEFAULT_SECRET_NAME);
///
/// // The same request a second time:
/// let again = validate_auth(&request, &secrets, &options)?;
/// assert!(guard.first_use(again).is_err());
/// // The same signature on another request:
/// *request.uri_mut() = "https://host.example/_functions/all".parse()?;
/// assert!(validate_auth(&request, &secrets, &options).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`AuthError`]: its kind is for the operator, its response for the peer.
///
/// # Caches
///
/// A shared cache does not know that a signature protects an answer, and gives it to anybody. The
/// layers of `tower` say `private`. Without them, say it in each of your answers:
///
/// ```
/// use http::header::{CACHE_CONTROL, HeaderValue};
///
/// let mut response = http::Response::new("the answer");
/// response
///     .headers_mut()
///     .insert(CACHE_CONTROL, HeaderValue::from_static("private"));
/// ```
///
/// # Security
///
/// The peer chooses everything in the request, but nothing in the request chooses the secret or the
/// algorithm: a key id only selects among those of [`ValidateOptions::key_ids`]. Limit the size of
/// the body before you call this function. With a wrong MAC, the body is not hashed.
pub fn validate_auth<B: AsRef<[u8]>>(
    request: &Request<B>,
    secrets: &(impl SecretStore + ?Sized),
    options: &ValidateOptions,
) -> Result<Validated, AuthError> {
    let mut head = match Claim::parse(request, options)?.verify_any(secrets) {
        Ok(head) => head,
        Err(error) if error.kind() == AuthErrorKind::WrongMac => {
            return Err(error.more_detail(claim::HOST_ADVICE));
        }
        Err(error) => return Err(error),
    };
    head.update(request.body().as_ref());
    head.finish()
}
