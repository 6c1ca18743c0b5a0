//! A position in a text, and what is wrong there.

use super::class::Class;

/// A text that is not a valid structured field: where it stops being one, and what should stand
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: {expected}")]
pub struct SyntaxError {
    position: usize,
    expected: &'static str,
}

impl SyntaxError {
    /// The offset of the wrong byte in the field line.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

/// A position in a field line.
///
/// All that the readers of this room accept is ASCII, so only the kept parts have to become a
/// `str`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    line: &'a [u8],
    /// The rest of `line`.
    rest: &'a [u8],
    /// Whether all up to here is spelled as canonical serialisation would spell it (RFC 9651
    /// section 4.1).
    canonical: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self {
            line,
            rest: line,
            canonical: true,
        }
    }

    pub(crate) fn position(&self) -> usize {
        self.line.len() - self.rest.len()
    }

    /// The bytes between `start` and here.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.position()]
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Notes whether the last step read a canonical spelling.
    pub(crate) fn note_canonical(&mut self, canonical: bool) {
        self.canonical &= canonical;
    }

    /// The text up to here no longer counts.
    pub(crate) fn restart_canonical(&mut self) {
        self.canonical = true;
    }

    #[cold]
    pub(crate) fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError {
            position: self.position(),
            expected,
        }
    }

    /// Steps over `byte` if it stands here.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.take_all(&[byte])
    }

    /// Steps over `bytes` if they stand here.
    pub(crate) fn take_all<const N: usize>(&mut self, bytes: &[u8; N]) -> bool {
        match self.rest.split_first_chunk() {
            Some((first, rest)) if first == bytes => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Steps over `text` if it stands here.
    pub(crate) fn take_text(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error(expected))
        }
    }

    /// Steps over all bytes of a class, and returns them.
    pub(super) fn skip(&mut self, class: Class) -> &'a [u8] {
        self.skip_bytes(class.leading(self.rest))
    }

    /// Steps over `len` bytes, which must be there, and returns them.
    pub(super) fn skip_bytes(&mut self, len: usize) -> &'a [u8] {
        let (skipped, rest) = self.rest.split_at(len);
        self.rest = rest;
        skipped
    }

    /// Goes on at `position`, up to which all is known.
    pub(crate) fn skip_to(&mut self, position: usize) {
        self.rest = &self.line[position..];
    }

    /// Steps over SP, and returns how many there were.
    pub(crate) fn spaces(&mut self) -> usize {
        let mut count = 0;
        while self.take(b' ') {
            count += 1;
        }
        count
    }

    /// Steps over SP and HTAB.
    pub(super) fn optional_whitespace(&mut self) {
        while self.take(b' ') || self.take(b'\t') {}
    }
}

/// The text that a [`Cursor`] has accepted, or that was written and found to be ASCII.
pub(crate) fn text(ascii: &[u8]) -> &str {
    std::str::from_utf8(ascii).expect("ASCII")
}
