//! Display Strings (RFC 9651 section 3.3.8): Unicode text, percent-encoded where it is not ASCII.

use super::{
    class::Class,
    cursor::{Cursor, SyntaxError},
};

/// Reads a display string, and returns what stands between its quotes.
pub(super) fn read_display_string<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], SyntaxError> {
    cursor.expect(b'%', "expected a display string")?;
    cursor.expect(b'"', "expected `\"` after `%`")?;
    let start = cursor.position();
    loop {
        cursor.skip(Class::STRING);
        match cursor.peek() {
            // Only a string needs an escape for it.
            Some(b'\\') => cursor.skip_bytes(1),
            _ => break,
        };
    }
    let raw = cursor.since(start);
    cursor.expect(b'"', "expected printable ASCII, or the end of the string")?;
    let text = decode(raw).ok_or_else(|| {
        cursor.error("in a display string, `%` stands before two lower-case hexadecimal digits")
    })?;
    if std::str::from_utf8(&text).is_err() {
        return Err(cursor.error("a display string holds UTF-8"));
    }
    cursor.note_canonical(encode(&text) == raw);
    Ok(raw)
}

/// Writes a display string in canonical serialisation (RFC 9651 section 4.1.11). `raw` is what
/// stood between the quotes of one that was read.
pub(super) fn push_display_string(out: &mut Vec<u8>, raw: &[u8]) {
    out.extend_from_slice(b"%\"");
    out.extend_from_slice(&encode(&decode(raw).unwrap_or_default()));
    out.push(b'"');
}

/// The bytes that `raw` stands for.
fn decode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let [high, low, after @ ..] = after else {
            return None;
        };
        bytes.push(hex_value(*high)? << 4 | hex_value(*low)?);
        rest = after;
    }
    Some(bytes)
}

/// As few bytes percent-encoded as may be.
fn encode(bytes: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut raw = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'%' | b'"' | ..=0x1f | 0x7f.. => raw.extend([
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
            _ => raw.push(*byte),
        }
    }
    raw
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
