//! Parameters (RFC 9651 section 3.1.2), and keys that must not be repeated.

use super::{
    cursor::{Cursor, SyntaxError},
    item::{BareItem, read_key},
};

/// How many members a dictionary may have, and how many parameters an item.
const MAX_KEYS: usize = 16;

/// `;key` or `;key=value`; `None` if no parameter follows.
pub(crate) fn next_parameter<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<Option<(&'a [u8], BareItem<'a>)>, SyntaxError> {
    if begin_parameter(cursor) {
        read_parameter(cursor).map(Some)
    } else {
        Ok(None)
    }
}

/// Steps over the semicolon before a parameter, and over spaces after it.
pub(crate) fn begin_parameter(cursor: &mut Cursor<'_>) -> bool {
    let begins = cursor.take(b';');
    if begins {
        let spaces = cursor.spaces();
        cursor.note_canonical(spaces == 0);
    }
    begins
}

/// `key` or `key=value`: a missing value is the boolean true.
pub(crate) fn read_parameter<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<(&'a [u8], BareItem<'a>), SyntaxError> {
    let key = read_key(cursor)?;
    let value = if cursor.take(b'=') {
        BareItem::read(cursor)?
    } else {
        BareItem::Boolean(true)
    };
    Ok((key, value))
}

/// Writes `;key=value` in canonical serialisation (RFC 9651 section 4.1.1.2).
pub(crate) fn write_parameter(out: &mut Vec<u8>, key: &[u8], value: BareItem<'_>) {
    out.push(b';');
    out.extend_from_slice(key);
    if value != BareItem::Boolean(true) {
        out.push(b'=');
        value.write(out);
    }
}

/// The keys seen so far among the members of a dictionary or the parameters of an item.
///
/// Most have one or two keys, which then take no allocation.
pub(crate) struct Keys<'a> {
    first: Option<&'a [u8]>,
    others: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            others: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// RFC 9651 lets the last of two equal keys win. A reader of the first one would be deceived,
    /// so both are refused.
    #[inline]
    pub(crate) fn insert(&mut self, key: &'a [u8], cursor: &Cursor<'a>) -> Result<(), SyntaxError> {
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
