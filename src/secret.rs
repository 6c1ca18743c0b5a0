//! Secrets and where they come from.
//!
//! A [`SecretStore`] gives a [`SecretSet`] for a *secret name*. A set is the current [`Secret`] and
//! up to three previous ones. Consumers sign with the current secret, and hosts accept all secrets
//! of the set: so a secret can be rotated, and no request is refused. [`MemorySecrets`],
//! [`EnvSecrets`] and [`FileSecrets`] are stores; your vault is a store with one method.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose};
use zeroize::Zeroizing;

use crate::crypto::{HmacKey, Mac, fill_random};

pub use self::{
    env::EnvSecrets, error::SecretError, file::FileSecrets, fingerprint::Fingerprint,
    memory::MemorySecrets, set::SecretSet, store::SecretStore,
};

mod configured;
mod env;
mod error;
mod file;
mod fingerprint;
mod memory;
mod set;
mod store;

/// The secret name used when none is configured, that of the Velo package:
/// `hmac-authentication-secret-key`.
pub const DEFAULT_SECRET_NAME: &str = "hmac-authentication-secret-key";

/// The shortest secret that is accepted, in bytes.
pub const MIN_SECRET_LEN: usize = 16;

/// How many previous secrets a [`SecretSet`] holds at most.
pub const MAX_PREVIOUS_SECRETS: usize = 3;

/// A shared secret of at least 16 bytes, kept as a keyed HMAC-SHA256 state.
///
/// The bytes themselves are not kept. A clone shares the state, which is wiped when the last clone
/// is dropped. `Debug` shows the [`fingerprint`](Self::fingerprint), and there is no `==`.
#[derive(Clone)]
pub struct Secret(Arc<Keyed>);

struct Keyed {
    key: HmacKey,
    fingerprint: Fingerprint,
}

impl Secret {
    /// The UTF-8 bytes of `text`, as they are: nothing is trimmed, and nothing is decoded, as in
    /// Velo.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`] below 16 bytes.
    pub fn from_text(text: &str) -> Result<Self, SecretError> {
        Self::from_bytes(text.as_bytes())
    }

    /// The bytes as they are.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`] below 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() < MIN_SECRET_LEN {
            return Err(SecretError::TooShort { len: bytes.len() });
        }
        let key = HmacKey::new(bytes);
        let fingerprint = Fingerprint::of(&key);
        Ok(Self(Arc::new(Keyed { key, fingerprint })))
    }

    /// The bytes that `text` spells in hexadecimal, in either case.
    ///
    /// # Errors
    ///
    /// [`SecretError::Encoding`] if it is not hexadecimal, [`SecretError::TooShort`] below 16 bytes
    /// (32 digits).
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        let wrong = || SecretError::Encoding {
            expected: SecretEncoding::Hex,
        };
        // Room for all bytes at once: a growing buffer would leave copies of the secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
        for pair in text.as_bytes().chunks(2) {
            let [high, low] = pair else {
                return Err(wrong());
            };
            bytes.push(
                hex_digit(*high).ok_or_else(wrong)? << 4 | hex_digit(*low).ok_or_else(wrong)?,
            );
        }
        Self::from_bytes(&bytes)
    }

    /// The bytes that `text` spells in base64 (RFC 4648 section 4: the alphabet with `+` and `/`,
    /// with padding).
    ///
    /// # Errors
    ///
    /// [`SecretError::Encoding`] if it is not base64, [`SecretError::TooShort`] below 16 bytes.
    pub fn from_base64(text: &str) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        general_purpose::STANDARD
            .decode_vec(text, &mut bytes)
            .map_err(|_| SecretError::Encoding {
                expected: SecretEncoding::Base64,
            })?;
        Self::from_bytes(&bytes)
    }

    /// Shows which secret it is, to compare it with that of the other side.
    ///
    /// ```
    /// use hmac_auth::Secret;
    ///
    /// let secret = Secret::from_text("b5a8f2c9d01e4763a1908d7c6b5e4f30")?;
    /// assert_eq!(secret.fingerprint().to_string(), "be8f3651");
    /// # Ok::<(), hmac_auth::SecretError>(())
    /// ```
    ///
    /// # Security
    ///
    /// Safe to show for a generated secret, and unsafe for one that a person chose: see
    /// [`Fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// HMAC-SHA256 (RFC 2104) of `message` under this secret.
    ///
    /// Use it for known-answer tests, and to find out which
    /// [`SignatureBase`](crate::signature::SignatureBase) a peer has signed. To check a request,
    /// use [`validate_auth`](crate::validate_auth).
    ///
    /// # Security
    ///
    /// An attacker who obtains this value for a message of their choice can pass as the holder of
    /// the secret.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> Mac {
        self.0.key.mac(message)
    }

    /// Whether `mac` is the MAC of `message`, in time that does not depend on its bytes.
    pub(crate) fn verifies(&self, message: &[u8], mac: &Mac) -> bool {
        self.mac(message).matches(mac)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.fingerprint())
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// How a configuration value spells the bytes of a secret. Never guessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecretEncoding {
    /// The UTF-8 bytes of the text are the secret, as in Velo. The default.
    #[default]
    Text,
    /// Hexadecimal, in either case.
    Hex,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
    /// The bytes of a file as they are, such as those of `openssl rand 32`. Nothing is cut off.
    ///
    /// Only for [`FileSecrets`]: an environment variable cannot hold each byte.
    Raw,
}

/// Makes a secret of 256 random bits as printable text: 43 characters of the URL-safe base64
/// alphabet.
///
/// Store the text on both sides and read it with [`Secret::from_text`], or paste it into the Wix
/// Secrets Manager.
///
/// ```
/// use hmac_auth::{Secret, generate_secret};
///
/// let text = generate_secret()?;
/// let secret = Secret::from_text(&text)?;
/// # Ok::<(), hmac_auth::SecretError>(())
/// ```
///
/// # Errors
///
/// [`SecretError::Random`] if there are no random bytes.
pub fn generate_secret() -> Result<String, SecretError> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill_random(&mut *bytes).map_err(SecretError::Random)?;
    Ok(general_purpose::URL_SAFE_NO_PAD.encode(*bytes))
}
