//! Secrets and where they come from.
//!
//! A [`SecretStore`] gives a [`SecretSet`] for a *secret name*; a set is the current [`Secret`] and up to three previous
//! ones. Consumers sign with the current secret, hosts accept all of the set: that is how a secret is rotated without
//! refusing anybody. [`MemorySecrets`], [`EnvSecrets`] and [`FileSecrets`] are stores; your vault is a store with one method.

use std::{error::Error as StdError, fmt, io, sync::Arc};

use base64::{Engine, engine::general_purpose};
use zeroize::Zeroizing;

use crate::crypto::{HmacKey, Mac, mac_eq};

pub use self::{env::EnvSecrets, file::FileSecrets, memory::MemorySecrets};

mod env;
mod file;
mod memory;

/// The secret name used when none is configured, that of the Velo package: `hmac-authentication-secret-key`.
pub const DEFAULT_SECRET_NAME: &str = "hmac-authentication-secret-key";

/// The shortest secret that is accepted, in bytes.
pub const MIN_SECRET_LEN: usize = 16;

/// How many previous secrets a [`SecretSet`] holds at most.
pub const MAX_PREVIOUS_SECRETS: usize = 3;

/// Where secrets are looked up by name.
///
/// The name is the host's or the consumer's own, never a peer's: a peer chooses at most among the key ids that
/// [`ValidateOptions::key_ids`](crate::ValidateOptions::key_ids) lists.
///
/// A look-up happens for each request, so it should be served from memory. Who fetches secrets asynchronously does so
/// between the phases of a [`Claim`](crate::Claim).
///
/// ```
/// use hmac_auth::{MemorySecrets, Secret, SecretError, SecretSet, SecretStore};
///
/// struct Vault(MemorySecrets);
///
/// impl SecretStore for Vault {
///     fn secrets(&self, name: &str) -> Result<SecretSet, SecretError> {
///         self.0.secrets(name)
///     }
/// }
/// # let vault = Vault(MemorySecrets::new());
/// # assert!(vault.secrets("missing").is_err());
/// ```
pub trait SecretStore: Send + Sync {
    /// The secrets under `name`.
    ///
    /// # Errors
    ///
    /// [`SecretError`] when there is no such secret or the store cannot be reached. A host answers either with 503.
    fn secrets(&self, name: &str) -> Result<SecretSet, SecretError>;
}

impl<T: SecretStore + ?Sized> SecretStore for &T {
    fn secrets(&self, name: &str) -> Result<SecretSet, SecretError> {
        (**self).secrets(name)
    }
}

impl<T: SecretStore + ?Sized> SecretStore for Box<T> {
    fn secrets(&self, name: &str) -> Result<SecretSet, SecretError> {
        (**self).secrets(name)
    }
}

impl<T: SecretStore + ?Sized> SecretStore for Arc<T> {
    fn secrets(&self, name: &str) -> Result<SecretSet, SecretError> {
        (**self).secrets(name)
    }
}

/// A shared secret of at least 16 bytes, kept as a keyed HMAC-SHA256 state.
///
/// The bytes themselves are not kept. A clone shares the state, which is wiped when the last clone is dropped. `Debug` shows
/// nothing, and there is no `==`.
#[derive(Clone)]
pub struct Secret(Arc<HmacKey>);

impl Secret {
    /// The UTF-8 bytes of `text`, as they are: nothing is trimmed, and nothing is decoded. This is what Velo does.
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
        Ok(Self(Arc::new(HmacKey::new(bytes))))
    }

    /// The bytes that `text` spells in hexadecimal, in either case.
    ///
    /// # Errors
    ///
    /// [`SecretError::Encoding`] if it is not hexadecimal, [`SecretError::TooShort`] below 16 bytes (32 digits).
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

    /// The bytes that `text` spells in base64 (RFC 4648 section 4, the alphabet with `+` and `/`, with padding).
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

    /// The text of a configuration value in the encoding that the operator named.
    fn decode(text: &str, encoding: SecretEncoding) -> Result<Self, SecretError> {
        match encoding {
            SecretEncoding::Text => Self::from_text(text),
            SecretEncoding::Hex => Self::from_hex(text),
            SecretEncoding::Base64 => Self::from_base64(text),
        }
    }

    /// HMAC-SHA256 (RFC 2104) of `message` under this secret.
    ///
    /// For known-answer tests and for finding out which [`SignatureBase`](crate::signature::SignatureBase) a peer has signed.
    /// To check a request, use [`validate_auth`](crate::validate_auth).
    ///
    /// # Security
    ///
    /// Whoever obtains this value for a message of their choice can pass as the holder of the secret, and comparing it with
    /// `==` tells an attacker how many bytes are right.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> Mac {
        self.mac_of([message])
    }

    /// The MAC of several pieces in a row.
    pub(crate) fn mac_of<const N: usize>(&self, message: [&[u8]; N]) -> Mac {
        self.0.mac(message)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
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
}

