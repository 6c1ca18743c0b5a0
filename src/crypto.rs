//! The engine: HMAC-SHA256, SHA-256, SHA-512 and random bytes, and the only comparison of a MAC.
//!
//! Features choose one of two libraries when the crate is compiled. Both engines have the same
//! three types and one function. No other file of the crate names either library.

use std::{array, fmt};

use subtle::ConstantTimeEq;

#[cfg(any(feature = "fips", feature = "aws-lc-rs"))]
#[path = "crypto/aws_lc.rs"]
mod engine;
#[cfg(all(
    feature = "rust-crypto",
    not(any(feature = "fips", feature = "aws-lc-rs"))
))]
#[path = "crypto/rust_crypto.rs"]
mod engine;
#[cfg(any(feature = "fips", all(docsrs, feature = "aws-lc-rs")))]
mod fips;

#[cfg(not(any(feature = "fips", feature = "aws-lc-rs", feature = "rust-crypto")))]
compile_error!(
    "hmac-auth has no engine for SHA-2 and HMAC: add the feature `rust-crypto` (the default one), \
     `aws-lc-rs` or `fips` to your dependency on hmac-auth"
);

pub(crate) use engine::{HmacKey, Sha256, Sha512, fill_random};
#[cfg(any(feature = "fips", all(docsrs, feature = "aws-lc-rs")))]
pub use fips::assert_fips_mode;

/// An HMAC-SHA256 value: 32 bytes.
///
/// A `Mac` has no `==`, because a comparison that stops at the first wrong byte tells an attacker
/// how many bytes are right. The length is part of the type, so a shorter value cannot be compared.
/// `Debug` shows no byte.
#[derive(Clone, Copy)]
pub struct Mac([u8; 32]);

impl Mac {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, such as for a known-answer test.
    ///
    /// # Security
    ///
    /// Do not compare them with those of a request: [`validate_auth`](crate::validate_auth) does
    /// that in constant time.
    #[must_use]
    pub fn into_bytes(self) -> [u8; 32] {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether two MACs are equal, in time that does not depend on their bytes.
    ///
    /// Compares four words: `subtle` takes 25 times as many instructions for 32 single bytes.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.words().ct_eq(&other.words()).into()
    }

    fn words(&self) -> [u64; 4] {
        array::from_fn(|index| {
            let word = self.0[8 * index..].first_chunk();
            u64::from_ne_bytes(*word.expect("four words of 8 bytes are 32 bytes"))
        })
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Mac;

    #[test]
    fn every_single_bit_counts() {
        let bytes = [0xa5; 32];
        let mac = Mac::new(bytes);
        assert!(mac.matches(&Mac::new(bytes)));
        for bit in 0..256 {
            let mut other = bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!mac.matches(&Mac::new(other)), "bit {bit}");
        }
    }
}
