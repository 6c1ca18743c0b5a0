//! Base64 (RFC 4648) of byte sequences and of nonces.

use base64::{
    Engine,
    engine::{GeneralPurpose, general_purpose::STANDARD},
};

/// The longest value that anything here wants: SHA-512, and the room that the decoder asks for.
const MAX_LEN: usize = 66;

/// The `N` bytes of a canonical base64 text, if it has as many.
pub(super) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; MAX_LEN];
    let len = STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes[..len].try_into().ok()
}

/// The value of a digit; 0 for a byte that is none.
pub(super) fn value(digit: u8) -> u8 {
    match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    }
}

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