/// The current secret under a name, and up to three previous ones that are still accepted.
///
/// A clone shares the secrets. `Debug` shows how many there are.
#[derive(Clone)]
pub struct SecretSet(Arc<[Secret]>);

impl SecretSet {
    /// A set with one secret: what a host accepts and a consumer signs with.
    #[must_use]
    pub fn new(current: Secret) -> Self {
        Self(Arc::new([current]))
    }

    /// A set in the middle of a rotation: sign with `current`, accept `previous` too, the most recent first.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooManyPrevious`] for more than three: each one costs a MAC for each forged request.
    pub fn with_previous(
        current: Secret,
        previous: impl IntoIterator<Item = Secret>,
    ) -> Result<Self, SecretError> {
        let all: Arc<[Secret]> = std::iter::once(current).chain(previous).collect();
        if all.len() > 1 + MAX_PREVIOUS_SECRETS {
            return Err(SecretError::TooManyPrevious {
                count: all.len() - 1,
            });
        }
        Ok(Self(all))
    }

    /// The secret to sign with.
    #[must_use]
    pub fn current(&self) -> &Secret {
        &self.0[0]
    }

    /// All secrets to accept, the current one first.
    pub fn accepted(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    /// Under which secret of this set `mac` is that of `message`, 0 for the current one: the only place where a MAC is checked.
    #[inline]
    pub(crate) fn verified_by(&self, message: &[u8], mac: &Mac) -> Option<usize> {
        self.accepted()
            .position(|secret| mac_eq(&secret.mac(message), mac))
    }

    /// This set after a rotation; of the previous secrets, the oldest beyond three is dropped.
    fn rotated(&self, current: Secret) -> Self {
        Self(
            std::iter::once(current)
                .chain(self.0.iter().take(MAX_PREVIOUS_SECRETS).cloned())
                .collect(),
        )
    }
}

impl From<Secret> for SecretSet {
    fn from(current: Secret) -> Self {
        Self::new(current)
    }
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSet(1 current, {} previous)", self.0.len() - 1)
    }
}

/// A new secret of 256 random bits as printable text: 43 characters of the URL-safe base64 alphabet.
///
/// Store the text on both sides and read it with [`Secret::from_text`], or paste it into the Wix Secrets Manager.
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
/// [`SecretError::Random`] if the operating system has no random bytes to give.
pub fn generate_secret() -> Result<String, SecretError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| SecretError::Random(error.into()))?;
    Ok(general_purpose::URL_SAFE_NO_PAD.encode(*bytes))
}

/// Why there is no secret. Names what was looked for and what to do about it, never a byte of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Fewer than 16 bytes; an unset or empty value never becomes an empty key.
    #[error(
        "the secret has {len} bytes, at least {MIN_SECRET_LEN} are needed: generate one with `generate_secret()`, or with \
         `openssl rand -hex 32`"
    )]
    TooShort {
        /// How many bytes there are.
        len: usize,
    },
    /// The text is not in the encoding that was asked for.
    #[error("the secret is not {}: correct it, or name its real encoding", encoding_name(*expected))]
    Encoding {
        /// The encoding that was asked for.
        expected: SecretEncoding,
    },
    /// More previous secrets than a set holds.
    #[error(
        "{count} previous secrets, at most {MAX_PREVIOUS_SECRETS} are accepted: retire the oldest"
    )]
    TooManyPrevious {
        /// How many there are.
        count: usize,
    },
    /// The store cannot look for such a name.
    #[error(
        "`{name}` cannot name a secret here: use letters, digits, `-`, `_` and `.`, and no leading `.`"
    )]
    InvalidName {
        /// The name that was asked for.
        name: String,
    },
    /// The store has no secret of that name.
    #[error("no secret named `{name}`: there is no {place} (`openssl rand -hex 32` makes one)")]
    NotFound {
        /// The name that was asked for.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// There is a value, but it is no usable secret; the source says why.
    #[error("the secret named `{name}` is not usable: see {place}")]
    Unusable {
        /// The name that was asked for.
        name: String,
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        source: Box<SecretError>,
    },
    /// The place of the secret cannot be read.
    #[error("the secret named `{name}` cannot be read from {place}")]
    Unreadable {
        /// The name that was asked for.
        name: String,
        /// Where it should be.
        place: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The store cannot be reached: for stores outside this crate.
    #[error("the store of the secret named `{name}` is unavailable")]
    Unavailable {
        /// The name that was asked for.
        name: String,
        /// What the store says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The operating system has no random bytes.
    #[error("the operating system gives no random bytes")]
    Random(#[source] io::Error),
}

fn encoding_name(encoding: SecretEncoding) -> &'static str {
    match encoding {
        SecretEncoding::Text => "UTF-8 text",
        SecretEncoding::Hex => "hexadecimal",
        SecretEncoding::Base64 => "base64 with padding",
    }
}
