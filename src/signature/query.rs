//! `@query-param`, RFC 9421 section 2.2.8: one parameter of a form-encoded query.

use super::item::QuotedString;

/// Writes the value of the parameter `name`, which is itself percent-encoded. `false` if it does not occur exactly once.
///
/// Octets that are not UTF-8 stay as they are; the URL standard would replace them, and two queries would then look alike.
pub(super) fn push_query_param(out: &mut Vec<u8>, query: &str, name: QuotedString<'_>) -> bool {
    let name = name.text();
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if encoded_again(key).eq(name.bytes()) && found.replace(value).is_some() {
            return false;
        }
    }
    found.inspect(|value| out.extend(encoded_again(value))).is_some()
}

/// Decodes a form-encoded text and percent-encodes it, so that a space is always `%20`.
fn encoded_again(text: &str) -> impl Iterator<Item = u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text.as_bytes();
    let decoded = std::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'+', after @ ..] => (b' ', after),
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex_value(*high) << 4 | hex_value(*low), after)
            }
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    });
    decoded.flat_map(|byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            [Some(byte), None, None]
        } else {
            [Some(b'%'), Some(HEX[usize::from(byte >> 4)]), Some(HEX[usize::from(byte & 15)])]
        }
        .into_iter()
        .flatten()
    })
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
