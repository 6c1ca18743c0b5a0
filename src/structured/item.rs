//! Bare items (RFC 9651 section 3.3): how to read and write a value without its parameters.

use std::borrow::Cow;

use super::{
    base64::{LEN_OF_32, decode_32, value},
    class::Class,
    cursor::{Cursor, SyntaxError, text},
    display_string::{push_display_string, read_display_string},
};

/// A value without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BareItem<'a> {
    Integer(i64),
    Decimal(&'a str),
    String(QuotedString<'a>),
    Token(&'a [u8]),
    /// The base64 text between the colons.
    ByteSequence(&'a [u8]),
    Boolean(bool),
    /// In seconds since 1970.
    Date(i64),
    /// What stands between the quotes, percent-encoded.
    DisplayString(&'a [u8]),
}

impl<'a> BareItem<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        match cursor.peek() {
            Some(b'"') => QuotedString::read(cursor).map(Self::String),
            Some(b'-' | b'0'..=b'9') => read_number(cursor),
            Some(b':') => read_byte_sequence(cursor).map(Self::ByteSequence),
            Some(b'?') => read_boolean(cursor).map(Self::Boolean),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'*' => {
                Ok(Self::Token(cursor.skip(Class::TOKEN)))
            }
            Some(b'@') => {
                cursor.skip_bytes(1);
                read_integer(cursor).map(Self::Date)
            }
            Some(b'%') => read_display_string(cursor).map(Self::DisplayString),
            _ => Err(cursor.error("expected a value")),
        }
    }

    /// Writes the value in canonical serialisation (RFC 9651 section 4.1.3.1).
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => push_integer(out, number),
            Self::Decimal(number) => out.extend_from_slice(canonical_decimal(number).as_bytes()),
            Self::String(string) => {
                out.push(b'"');
                out.extend_from_slice(string.raw);
                out.push(b'"');
            }
            Self::Token(token) => out.extend_from_slice(token),
            Self::ByteSequence(base64) => {
                out.push(b':');
                out.extend_from_slice(base64);
                out.push(b':');
            }
            Self::Boolean(true) => out.extend_from_slice(b"?1"),
            Self::Boolean(false) => out.extend_from_slice(b"?0"),
            Self::Date(seconds) => {
                out.push(b'@');
                push_integer(out, seconds);
            }
            Self::DisplayString(raw) => push_display_string(out, raw),
        }
    }
}

/// The inside of a quoted string, with its escapes.
///
/// One text has one spelling: a character that must be escaped always is, and no other can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuotedString<'a> {
    pub(crate) raw: &'a [u8],
    /// `false` only if there is no escape.
    pub(crate) may_have_escapes: bool,
}

impl<'a> QuotedString<'a> {
    /// `sf-string` of section 3.3.3.
    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        cursor.expect(b'"', "expected a quoted string")?;
        let raw = cursor.skip(Class::STRING);
        if cursor.take(b'"') {
            return Ok(Self {
                raw,
                may_have_escapes: false,
            });
        }
        Self::read_escaped(cursor, raw.len())
    }

    /// Goes on with a string, of which `len` bytes were read, at the first escape.
    #[cold]
    fn read_escaped(cursor: &mut Cursor<'a>, len: usize) -> Result<Self, SyntaxError> {
        let start = cursor.position() - len;
        while cursor.take(b'\\') {
            if !cursor.take(b'"') {
                cursor.expect(b'\\', "only `\\\"` and `\\\\` may be escaped")?;
            }
            cursor.skip(Class::STRING);
        }
        let raw = cursor.since(start);
        cursor.expect(b'"', "expected printable ASCII, or the end of the string")?;
        Ok(Self {
            raw,
            may_have_escapes: true,
        })
    }

    /// The text without its escapes.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => Cow::Borrowed(text(bytes)),
            Cow::Owned(bytes) => Cow::Owned(text(&bytes).to_owned()),
        }
    }

    /// The bytes of [`text`](Self::text).
    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        if !self.may_have_escapes {
            return Cow::Borrowed(self.raw);
        }
        let mut unescaped = Vec::with_capacity(self.raw.len());
        let mut rest = self.raw.iter();
        while let Some(byte) = rest.next() {
            unescaped.extend(if *byte == b'\\' {
                rest.next()
            } else {
                Some(byte)
            });
        }
        Cow::Owned(unescaped)
    }
}

/// `sf-integer` or `sf-decimal` of sections 3.3.1 and 3.3.2.
fn read_number<'a>(cursor: &mut Cursor<'a>) -> Result<BareItem<'a>, SyntaxError> {
    let before = *cursor;
    match read_integer(cursor) {
        Err(_) if cursor.peek() == Some(b'.') => {
            *cursor = before;
            read_decimal(cursor)
        }
        integer => integer.map(BareItem::Integer),
    }
}

