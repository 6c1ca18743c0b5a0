//! Bare items (RFC 8941 section 3.3): what was read, and how to write it.

use std::borrow::Cow;

use super::syntax::text;

/// A value without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BareItem<'a> {
    Integer(i64),
    Decimal(&'a str),
    String(QuotedString<'a>),
    Token(&'a [u8]),
    ByteSequence(&'a [u8]),
    Boolean(bool),
}

/// Writes `;key=value` in the canonical serialisation of RFC 8941 section 4.1.1.2.
pub(super) fn write_parameter(out: &mut Vec<u8>, key: &[u8], value: BareItem<'_>) {
    out.push(b';');
    out.extend_from_slice(key);
    let parts: [&[u8]; 3] = match value {
        BareItem::Boolean(true) => return,
        BareItem::Boolean(false) => [b"?0", b"", b""],
        BareItem::Integer(number) => {
            out.push(b'=');
            push_integer(out, number);
            return;
        }
        BareItem::Decimal(number) => {
            out.push(b'=');
            out.extend_from_slice(canonical_decimal(number).as_bytes());
            return;
        }
        BareItem::String(string) => [b"\"", string.raw, b"\""],
        BareItem::Token(token) => [token, b"", b""],
        BareItem::ByteSequence(base64) => [b":", base64, b":"],
    };
    out.push(b'=');
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Writes an integer in decimal: a third of the instructions of `write!`.
pub(crate) fn push_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut rest = number.unsigned_abs();
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// No leading zeros, no trailing zeros but one digit after the point, no minus before zero (RFC 8941 section 4.1.5).
pub(super) fn canonical_decimal(text: &str) -> Cow<'_, str> {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = match fraction.trim_end_matches('0') {
        "" => "0",
        fraction => fraction,
    };
    let sign = if whole == "0" && fraction == "0" {
        ""
    } else {
        sign
    };
    if sign.len() + whole.len() + 1 + fraction.len() == text.len() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{sign}{whole}.{fraction}"))
    }
}

/// The inside of a quoted string, with its escapes. One text has one spelling: what must be escaped is, and nothing else can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuotedString<'a> {
    pub(super) raw: &'a [u8],
    pub(super) has_escapes: bool,
}

impl<'a> QuotedString<'a> {
    /// The text that is meant.
    pub(super) fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => Cow::Borrowed(text(bytes)),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).expect("ASCII")),
        }
    }

    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        if self.has_escapes {
            Cow::Owned(unescaped(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

#[cold]
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(byte) = rest.next() {
        text.extend(if *byte == b'\\' {
            rest.next()
        } else {
            Some(byte)
        });
    }
    text
}

/// Writes `"text"` with its escapes.
///
/// `text` must be printable ASCII.
pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Whether `text` can be written as a structured-field string.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
