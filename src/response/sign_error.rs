//! Why a response could not be signed.

use std::fmt;

use crate::{
    answer::write_with_source,
    signature::{BaseError, MAX_COMPONENTS, SyntaxError},
};

/// Why a response could not be signed. The response is unchanged.
///
/// The cause may stand in the [`source`](std::error::Error::source): `{:#}` writes the sources too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignResponseError {
    /// The request has no nonce, so its response could be given to another request.
    #[error(
        "the request has no nonce, by which its response would be known: let the consumer sign \
         with the parameter `nonce`"
    )]
    NoNonce,
    /// A component cannot be signed, mostly because its value is not ASCII.
    #[error(fmt = write_component)]
    Component(#[from] BaseError),
    /// There are more components than a signature may cover.
    #[error(
        "{count} components, at most {} are accepted: cover fewer fields of the request or of the \
         response",
        MAX_COMPONENTS
    )]
    TooManyComponents {
        /// How many there would be.
        count: usize,
    },
    /// The response has a `Content-Digest`, but that of another body.
    #[error(
        "the `Content-Digest` of the response is not that of its body: remove it, or set it after \
         the last change of the body"
    )]
    WrongDigest,
    /// The response has a `Content-Digest` that cannot be read or has no supported algorithm.
    #[error(
        "the `Content-Digest` of the response has no readable `sha-256` or `sha-512`: remove it, \
         and one is added"
    )]
    UnusableDigest,
    /// The response already has a signature with this label.
    #[error(
        "the response has a signature with the label `{label}` already: sign it once, or choose \
         another label with `SignResponseOptions::label`, and tell the consumer"
    )]
    LabelTaken {
        /// The label.
        label: String,
    },
    /// The response has signature fields that cannot be read.
    #[error(fmt = write_malformed)]
    MalformedSignature(#[source] SyntaxError),
    /// The label cannot be written.
    #[error(
        "the label `{label}` cannot be written: begin with a lower-case letter or `*`, go on with \
         those, digits, `_`, `-` and `.`"
    )]
    InvalidLabel {
        /// The label, escaped and cut.
        label: String,
    },
    /// Signing itself changes this field.
    #[error("`{name}` cannot be covered: signing changes it")]
    NotCoverable {
        /// The name of the field.
        name: String,
    },
    /// The signature fields would be larger than a consumer accepts.
    #[error("the `Signature-Input` would have more than 8 KiB: cover fewer fields")]
    TooLarge,
    /// The time does not fit into an integer of RFC 9651.
    #[error(
        "the time of the signature is out of range: correct the clock; where the system has no \
         clock, set `SignResponseOptions::clock`"
    )]
    TimeOutOfRange,
    /// With those that are added, the response has more header fields than `http` can hold.
    #[error("the response has more header fields than `http` can hold")]
    TooManyFields,
}

fn write_component(source: &BaseError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write_with_source(f, "a component of the response cannot be signed", source)
}

fn write_malformed(source: &SyntaxError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sentence = "the response has signature fields that cannot be read: remove them";
    write_with_source(f, sentence, source)
}
