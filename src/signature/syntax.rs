//! Structured fields (RFC 8941) as strictly as the wire profile wants them, read in place without allocation.
//!
//! Whatever this parser accepts is valid under RFC 8941; the reverse does not hold: repeated keys, base64 that is not canonical
//! and more than [`MAX_KEYS`] keys are refused here.

use super::{
    base64,
    class::Class,
    item::{BareItem, QuotedString, canonical_decimal},
};

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

/// A position in a field line. All that it accepts is ASCII, so that only what is kept has to become a `str`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    /// What is left of `line`.
    rest: &'a [u8],
    /// Whether all up to here is as canonical serialisation would write it (RFC 8941 section 4.1).
    pub(super) canonical: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self {
            line,
            rest: line,
            canonical: true,
        }
    }

    pub(super) fn position(&self) -> usize {
        self.line.len() - self.rest.len()
    }

    /// What stands between `start` and here.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.position()]
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[cold]
    pub(super) fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError {
            position: self.position(),
            expected,
        }
    }

    /// Steps over `byte` if it stands here.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.take_all(&[byte])
    }

    /// Steps over `bytes` if they stand here.
    pub(super) fn take_all<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        match self.rest.split_first_chunk() {
            Some((first, rest)) if first == bytes => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Steps over `items` if they stand here and the last one has no parameters.
    pub(super) fn take_items<const N: usize>(&mut self, items: &[u8; N]) -> bool {
        self.rest.get(N) != Some(&b';') && self.take_all(items)
    }

    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error(expected))
        }
    }

    /// Steps over all bytes of a class and tells which they were.
    fn skip(&mut self, class: Class) -> &'a [u8] {
        let (skipped, rest) = self.rest.split_at(class.leading(self.rest));
        self.rest = rest;
        skipped
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
    pub(super) fn key(&mut self) -> Result<&'a [u8], SyntaxError> {
        if !self
            .peek()
            .is_some_and(|first| Class::KEY_START.contains(first))
        {
            return Err(self.error("a key starts with a lower-case letter or `*`"));
        }
        Ok(self.skip(Class::KEY))
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
        if self.is_at_end() {
            Err(self.error("expected a member after the comma"))
        } else {
            Ok(true)
        }
    }

    /// `;key` or `;key=value`; `None` if no parameter follows.
    pub(super) fn parameter(&mut self) -> Result<Option<(&'a [u8], BareItem<'a>)>, SyntaxError> {
        if self.begin_parameter() {
            self.key_and_value().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The semicolon before a parameter, with spaces after it.
    pub(super) fn begin_parameter(&mut self) -> bool {
        let begins = self.take(b';');
        if begins {
            self.canonical &= self.spaces() == 0;
        }
        begins
    }

    /// `key` or `key=value`: a missing value is the boolean true.
    pub(super) fn key_and_value(&mut self) -> Result<(&'a [u8], BareItem<'a>), SyntaxError> {
        let key = self.key()?;
        let value = if self.take(b'=') {
            self.bare_item()?
        } else {
            BareItem::Boolean(true)
        };
        Ok((key, value))
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
                Ok(BareItem::Token(self.skip(Class::TOKEN)))
            }
            _ => Err(self.error("expected a value")),
        }
    }

    /// `sf-string` of section 3.3.3.
    pub(super) fn string(&mut self) -> Result<QuotedString<'a>, SyntaxError> {
        self.expect(b'"', "expected a quoted string")?;
        let start = self.position();
        let mut raw = self.skip(Class::STRING);
        let has_escapes = self.peek() == Some(b'\\');
        if has_escapes {
            self.rest_of_escaped()?;
            raw = self.since(start);
        }
        self.expect(b'"', "expected printable ASCII, or the end of the string")?;
        Ok(QuotedString { raw, has_escapes })
    }

    #[cold]
    fn rest_of_escaped(&mut self) -> Result<(), SyntaxError> {
        while self.take(b'\\') {
            if !self.take(b'"') {
                self.expect(b'\\', "only `\\\"` and `\\\\` may be escaped")?;
            }
            self.skip(Class::STRING);
        }
        Ok(())
    }

    /// `sf-integer` or `sf-decimal` of sections 3.3.1 and 3.3.2.
    fn number(&mut self) -> Result<BareItem<'a>, SyntaxError> {
        let number = *self;
        match self.integer() {
            Err(_) if self.peek() == Some(b'.') => {
                *self = number;
                self.decimal()
            }
            integer => integer.map(BareItem::Integer),
        }
    }

    /// `sf-integer` of section 3.3.1.
    pub(super) fn integer(&mut self) -> Result<i64, SyntaxError> {
        let negative = self.take(b'-');
        let (digits, mut rest) = (self.rest, self.rest);
        let mut number = 0_i64;
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            // What wraps has too many digits.
            number = number
                .wrapping_mul(10)
                .wrapping_add(i64::from(digit - b'0'));
            rest = after;
        }
        self.rest = rest;
        let len = digits.len() - rest.len();
        if !(1..=15).contains(&len) || self.peek() == Some(b'.') {
            return Err(self.error("expected an integer of at most 15 digits"));
        }
        // `-0` and leading zeros.
        self.canonical &= if number == 0 {
            len == 1 && !negative
        } else {
            digits[0] != b'0'
        };
        Ok(if negative { -number } else { number })
    }

    /// `sf-decimal` of section 3.3.2.
    fn decimal(&mut self) -> Result<BareItem<'a>, SyntaxError> {
        let start = self.position();
        self.take(b'-');
        let whole = self.digits();
        self.expect(b'.', "expected a decimal")?;
        let fraction = self.digits();
        if !(1..=12).contains(&whole) || !(1..=3).contains(&fraction) {
            return Err(
                self.error("a decimal has 1 to 12 digits before the point and 1 to 3 after it")
            );
        }
        let number = text(self.since(start));
        self.canonical &= number == canonical_decimal(number);
        Ok(BareItem::Decimal(number))
    }

    /// Steps over digits and tells how many there were.
    fn digits(&mut self) -> usize {
        let before = self.rest.len();
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        before - self.rest.len()
    }

    /// Steps over a byte sequence of 32 bytes, if one stands here.
    pub(super) fn take_32_bytes(&mut self) -> Option<[u8; 32]> {
        let (sequence, rest) = self.rest.split_first_chunk::<{ base64::LEN_OF_32 + 2 }>()?;
        let [b':', text @ .., b':'] = sequence else {
            return None;
        };
        let bytes = base64::decode_32(text)?;
        self.rest = rest;
        Some(bytes)
    }

    /// `sf-binary` of section 3.3.5, canonical base64 only; returns the base64 text.
    pub(super) fn byte_sequence(&mut self) -> Result<&'a [u8], SyntaxError> {
        self.expect(b':', "expected a byte sequence, `:base64:`")?;
        let start = self.position();
        let last_digit = self.skip(Class::BASE64).last();
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
        let last = last_digit.map_or(0, |digit| base64::value(*digit));
        if base64.len() % 4 != 0 || last & unused_bits != 0 {
            return Err(self.error("base64 must be padded and canonical"));
        }
        self.expect(b':', "expected the end of the byte sequence, `:`")?;
        Ok(base64)
    }
}

/// What a [`Cursor`] has accepted, or what was written and found to be ASCII, as text.
pub(crate) fn text(ascii: &[u8]) -> &str {
    std::str::from_utf8(ascii).expect("ASCII")
}

/// Whether `text` is a `key` of RFC 8941, as labels and parameter names are.
pub(crate) fn is_key(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|first| Class::KEY_START.contains(first))
        && Class::KEY.contains_all(text)
}

/// The keys seen so far among the members of a dictionary or the parameters of an item.
///
/// Most have one or two, which then take no allocation.
pub(super) struct Keys<'a> {
    first: Option<&'a [u8]>,
    others: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    pub(super) fn new() -> Self {
        Self {
            first: None,
            others: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// RFC 8941 lets the last of two equal keys win; whoever reads the first one would be deceived, so both are refused.
    #[inline]
    pub(super) fn insert(&mut self, key: &'a [u8], cursor: &Cursor<'a>) -> Result<(), SyntaxError> {
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
