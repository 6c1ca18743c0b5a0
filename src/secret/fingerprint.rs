//! Fingerprints: operators compare two secrets and see neither.

use std::fmt;

use crate::crypto::HmacKey;

/// The text that is hashed. A signature base begins with `"`, and an app instance has no blank: so no MAC of
/// either can be taken for this one.
const TEXT: &[u8] = b"hmac-auth fingerprint v1\n";

/// Shows which secret it is: the first 32 bits of HMAC-SHA256 of `hmac-auth fingerprint v1\n`.
///
/// `Display` writes eight hexadecimal digits. Operators on both sides compare them, such as at
/// start-up or when a MAC is wrong. A shell computes the same:
///
/// ```console
/// $ printf 'hmac-auth fingerprint v1\n' |
/// >   openssl dgst -sha256 -hmac "$SECRET" | grep -o '[0-9a-f]\{64\}' | cut -c 1-8
/// ```
///
/// # Security
///
/// The fingerprint of a generated secret is safe to show: its 32 bits do not help to guess 128
/// bits or more. The fingerprint of a secret that a person chose is not. Whoever sees it can try
/// out words on their own machine, and only one of four billion wrong words looks right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// In hexadecimal.
    digits: [u8; 8],
}

impl Fingerprint {
    pub(super) fn of(key: &HmacKey) -> Self {
        let mac = key.mac(TEXT).into_bytes();
        let mut digits = [0; 8];
        for (index, digit) in digits.iter_mut().enumerate() {
            let half = mac[index / 2] >> (4 * (1 - index % 2)) & 0x0f;
            *digit = b"0123456789abcdef"[usize::from(half)];
        }
        Self { digits }
    }

    /// The eight hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
