//! Dictionary fields (RFC 9651 section 3.2), line by line.

use super::{
    base64,
    cursor::{Cursor, SyntaxError},
    item::{read_byte_sequence, read_key, take_32_bytes},
    parameter::{Keys, next_parameter},
    skip::skip_member,
};

/// How many bytes a field may have, over all its lines.
pub const MAX_FIELD_LEN: usize = 8 * 1024;

/// The members of a dictionary field, whose values the caller reads at the
/// [`cursor`](Self::cursor).
pub(crate) struct Dictionary<'a, L> {
    lines: L,
    /// The bytes of the field up to here.
    len: usize,
    /// A position in the present line. It is the end of an empty line before the first one.
    pub(crate) cursor: Cursor<'a>,
    keys: Keys<'a>,
}

impl<'a, L: Iterator<Item = &'a [u8]>> Dictionary<'a, L> {
    pub(crate) fn new(lines: L) -> Self {
        Self {
            lines,
            len: 0,
            cursor: Cursor::new(b""),
            keys: Keys::new(),
        }
    }

    /// The key of the next member. What follows it then stands at the cursor: mostly, `=` and a
    /// value.
    pub(crate) fn next_key(&mut self) -> Result<Option<&'a [u8]>, SyntaxError> {
        if !self.next_in_line()? {
            let Some(line) = self.lines.next() else {
                return Ok(None);
            };
            self.start_line(line)?;
        }
        let key = read_key(&mut self.cursor)?;
        self.keys.insert(key, &self.cursor)?;
        Ok(Some(key))
    }

    /// The keys up to here.
    pub(crate) fn keys(&self) -> &Keys<'a> {
        &self.keys
    }

    /// Steps over the comma between two members. Returns `false` at the end of the line.
    fn next_in_line(&mut self) -> Result<bool, SyntaxError> {
        let cursor = &mut self.cursor;
        if !cursor.is_at_end() {
            cursor.optional_whitespace();
        }
        if cursor.is_at_end() {
            return Ok(false);
        }
        cursor.expect(b',', "expected a comma")?;
        cursor.optional_whitespace();
        if cursor.is_at_end() {
            return Err(cursor.error("expected a member after the comma"));
        }
        Ok(true)
    }

    /// A line without a member is an error, and so is a value that goes on in the next line.
    fn start_line(&mut self, line: &'a [u8]) -> Result<(), SyntaxError> {
        self.cursor = Cursor::new(line);
        self.len += line.len();
        if self.len > MAX_FIELD_LEN {
            return Err(self.cursor.error("the field has more than 8 KiB"));
        }
        self.cursor.spaces();
        Ok(())
    }
}

/// A dictionary whose values are byte sequences: `Signature` and `Content-Digest`.
pub(crate) struct ByteSequences<'a, L>(Dictionary<'a, L>);

/// One member of such a dictionary.
pub(crate) struct ByteSequence<'a> {
    pub(crate) key: &'a [u8],
    value: Content<'a>,
    pub(crate) has_parameters: bool,
}

enum Content<'a> {
    Of32([u8; 32]),
    /// Canonical base64 of any other length.
    Base64(&'a [u8]),
    /// Something else that RFC 9651 allows, and what should stand there instead.
    Other(SyntaxError),
}

impl ByteSequence<'_> {
    /// The bytes, if there are 32 of them.
    pub(crate) fn of_32(&self) -> Option<[u8; 32]> {
        match self.value {
            Content::Of32(bytes) => Some(bytes),
            Content::Base64(_) | Content::Other(_) => None,
        }
    }

    /// The bytes, if there are 64 of them.
    pub(crate) fn of_64(&self) -> Option<[u8; 64]> {
        match self.value {
            Content::Of32(_) | Content::Other(_) => None,
            Content::Base64(text) => base64::decode_64(text),
        }
    }

    /// The error of a member that is no byte sequence as this crate reads them.
    pub(crate) fn error(&self) -> Option<SyntaxError> {
        match self.value {
            Content::Other(error) => Some(error),
            Content::Of32(_) | Content::Base64(_) => None,
        }
    }
}

impl<'a, L: Iterator<Item = &'a [u8]>> ByteSequences<'a, L> {
    pub(crate) fn new(lines: L) -> Self {
        Self(Dictionary::new(lines))
    }

    fn next_member(&mut self) -> Result<Option<ByteSequence<'a>>, SyntaxError> {
        let Some(key) = self.0.next_key()? else {
            return Ok(None);
        };
        let cursor = &mut self.0.cursor;
        let before = *cursor;
        let (value, has_parameters) = read_value(cursor).or_else(|error| {
            *cursor = before;
            skip_member(cursor)?;
            Ok((Content::Other(error), false))
        })?;
        Ok(Some(ByteSequence {
            key,
            value,
            has_parameters,
        }))
    }
}

/// Reads a byte sequence behind its key, and says whether there are parameters.
fn read_value<'a>(cursor: &mut Cursor<'a>) -> Result<(Content<'a>, bool), SyntaxError> {
    cursor.expect(b'=', "expected `=` and a value")?;
    let value = match take_32_bytes(cursor) {
        Some(bytes) => Content::Of32(bytes),
        None => Content::Base64(read_byte_sequence(cursor)?),
    };
    let has_parameters = cursor.peek() == Some(b';');
    if has_parameters {
        let mut keys = Keys::new();
        while let Some((key, _)) = next_parameter(cursor)? {
            keys.insert(key, cursor)?;
        }
    }
    Ok((value, has_parameters))
}

/// After an error, the next item means nothing.
impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for ByteSequences<'a, L> {
    type Item = Result<ByteSequence<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_member().transpose()
    }
}
