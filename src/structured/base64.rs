//! Base64 (RFC 4648) of byte sequences and of nonces.

use std::{array, mem};

use base64::{
    Engine,
    engine::{GeneralPurpose, general_purpose::STANDARD},
};

/// How many characters 32 bytes are, with padding.
pub(super) const LEN_OF_32: usize = 44;

/// The 32 bytes of a MAC or of a SHA-256 from their canonical base64: 43 digits, of which the last
/// has four bits only, and one `=`.
///
/// Checks and decodes at once. To read strictly first, and then to use a decoder for any length,
/// takes 650 instructions more, twice for each request with a body. Inlined, it takes 80 more.
#[inline(never)]
pub(super) fn decode_32(text: &[u8; LEN_OF_32]) -> Option<[u8; 32]> {
    let mut digits = *text;
    if mem::replace(&mut digits[LEN_OF_32 - 1], b'A') != b'=' {
        return None;
    }
    let mut bytes = [0; 34];
    let mut all = 0;
    for group in 0..LEN_OF_32 / 4 {
        let [a, b, c, d] = array::from_fn(|i| value(digits[4 * group + i]));
        let word = a << 18 | b << 12 | c << 6 | d;
        all |= word;
        // The next group overwrites the fourth byte.
        bytes[3 * group..][..4].copy_from_slice(&(word << 8).to_be_bytes());
    }
    let [bytes @ .., unused, _] = &bytes;
    (all < 1 << 24 && *unused == 0).then_some(*bytes)
}

/// The 64 bytes of a SHA-512 from their canonical base64.
pub(super) fn decode_64(text: &[u8]) -> Option<[u8; 64]> {
    // Room for the most that so many characters could hold.
    let mut bytes = [0; 66];
    let len = STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes[..len].try_into().ok()
}

/// The value of a digit. A byte that is no digit has a value that stands out of 24 bits wherever it
/// is shifted to.
pub(super) fn value(digit: u8) -> u32 {
    VALUES[usize::from(digit)]
}

static VALUES: [u32; 256] = {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [!0xff; 256];
    let mut value = 0;
    while value < 64 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Writes a byte sequence (RFC 9651 section 4.1.8): `:base64:`.
pub(crate) fn push_byte_sequence(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b':');
    push_base64(out, &STANDARD, bytes);
    out.push(b':');
}

/// Writes base64 in the alphabet of `engine`.
pub(crate) fn push_base64(out: &mut Vec<u8>, engine: &GeneralPurpose, bytes: &[u8]) {
    let start = out.len();
    // Room for padding too, which may not be needed.
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let len = engine
        .encode_slice(bytes, &mut out[start..])
        .expect("three bytes are four characters");
    out.truncate(start + len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_decoder_for_any_length() {
        let bytes: [u8; 32] = array::from_fn(|i| u8::try_from(i * 37 % 256).unwrap());
        let text: [u8; LEN_OF_32] = STANDARD.encode(bytes).into_bytes().try_into().unwrap();
        assert_eq!(decode_32(&text), Some(bytes));
        for position in 0..LEN_OF_32 {
            for byte in 0..=255 {
                let mut other = text;
                other[position] = byte;
                let decoded = STANDARD.decode(other).ok();
                let expected = decoded.and_then(|bytes| bytes.try_into().ok());
                assert_eq!(decode_32(&other), expected, "{byte} at {position}");
            }
        }
    }

    #[test]
    fn one_wrong_digit_does_not_make_up_for_another() {
        let text: [u8; LEN_OF_32] = STANDARD.encode([0xa5; 32]).into_bytes().try_into().unwrap();
        for last in 0..LEN_OF_32 {
            for first in 0..last {
                let mut other = text;
                other[first] = b'?';
                other[last] = b'?';
                assert_eq!(decode_32(&other), None, "{first}, {last}");
            }
        }
    }
}
