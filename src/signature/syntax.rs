//! Structured fields (RFC 8941) as strictly as the wire profile wants them, read in place without allocation.
//!
//! Whatever this parser accepts is valid under RFC 8941; the reverse does not hold: repeated keys, base64 that is not canonical
//! and more than [`MAX_KEYS`] keys are refused here.

use std::borrow::Cow;

use super::{base64, class::Class};

/// How many members a dictionary and parameters an item may have.
pub(super) const MAX_KEYS: usize = 16;

/// Where a text stops being a valid structured field, and what should stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {expected}")]
pub struct SyntaxError {
    pub(super) position: usize,
    pub(super) expected: &'static str,
}

impl SyntaxError {
    /// The offset of the offending byte in the field line.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

/// A position in a field line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// What is left of `text`.
    rest: &'a [u8],
    /// Whether all up to here is as canonical serialisation would write it (RFC 8941 section 4.1).
    pub(super) canonical: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes(), canonical: true }
    }

    pub(super) fn position(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// The text from `start` up to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.position()]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { position: self.position(), expected }
    }

    /// Steps over `byte` if it stands here.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// Steps over all bytes of a class and tells how many there were.
    fn skip(&mut self, class: Class) -> usize {
        let len = class.leading(self.rest);
        self.rest = &self.rest[len..];
        len
    }

    /// Steps over SP and tells how many there were.
    pub(super) fn spaces(&mut self) -> usize {
        let mut count = 0;
        while self.take(b' ') {
            count += 1;
        }
        count
    }

    /// `key` of RFC 8941 section 3.1.2.
    pub(super) fn key(&mut self) -> Result<&'a str, SyntaxError> {
        if !self.peek().is_some_and(|first| Class::KEY_START.contains(first)) {
            return Err(self.error("a key starts with a lower-case letter or `*`"));
        }
        let start = self.position();
        self.skip(Class::KEY);
        Ok(self.since(start))
    }

    fn optional_whitespace(&mut self) {
        while self.take(b' ') || self.take(b'\t') {}
    }

    /// The comma between two dictionary members, with white space around it. `false` at the end of the line.
    pub(super) fn next_member(&mut self) -> Result<bool, SyntaxError> {
        self.optional_whitespace();
        if self.is_at_end() {
            return Ok(false);
        }
        self.expect(b',', "expected a comma")?;
        self.optional_whitespace();
        if self.is_at_end() { Err(self.error("expected a member after the comma")) } else { Ok(true) }
    }

    /// `;key` or `;key=value`; `None` if no parameter follows. A missing value is the boolean true.
    pub(super) fn parameter(&mut self) -> Result<Option<(&'a str, BareItem<'a>)>, SyntaxError> {
        if !self.take(b';') {
            return Ok(None);
        }
        self.canonical &= self.spaces() == 0;
        let key = self.key()?;
        let value = if self.take(b'=') { self.bare_item()? } else { BareItem::Boolean(true) };
        Ok(Some((key, value)))
    }

    /// `bare-item` of RFC 8941 section 3.3.
    fn bare_item(&mut self) -> Result<BareItem<'a>, SyntaxError> {
        match self.peek() {
            Some(b'"') => self.string().map(BareItem::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b':') => self.byte_sequence().map(BareItem::ByteSequence),
            Some(b'?') => {
                self.take(b'?');
                let value = self.take(b'1');
                if !value {
                    self.expect(b'0', "expected `?0` or `?1`")?;
                }
                // True is written without a value.
                self.canonical &= !value;
                Ok(BareItem::Boolean(value))
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'*' => {
                let start = self.position();
                self.skip(Class::TOKEN);
                Ok(BareItem::Token(self.since(start)))
            }
            _ => Err(self.error("expected a value")),
        }
    }

    /// `sf-string` of section 3.3.3.
    #[inline]
    pub(super) fn string(&mut self) -> Result<QuotedString<'a>, SyntaxError> {
        // Nearly all are without escapes.
        if let [b'"', text @ ..] = self.rest {
            let len = Class::STRING.leading(text);
            if let [b'"', rest @ ..] = &text[len..] {
                let start = self.position() + 1;
                self.rest = rest;
                return Ok(QuotedString { raw: &self.text[start..start + len] });
            }
        }
        self.escaped_string()
    }

    #[cold]
    fn escaped_string(&mut self) -> Result<QuotedString<'a>, SyntaxError> {
        self.expect(b'"', "expected a quoted string")?;
        let start = self.position();
        self.skip(Class::STRING);
        while self.take(b'\\') {
            if !self.take(b'"') {
                self.expect(b'\\', "only `\\\"` and `\\\\` may be escaped")?;
            }
            self.skip(Class::STRING);
        }
        let raw = self.since(start);
        self.expect(b'"', "expected printable ASCII, or the end of the string")?;
        Ok(QuotedString { raw })
    }

    /// `sf-integer` or `sf-decimal` of sections 3.3.1 and 3.3.2.
    fn number(&mut self) -> Result<BareItem<'a>, SyntaxError> {
        let start = self.position();
        let negative = self.take(b'-');
        let digits = self.rest;
        let mut number = 0_i64;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            number = number.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            self.rest = rest;
        }
        let whole = digits.len() - self.rest.len();
        if whole == 0 {
            return Err(self.error("expected a digit"));
        }
        if self.take(b'.') {
            let fraction = self.skip(Class::DIGIT);
            if whole > 12 || fraction > 3 || fraction == 0 {
                return Err(self.error("a decimal has at most 12 digits before the point and 1 to 3 after it"));
            }
            let text = self.since(start);
            self.canonical &= text == canonical_decimal(text);
            return Ok(BareItem::Decimal(text));
        }
        if whole > 15 {
            return Err(self.error("an integer has at most 15 digits"));
        }
        // `-0` and leading zeros.
        self.canonical &= if number == 0 { whole == 1 && !negative } else { digits[0] != b'0' };
        Ok(BareItem::Integer(if negative { -number } else { number }))
    }

    /// Steps over a byte sequence of 32 bytes, if one stands here.
    pub(super) fn take_32_bytes(&mut self) -> Option<[u8; 32]> {
        let (sequence, rest) = self.rest.split_at_checked(base64::LEN_OF_32 + 2)?;
        let [b':', text @ .., b':'] = sequence else { return None };
        let bytes = base64::decode_32(text)?;
        self.rest = rest;
        Some(bytes)
    }

    /// `sf-binary` of section 3.3.5, canonical base64 only; returns the base64 text.
    pub(super) fn byte_sequence(&mut self) -> Result<&'a str, SyntaxError> {
        self.expect(b':', "expected a byte sequence, `:base64:`")?;
        let start = self.position();
        let digits = self.skip(Class::BASE64);
        let last_digit = self.since(start).bytes().last();
        let mut padding = 0;
        while padding < 2 && self.take(b'=') {
            padding += 1;
        }
        let base64 = self.since(start);
        // What the last digit says beyond the last whole byte must be zero.
        let unused_bits = match padding {
            0 => 0,
            1 => 0b11,
            _ => 0b1111,
        };
        let last = if digits == 0 { 0 } else { last_digit.map_or(0, base64::value) };
        if base64.len() % 4 != 0 || last & unused_bits != 0 {
            return Err(self.error("base64 must be padded and canonical"));
        }
        self.expect(b':', "expected the end of the byte sequence, `:`")?;
        Ok(base64)
    }
}

