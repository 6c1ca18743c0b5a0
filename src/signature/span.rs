//! Parts of a text by their offsets: small, and free of the lifetime of the text.

use std::num::NonZeroU16;

use crate::structured::{Cursor, QuotedString};

/// A part of a text of at most 64 KiB: a field has at most 8 KiB, a signature base 32 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    /// Never 0, so that an `Option` takes no more room: no part ends where the text starts.
    end: NonZeroU16,
}

impl Span {
    #[expect(clippy::cast_possible_truncation, reason = "no text here is so long")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u16,
            end: NonZeroU16::new(end as u16).unwrap_or(NonZeroU16::MIN),
        }
    }

    /// Where the inside of the string stands that `cursor` has just read, counted from `from`.
    pub(super) fn of_last_string(
        cursor: &Cursor<'_>,
        from: usize,
        string: QuotedString<'_>,
    ) -> Self {
        // The cursor is behind the closing quote.
        let end = cursor.position() - 1 - from;
        Self::new(end - string.raw.len(), end)
    }

    /// The same part of a text into which this one was written at `start`.
    pub(crate) fn moved_to(self, start: usize) -> Self {
        Self::new(start + usize::from(self.start), start + self.end())
    }

    /// This part without its first and its last byte, which are quotes.
    pub(super) fn inner(self) -> Self {
        Self::new(usize::from(self.start) + 1, self.end() - 1)
    }

    /// This part, the one behind it, and all between them.
    pub(super) fn up_to(self, last: Self) -> Self {
        Self {
            start: self.start,
            end: last.end,
        }
    }

    fn end(self) -> usize {
        self.end.get().into()
    }

    /// The part of `text`.
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[usize::from(self.start)..self.end()]
    }
}