/// `sf-integer` of section 3.3.1.
#[inline]
pub(crate) fn read_integer(cursor: &mut Cursor<'_>) -> Result<i64, SyntaxError> {
    let negative = cursor.take(b'-');
    let (mut number, mut len) = (0_i64, 0);
    for digit in cursor
        .rest()
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
    {
        // A number that wraps has too many digits.
        number = number
            .wrapping_mul(10)
            .wrapping_add(i64::from(digit - b'0'));
        len += 1;
    }
    let digits = cursor.skip_bytes(len);
    if !(1..=15).contains(&digits.len()) || cursor.peek() == Some(b'.') {
        return Err(cursor.error("expected an integer of at most 15 digits"));
    }
    // `-0` and leading zeros are not canonical.
    cursor.note_canonical(match number {
        0 => digits.len() == 1 && !negative,
        _ => digits[0] != b'0',
    });
    Ok(if negative { -number } else { number })
}

/// `sf-decimal` of section 3.3.2.
fn read_decimal<'a>(cursor: &mut Cursor<'a>) -> Result<BareItem<'a>, SyntaxError> {
    let start = cursor.position();
    cursor.take(b'-');
    let whole = skip_digits(cursor).len();
    cursor.expect(b'.', "expected a decimal")?;
    let fraction = skip_digits(cursor).len();
    if !(1..=12).contains(&whole) || !(1..=3).contains(&fraction) {
        return Err(
            cursor.error("a decimal has 1 to 12 digits before the point and 1 to 3 after it")
        );
    }
    let number = text(cursor.since(start));
    cursor.note_canonical(number == canonical_decimal(number));
    Ok(BareItem::Decimal(number))
}

fn skip_digits<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let digits = cursor
        .rest()
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    cursor.skip_bytes(digits.count())
}

/// `sf-boolean` of section 3.3.6, as the value of a parameter.
fn read_boolean(cursor: &mut Cursor<'_>) -> Result<bool, SyntaxError> {
    if cursor.take_all(b"?1") {
        // A true value is written without `=?1`.
        cursor.note_canonical(false);
        Ok(true)
    } else if cursor.take_all(b"?0") {
        Ok(false)
    } else {
        Err(cursor.error("expected `?0` or `?1`"))
    }
}

/// Steps over a byte sequence of 32 bytes, if one stands here.
pub(super) fn take_32_bytes(cursor: &mut Cursor<'_>) -> Option<[u8; 32]> {
    let sequence = cursor.rest().first_chunk::<{ LEN_OF_32 + 2 }>()?;
    let [b':', text @ .., b':'] = sequence else {
        return None;
    };
    let bytes = decode_32(text)?;
    cursor.skip_bytes(sequence.len());
    Some(bytes)
}

/// `sf-binary` of section 3.3.5, canonical base64 only; returns the base64 text.
pub(super) fn read_byte_sequence<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], SyntaxError> {
    cursor.expect(b':', "expected a byte sequence, `:base64:`")?;
    let start = cursor.position();
    let last_digit = cursor.skip(Class::BASE64).last();
    let mut padding = 0;
    while padding < 2 && cursor.take(b'=') {
        padding += 1;
    }
    let base64 = cursor.since(start);
    // The bits of the last digit beyond the last whole byte must be zero.
    let unused_bits = match padding {
        0 => 0,
        1 => 0b11,
        _ => 0b1111,
    };
    let last = last_digit.map_or(0, |digit| value(*digit));
    if base64.len() % 4 != 0 || last & unused_bits != 0 {
        return Err(cursor.error("base64 must be padded and canonical"));
    }
    cursor.expect(b':', "expected the end of the byte sequence, `:`")?;
    Ok(base64)
}

/// Writes an integer in decimal.
pub(crate) fn push_integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes `"text"` with its escapes. `text` must be printable ASCII.
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

/// Whether `text` is a `key` (section 3.1.2), as labels and parameter names are.
pub(crate) fn is_key(text: &str) -> bool {
    let mut cursor = Cursor::new(text.as_bytes());
    read_key(&mut cursor).is_ok() && cursor.is_at_end()
}

/// `key` of section 3.1.2.
pub(super) fn read_key<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], SyntaxError> {
    match cursor.peek() {
        Some(first) if Class::KEY_START.contains(first) => Ok(cursor.skip(Class::KEY)),
        _ => Err(cursor.error("a key starts with a lower-case letter or `*`")),
    }
}

/// No leading zeros, no trailing zeros but one digit after the point, no minus before zero (RFC
/// 9651 section 4.1.5).
fn canonical_decimal(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let or_zero = |digits: &str| if digits.is_empty() { "0" } else { digits }.to_owned();
    let whole = or_zero(whole.trim_start_matches('0'));
    let fraction = or_zero(fraction.trim_end_matches('0'));
    let sign = if whole == "0" && fraction == "0" {
        ""
    } else {
        sign
    };
    format!("{sign}{whole}.{fraction}")
}
