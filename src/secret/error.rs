//! Why there is no secret.

use std::{error::Error as StdError, io};

use super::{MAX_PREVIOUS_SECRETS, MIN_SECRET_LEN, SecretEncoding};

/// Why there is no secret.
///
/// The text names the missing secret and the remedy, never a byte of a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The secret has fewer than 16 bytes. An unset or empty value never becomes an empty key.
    #[error(
        "the secret has {len} bytes, at least {MIN_SECRET_LEN} are needed: \
         generate one with `generate_secret()`, or with `openssl rand -hex 32`"
    )]
    TooShort {
        /// How many bytes there are.
        len: usize,
    },
    /// The text is not in the encoding that was asked for.
    #[error(
        "the secret is not {}: correct it, or name its real encoding",
        encoding_name(*expected)
    )]
    Encoding {
        /// The encoding that was asked for.
        expected: SecretEncoding,
    },
    /// There are more previous secrets than a set holds.
    #[error(
        "{count} previous secrets, at most {MAX_PREVIOUS_SECRETS} are accepted: retire the oldest"
    )]
    TooManyPrevious {
        /// How many there are.
        count: usize,
    },
    /// The store cannot look for such a name.
    #[error(
        "`{name}` cannot name a secret here: \
         use letters, digits, `-`, `_` and `.`, and no leading `.`"
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
    /// There is a value, but it is no usable secret. The source says why.
    #[error("the secret named `{name}` is not usable: see {place}")]
    Unusable {
        /// The name that was asked for.
        name: String,
        /// Where it was found.
        place: String,
        /// The reason why the value cannot be used.
        source: Box<SecretError>,
    },
    /// The place of the secret cannot be read.
    #[error("the secret named `{name}` cannot be read from {place}")]
    Unreadable {
        /// The name that was asked for.
        name: String,
        /// Where it should be.
        place: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The store cannot be reached: for stores outside this crate.
    #[error("the store of the secret named `{name}` is unavailable")]
    Unavailable {
        /// The name that was asked for.
        name: String,
        /// The error of the store.
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
