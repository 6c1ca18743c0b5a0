//! `@query-param`, RFC 9421 section 2.2.8: one parameter of a form-encoded query.

use super::syntax::QuotedString;

/// Writes the value of the parameter `name`, which is itself percent-encoded. `false` if it does not occur exactly once.
///
/// Octets that are not UTF-8 stay as they are; the URL standard would replace them, and two queries would then look alike.
pub(super) fn push_query_param(out: &mut String, query: &str, name: QuotedString<'_>) -> bool {
    let name = name.text();
    let mut encoded = String::new();
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        encoded.clear();
        push_encoded_again(&mut encoded, key);
        if encoded == *name && found.replace(value).is_some() {
            return false;
        }
    }
    found.inspect(|value| push_encoded_again(out, value)).is_some()
}

/// Decodes a form-encoded text and percent-encodes it, so that a space is always `%20`.
fn push_encoded_again(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, next) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, next @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, next),
                _ => (b'%', after),
            },
            _ => (*first, after),
        };
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        rest = next;
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
