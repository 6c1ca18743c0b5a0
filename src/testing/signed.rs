//! Requests that are signed in the same way in each run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;

use crate::{
    secret::{Secret, SecretError, SecretSet, SecretStore},
    sign::{SignOptions, sign_request},
};

/// When all tests happen: 2027-01-15, 08:00:00 UTC.
///
/// Give this function to the host as its clock:
///
/// ```
/// use hmac_auth::{ValidateOptions, testing::fixed_time};
///
/// let options = ValidateOptions::new().clock(fixed_time);
/// ```
#[must_use]
pub fn fixed_time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// Options that sign at [`fixed_time`] and with a fixed nonce.
///
/// ```
/// use hmac_auth::testing::sign_options;
///
/// let options = sign_options().key_id("site-a");
/// ```
#[must_use]
pub fn sign_options() -> SignOptions {
    SignOptions::new()
        .clock(fixed_time)
        .predictable_nonces(|| [0; 16])
}

/// Signs a request with [`sign_options`].
///
/// Two equal requests get the same signature, so a host with a replay guard accepts the first one
/// only.
///
/// # Panics
///
/// If the request cannot be signed, with the value and the remedy.
#[must_use]
pub fn signed<B: AsRef<[u8]>>(request: Request<B>, secret: &Secret) -> Request<B> {
    signed_with(request, secret, &sign_options())
}

/// Signs a request with these options, whatever secret name they have.
///
/// ```
/// use hmac_auth::{Secret, testing::{sign_options, signed_with}};
/// use http::Request;
///
/// let secret = Secret::from_text("a secret that only the tests know")?;
/// let request = Request::get("https://host.example/orders").body("")?;
/// let options = sign_options().key_id("site-a");
/// let request = signed_with(request, &secret, &options);
/// assert_eq!(
///     request.headers()["signature-input"],
///     "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\")\
///      ;created=1800000000;nonce=\"AAAAAAAAAAAAAAAAAAAAAA\";keyid=\"site-a\""
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the request cannot be signed, with the value and the remedy.
#[must_use]
pub fn signed_with<B: AsRef<[u8]>>(
    mut request: Request<B>,
    secret: &Secret,
    options: &SignOptions,
) -> Request<B> {
    if let Err(error) = sign_request(&mut request, &AnyName(secret), options) {
        panic!("the request of this test cannot be signed: {error:#}");
    }
    request
}

/// One secret under whatever name.
struct AnyName<'a>(&'a Secret);

impl SecretStore for AnyName<'_> {
    fn lookup(&self, _name: &str) -> Result<SecretSet, SecretError> {
        Ok(SecretSet::new(self.0.clone()))
    }
}
