//! Dictionary fields (RFC 8941 section 3.2): `Signature-Input`, `Signature` and `Content-Digest`.

use http::HeaderValue;

use super::{
    fields::Lines,
    syntax::{Cursor, Keys, SyntaxError},
};

/// How many bytes a field may have, over all its lines.
pub const MAX_FIELD_LEN: usize = 8 * 1024;

/// The members of a dictionary field (RFC 8941 section 3.2), line by line.
pub(super) struct Members<'a> {
    lines: Lines<'a>,
    /// Bytes of the field up to here.
    len: usize,
    /// In the present line; at the end of an empty one before the first.
    pub(super) cursor: Cursor<'a>,
    pub(super) keys: Keys<'a>,
}

impl<'a> Members<'a> {
    #[inline]
    pub(super) fn new(lines: Lines<'a>) -> Self {
        Self {
            lines,
            len: 0,
            cursor: Cursor::new(b""),
            keys: Keys::new(),
        }
    }

    /// The key of the next member, whose value then stands at the cursor.
    #[inline]
    pub(super) fn next_key(&mut self) -> Result<Option<&'a [u8]>, SyntaxError> {
        if !self.cursor.next_member()? {
            let Some(line) = self.lines.next() else {
                return Ok(None);
            };
            self.start_line(line)?;
        }
        let key = self.cursor.key()?;
        self.keys.insert(key, &self.cursor)?;
        self.cursor.expect(b'=', "expected `=` and a value")?;
        Ok(Some(key))
    }

    /// A line without a member is an error, and so is a value that goes on in the next line.
    fn start_line(&mut self, line: &'a HeaderValue) -> Result<(), SyntaxError> {
        self.cursor = Cursor::new(line.as_bytes());
        self.len += line.len();
        if self.len > MAX_FIELD_LEN {
            return Err(self.cursor.error("the field has more than 8 KiB"));
        }
        self.cursor.spaces();
        Ok(())
    }
}

/// A dictionary whose values are byte sequences: `Signature` and `Content-Digest`.
pub(crate) struct ByteSequences<'a>(Members<'a>);

/// One member of such a dictionary.
pub(crate) struct ByteSequence<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: Bytes<'a>,
    pub(crate) has_parameters: bool,
}

/// What a byte sequence holds.
pub(crate) enum Bytes<'a> {
    Of32([u8; 32]),
    /// Canonical base64 of any other length.
    Base64(&'a [u8]),
}

impl Bytes<'_> {
    pub(crate) fn of_32(&self) -> Option<[u8; 32]> {
        match self {
            Self::Of32(bytes) => Some(*bytes),
            Self::Base64(_) => None,
        }
    }
}

impl<'a> ByteSequences<'a> {
    #[inline]
    pub(crate) fn new(lines: Lines<'a>) -> Self {
        Self(Members::new(lines))
    }

    pub(crate) fn next_member(&mut self) -> Result<Option<ByteSequence<'a>>, SyntaxError> {
        let Some(key) = self.0.next_key()? else {
            return Ok(None);
        };
        let cursor = &mut self.0.cursor;
        let value = match cursor.take_32_bytes() {
            Some(bytes) => Bytes::Of32(bytes),
            None => Bytes::Base64(cursor.byte_sequence()?),
        };
        let has_parameters = cursor.peek() == Some(b';');
        if has_parameters {
            let mut keys = Keys::new();
            while let Some((key, _)) = cursor.parameter()? {
                keys.insert(key, cursor)?;
            }
        }
        Ok(Some(ByteSequence {
            key,
            value,
            has_parameters,
        }))
    }

    /// How many members there were up to here.
    pub(crate) fn len(&self) -> usize {
        self.0.keys.len()
    }
}
