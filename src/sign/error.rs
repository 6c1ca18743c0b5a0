//! Why a request could not be signed.

use std::{fmt, io};

use crate::{
    answer::write_with_source,
    secret::SecretError,
    signature::{BaseError, MAX_COMPONENTS, SyntaxError},
};

/// Why a request could not be signed. The request is unchanged.
///
/// The cause and the remedy may stand in the [`source`](std::error::Error::source): `{:#}` writes
/// the sources too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// There is no secret to sign with. The text is that of the [`SecretError`].
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A component cannot be signed: no authority, a field that is absent, a value that is not
    /// ASCII.
    #[error(fmt = write_component)]
    Component(#[from] BaseError),
    /// Signing itself changes this field.
    #[error("`{name}` cannot be covered: signing changes it")]
    NotCoverable {
        /// The name of the field.
        name: String,
    },
    /// There are more components than a host accepts.
    #[error(
        "{count} components, at most {} are accepted: cover fewer fields",
        MAX_COMPONENTS
    )]
    TooManyComponents {
        /// How many there would be.
        count: usize,
    },
    /// The request has a `Content-Digest`, but that of another body.
    #[error(
        "the `Content-Digest` of the request is not that of its body: \
         remove it, or set it after the last change of the body"
    )]
    WrongDigest,
    /// The request has a `Content-Digest` that cannot be read or has no supported algorithm.
    #[error(
        "the `Content-Digest` of the request has no readable `sha-256` or `sha-512`: \
         remove it, and one is added"
    )]
    UnusableDigest,
    /// The request already has a signature with this label, which may be that of another party.
    #[error(
        "the request has a signature with the label `{label}` already: to sign it again, remove \
         `Signature` and `Signature-Input` first, or give a key id, by which your own signature is \
         known and replaced; to add yours to that of another party, choose another label with \
         `SignOptions::label`"
    )]
    LabelTaken {
        /// The label.
        label: String,
    },
    /// The request has signature fields that cannot be read.
    #[error(fmt = write_malformed)]
    MalformedSignature(#[source] SyntaxError),
    /// A label, a key id or a tag cannot be written.
    #[error("{parameter} `{value}` cannot be written: {remedy}")]
    InvalidParameter {
        /// Which option of [`SignOptions`](crate::SignOptions) it is.
        parameter: &'static str,
        /// The value, escaped and cut.
        value: String,
        /// What it must be.
        remedy: &'static str,
    },
    /// The request is for a host that [`SignOptions::authorities`](crate::SignOptions::authorities)
    /// does not list.
    #[error(
        "no signature for `{authority}`: `SignOptions::authorities` does not list it, so the URL is \
         not one that this consumer should call"
    )]
    UnlistedAuthority {
        /// The authority of the request, escaped and cut.
        authority: String,
    },
    /// The signature fields would be larger than a host accepts.
    #[error(
        "the `Signature-Input` would have more than 8 KiB: \
         shorten the key id or the tag, or cover fewer fields"
    )]
    TooLarge,
    /// The time, or the time of expiry, does not fit into an integer of RFC 9651.
    #[error(
        "the time of the signature or of its end is out of range: correct the clock or \
         `SignOptions::expires_in`; where the system has no clock, set `SignOptions::clock`"
    )]
    TimeOutOfRange,
    /// With those that are added, the request has more header fields than `http` can hold.
    #[error("the request has more header fields than `http` can hold")]
    TooManyFields,
    /// The engine has no random bytes for the nonce.
    #[error(fmt = write_random)]
    Random(#[source] io::Error),
}

fn write_component(source: &BaseError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write_with_source(f, "the request cannot be signed", source)
}

fn write_malformed(source: &SyntaxError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sentence = "the request has a malformed `Signature-Input` or `Signature` field: remove it";
    write_with_source(f, sentence, source)
}

fn write_random(source: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sentence = "there are no random bytes for the nonce";
    write_with_source(f, sentence, source)
}
