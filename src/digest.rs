//! `Content-Digest` (RFC 9530): the body, as sent, has this hash.

use crate::{
    crypto::{Sha256, Sha512},
    message::Lines,
    structured::{ByteSequences, SyntaxError, push_byte_sequence},
};

/// A hash algorithm for the body. The deprecated ones of RFC 9530 are never used and never suffice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// `sha-256`. The default.
    #[default]
    Sha256,
    /// `sha-512`.
    Sha512,
}

impl DigestAlgorithm {
    /// Writes the value of a `Content-Digest` field for `body`.
    pub(crate) fn push_field_value(self, out: &mut Vec<u8>, body: &[u8]) {
        match self {
            Self::Sha256 => {
                out.extend_from_slice(b"sha-256=");
                push_byte_sequence(out, &Sha256::digest(body));
            }
            Self::Sha512 => {
                out.extend_from_slice(b"sha-512=");
                push_byte_sequence(out, &Sha512::digest(body));
            }
        }
    }
}

/// The digests that a message lists, and the state of hashing its body.
#[derive(Clone, Default)]
pub(crate) struct BodyDigest {
    sha256: Option<([u8; 32], Sha256)>,
    sha512: Option<([u8; 64], Sha512)>,
}

impl BodyDigest {
    /// Reads the `Content-Digest` field.
    pub(crate) fn read(lines: Lines<'_>) -> Result<Self, DigestError> {
        let mut digest = Self::default();
        for member in ByteSequences::new(lines) {
            let member = member.map_err(DigestError::Malformed)?;
            if let Some(error) = member.error() {
                return Err(DigestError::Malformed(error));
            }
            match member.key {
                b"sha-256" => {
                    let expected = member.of_32().ok_or(DigestError::WrongLength)?;
                    digest.sha256 = Some((expected, Sha256::new()));
                }
                b"sha-512" => {
                    let expected = member.of_64().ok_or(DigestError::WrongLength)?;
                    digest.sha512 = Some((expected, Sha512::new()));
                }
                _ => {}
            }
        }
        if digest.sha256.is_none() && digest.sha512.is_none() {
            return Err(DigestError::Unsupported);
        }
        Ok(digest)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some((_, hash)) = &mut self.sha256 {
            hash.update(bytes);
        }
        if let Some((_, hash)) = &mut self.sha512 {
            hash.update(bytes);
        }
    }

    /// Whether every digest is that of the bytes given so far. The peer knows both sides: no secret
    /// is compared here.
    pub(crate) fn matches(&self) -> bool {
        let sha256 = self.sha256.as_ref();
        let sha512 = self.sha512.as_ref();
        sha256.is_none_or(|(expected, hash)| hash.clone().finish() == *expected)
            && sha512.is_none_or(|(expected, hash)| hash.clone().finish() == *expected)
    }
}

/// Why a `Content-Digest` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestError {
    Malformed(SyntaxError),
    /// A digest is not as long as its algorithm makes it.
    WrongLength,
    /// Neither `sha-256` nor `sha-512` is there.
    Unsupported,
}
