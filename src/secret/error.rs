//! Why there is no secret.

use std::{error::Error as StdError, fmt, io};

use super::{MAX_PREVIOUS_SECRETS, MIN_SECRET_LEN, SecretEncoding};
use crate::{answer::write_with_source, escape::escape};

/// Why there is no secret.
///
/// The text names the missing secret and the remedy, never a byte of a secret. `{:#}` writes the
/// sources too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The secret has fewer than 16 bytes. An unset or empty value never becomes an empty key.
    #[error("the secret has {len} bytes, at least {MIN_SECRET_LEN} are needed")]
    TooShort {
        /// How many bytes there are.
        len: usize,
    },
    /// The text is not in the encoding that was asked for.
    #[error(
        "the secret is not {}: correct it, \
         or choose its encoding (`SecretEncoding::Raw` for raw bytes in a file)",
        encoding_name(*expected)
    )]
    Encoding {
        /// The encoding that was asked for.
        expected: SecretEncoding,
    },
    /// The text of a file or a variable looks like an accident, such as a secret in quotation
    /// marks, or one with a blank at its end.
    ///
    /// [`Secret::from_text`](super::Secret::from_text) takes such a text as it is.
    #[error("the secret {found}: {remedy}")]
    Accident {
        /// The accident, such as quotation marks.
        found: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// An environment variable cannot hold raw bytes: none of them may be zero, and shells change
    /// others.
    #[error(
        "a variable cannot hold raw bytes: \
         write them in base64 or hexadecimal, and choose that encoding"
    )]
    RawVariable,
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
        "`{}` cannot name a secret here: use letters, digits, `-`, `_` and `.`, no `.` at either \
         end, and none of the endings that have a meaning: in files `.previous`, `.previous-2` and \
         `.revoked`, in variables `_PREVIOUS`, `_PREVIOUS_2` and `_REVOKED`",
        escape(name)
    )]
    InvalidName {
        /// The name that was asked for.
        name: String,
    },
    /// The store has no secret of that name.
    #[error(
        "no secret named `{name}`: there is no {place}{}",
        remedy_unless_given(place)
    )]
    NotFound {
        /// The name that was asked for.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// The secret was revoked. A host answers 401, as for every other failure of authentication.
    #[error("the secret named `{name}` is revoked: {reason}")]
    Revoked {
        /// The name that was asked for.
        name: String,
        /// The place of the revocation, and how the operator accepts the secret again.
        reason: String,
    },
    /// There is a value, but it is no usable secret. The source says why.
    #[error(fmt = write_unusable)]
    Unusable {
        /// The name that was asked for.
        name: String,
        /// Where it was found, and what to do there.
        place: String,
        /// The reason why the value cannot be used.
        source: Box<SecretError>,
    },
    /// The place of the secret cannot be read.
    #[error(fmt = write_unreadable)]
    Unreadable {
        /// The name that was asked for.
        name: String,
        /// Where it should be.
        place: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The store cannot be reached: for stores outside this crate.
    #[error(fmt = write_unavailable)]
    Unavailable {
        /// The name that was asked for.
        name: String,
        /// The error of the store.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The engine has no random bytes.
    #[error(fmt = write_random)]
    Random(#[source] io::Error),
}

fn write_unusable(
    name: &str,
    place: &str,
    source: &SecretError,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let sentence = format!("the secret named `{name}` is not usable: see {place}");
    write_with_source(f, &sentence, source)
}

fn write_unreadable(
    name: &str,
    place: &str,
    source: &io::Error,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let sentence = format!("the secret named `{name}` cannot be read from {place}");
    write_with_source(f, &sentence, source)
}

#[expect(clippy::borrowed_box, reason = "the field is given as it is")]
fn write_unavailable(
    name: &str,
    source: &Box<dyn StdError + Send + Sync>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let sentence = format!("the store of the secret named `{name}` is unavailable");
    write_with_source(f, &sentence, &**source)
}

fn write_random(source: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write_with_source(f, "there are no random bytes", source)
}

/// What helps if there is no secret. It stands in parentheses behind the place.
const MAKES_A_SECRET: &str = " (`openssl rand -hex 32` makes a secret)";

/// A place whose remedy is another one has it already.
fn remedy_unless_given(place: &str) -> &'static str {
    if place.ends_with(')') {
        ""
    } else {
        " (`openssl rand -hex 32` makes one)"
    }
}

impl SecretError {
    /// The same error about a secret that does not come from `openssl`.
    #[cfg(feature = "wix")]
    pub(crate) fn with_remedy(mut self, remedy: &str) -> Self {
        match &mut self {
            Self::NotFound { place, .. } if !place.ends_with(')') => {
                *place = format!("{place} ({remedy})");
            }
            Self::Unusable { place, .. } => {
                *place = place.replace(MAKES_A_SECRET, &format!(" ({remedy})"));
            }
            _ => {}
        }
        self
    }
}

fn encoding_name(encoding: SecretEncoding) -> &'static str {
    match encoding {
        SecretEncoding::Text => "UTF-8 text",
        SecretEncoding::Hex => "hexadecimal",
        SecretEncoding::Base64 => "base64 with padding",
        SecretEncoding::Raw => "raw bytes",
    }
}

/// The error about a value that is no usable secret.
///
/// A value that is too short was no secret before either: so a previous one is to be removed.
pub(super) fn unusable(
    name: &str,
    place: &str,
    is_previous: bool,
    source: SecretError,
) -> SecretError {
    let remedy = match (&source, is_previous) {
        (SecretError::TooShort { .. }, true) => " (remove it: no such secret was ever accepted)",
        (SecretError::TooShort { .. }, false) => MAKES_A_SECRET,
        _ => "",
    };
    SecretError::Unusable {
        name: name.to_owned(),
        place: format!("{place}{remedy}"),
        source: Box::new(source),
    }
}

#[cfg(test)]
#[cfg(feature = "wix")]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_given_once() {
        let of_wix = |error: SecretError| error.with_remedy("copy it from the dashboard");
        let missing = || SecretError::NotFound {
            name: "a".to_owned(),
            place: "file /run/secrets/a".to_owned(),
        };
        let text = of_wix(missing()).to_string();
        assert_eq!(
            text.matches("copy it from the dashboard").count(),
            1,
            "{text}"
        );
        assert_eq!(of_wix(of_wix(missing())).to_string(), text);
    }
}
