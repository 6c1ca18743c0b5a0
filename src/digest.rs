//! `Content-Digest`, RFC 9530: the body, as sent, has this hash.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;

use crate::{
    crypto::{Sha256, Sha512},
    signature::{ByteSequences, CONTENT_DIGEST, SyntaxError},
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
    pub(crate) fn digest(self, body: &[u8]) -> Digest {
        match self {
            Self::Sha256 => {
                let mut hash = Sha256::new();
                hash.update(body);
                Digest::Sha256(hash.finish())
            }
            Self::Sha512 => {
                let mut hash = Sha512::new();
                hash.update(body);
                Digest::Sha512(hash.finish())
            }
        }
    }
}

/// The digest of one body.
pub(crate) enum Digest {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Digest {
    /// Writes the value of a `Content-Digest` field.
    pub(crate) fn push_value(&self, out: &mut String) {
        let (key, bytes): (_, &[u8]) = match self {
            Self::Sha256(bytes) => ("sha-256=:", bytes),
            Self::Sha512(bytes) => ("sha-512=:", bytes),
        };
        out.push_str(key);
        STANDARD.encode_string(bytes, out);
        out.push(':');
    }
}

/// The digests that a message lists, and the state of hashing its body.
#[derive(Default)]
pub(crate) struct BodyDigest {
    sha256: Option<([u8; 32], Sha256)>,
    /// Rare, and four times as large as the other.
    sha512: Option<Box<([u8; 64], Sha512)>>,
}

impl BodyDigest {
    /// Reads the `Content-Digest` field; `None` if it is absent.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>, DigestError> {
        let mut digest = Self::default();
        let mut members = ByteSequences::new(headers, &CONTENT_DIGEST);
        while let Some(member) = members.next_member().map_err(DigestError::Malformed)? {
            match member.key {
                "sha-256" => digest.sha256 = Some((decode(member.base64)?, Sha256::new())),
                "sha-512" => digest.sha512 = Some(Box::new((decode(member.base64)?, Sha512::new()))),
                _ => {}
            }
        }
        match (&digest.sha256, &digest.sha512) {
            // A line without a member is malformed, so there is no line.
            _ if members.len() == 0 => Ok(None),
            (None, None) => Err(DigestError::Unsupported),
            _ => Ok(Some(digest)),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some((_, hash)) = &mut self.sha256 {
            hash.update(bytes);
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.1.update(bytes);
        }
    }

    /// Whether every digest is that of the bytes given. Both sides are known to the peer: no secret is compared here.
    pub(crate) fn matches(self) -> bool {
        self.sha256.is_none_or(|(expected, hash)| hash.finish() == expected)
            && self.sha512.is_none_or(|sha512| sha512.1.finish() == sha512.0)
    }
}

/// What is wrong with a `Content-Digest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestError {
    Malformed(SyntaxError),
    /// A digest that is not as long as its algorithm makes it.
    WrongLength,
    /// Neither `sha-256` nor `sha-512`.
    Unsupported,
}

fn decode<const N: usize>(base64: &str) -> Result<[u8; N], DigestError> {
    decode_array(base64).ok_or(DigestError::WrongLength)
}

/// Canonical base64 of exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(base64: &str) -> Option<[u8; N]> {
    // Room for what any base64 text of the right length could hold.
    let mut bytes = [0; 66];
    if base64.len() != N.div_ceil(3) * 4 {
        return None;
    }
    let len = STANDARD.decode_slice(base64, &mut bytes).ok()?;
    bytes[..len].try_into().ok()
}
