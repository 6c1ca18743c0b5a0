//! `@query-param` (RFC 9421 section 2.2.8): one parameter of a form-encoded query.

/// Writes the value of the parameter `encoded_name`, a name that is itself percent-encoded. Returns
/// `false` if the parameter does not occur exactly once.
///
/// Octets that are not UTF-8 stay as they are. The URL standard would replace them, and two queries
/// would then look alike.
pub(super) fn push_query_param(out: &mut Vec<u8>, query: &str, encoded_name: &str) -> bool {
    let name: Vec<u8> = decoded(encoded_name).collect();
    // A name that is not spelled as it would be written here names nothing.
    if !encoded(name.iter().copied()).eq(encoded_name.bytes()) {
        return false;
    }
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if is(key, &name) && found.replace(value).is_some() {
            return false;
        }
    }
    let Some(value) = found else { return false };
    out.extend(encoded(decoded(value)));
    true
}

/// Whether a form-encoded key means `name`. Where nothing has to be decoded, the bytes are compared
/// as they stand: nobody has proven the query yet, and a peer may have made it to be slow.
fn is(key: &str, name: &[u8]) -> bool {
    if key.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        key.len() >= name.len() && decoded(key).eq(name.iter().copied())
    } else {
        key.as_bytes() == name
    }
}

fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'+', after @ ..] => (b' ', after),
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex_value(*high) << 4 | hex_value(*low), after)
            }
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    })
}

/// Percent-encodes bytes, so that a space is always `%20`.
fn encoded(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    bytes.flat_map(|byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            [Some(byte), None, None]
        } else {
            [
                Some(b'%'),
                Some(HEX[usize::from(byte >> 4)]),
                Some(HEX[usize::from(byte & 15)]),
            ]
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