/// Whether `text` is a `key` of RFC 8941, as labels and parameter names are.
pub(crate) fn is_key(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| Class::KEY_START.contains(first)) && Class::KEY.contains_all(text)
}

/// A value without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BareItem<'a> {
    Integer(i64),
    Decimal(&'a str),
    String(QuotedString<'a>),
    Token(&'a str),
    ByteSequence(&'a str),
    Boolean(bool),
}

/// Writes `;key=value` in the canonical serialisation of RFC 8941 section 4.1.1.2.
pub(super) fn write_parameter(out: &mut String, key: &str, value: BareItem<'_>) {
    out.push(';');
    out.push_str(key);
    let parts: [&str; 3] = match value {
        BareItem::Boolean(true) => return,
        BareItem::Boolean(false) => ["?0", "", ""],
        BareItem::Integer(number) => {
            out.push('=');
            push_integer(out, number);
            return;
        }
        BareItem::Decimal(text) => {
            out.push('=');
            out.push_str(&canonical_decimal(text));
            return;
        }
        BareItem::String(string) => ["\"", string.raw, "\""],
        BareItem::Token(token) => [token, "", ""],
        BareItem::ByteSequence(base64) => [":", base64, ":"],
    };
    out.push('=');
    out.extend(parts);
}

/// Writes an integer in decimal.
pub(crate) fn push_integer(out: &mut String, number: i64) {
    use std::fmt::Write;
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{number}");
}

/// No leading zeros, no trailing zeros but one digit after the point, no minus before zero (RFC 8941 section 4.1.5).
fn canonical_decimal(text: &str) -> Cow<'_, str> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = match fraction.trim_end_matches('0') {
        "" => "0",
        fraction => fraction,
    };
    let sign = if whole == "0" && fraction == "0" { "" } else { sign };
    if sign.len() + whole.len() + 1 + fraction.len() == text.len() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{sign}{whole}.{fraction}"))
    }
}

/// The inside of a quoted string, with its escapes. One text has one spelling: what must be escaped is, and nothing else can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuotedString<'a> {
    pub(super) raw: &'a str,
}

impl<'a> QuotedString<'a> {
    /// The text that is meant.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if !self.raw.as_bytes().contains(&b'\\') {
            return Cow::Borrowed(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut chars = self.raw.chars();
        while let Some(c) = chars.next() {
            text.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        Cow::Owned(text)
    }
}

/// Writes `"text"` with its escapes.
///
/// `text` must be printable ASCII.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// Whether `text` can be written as a structured-field string.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The keys seen so far among the members of a dictionary or the parameters of an item.
///
/// Most have one or two, which then take no allocation.
pub(super) struct Keys<'a> {
    first: Option<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    pub(super) fn new() -> Self {
        Self { first: None, others: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// RFC 8941 lets the last of two equal keys win; whoever reads the first one would be deceived, so both are refused.
    pub(super) fn insert(&mut self, key: &'a str, cursor: &Cursor<'a>) -> Result<(), SyntaxError> {
        if self.first.is_none() {
            self.first = Some(key);
            return Ok(());
        }
        if self.iter().any(|one| one == key) {
            return Err(cursor.error("a key must not be repeated"));
        }
        if self.len() == MAX_KEYS {
            return Err(cursor.error("at most 16 keys are accepted"));
        }
        self.others.push(key);
        Ok(())
    }
}
