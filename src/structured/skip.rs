//! Steps over values of which nothing is kept: all that RFC 9651 allows, without the limits of this
//! crate.
//!
//! A signature of somebody else may be written by other rules than ours. It must not be able to
//! hide ours, nor to move the place where ours begins.

use super::{
    class::Class,
    cursor::{Cursor, SyntaxError},
    item::{BareItem, read_key},
};

/// Steps over what follows the key of a dictionary member (RFC 9651 section 4.2.2): `=` and a value
/// with its parameters, or the parameters alone.
pub(crate) fn skip_member(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    if cursor.take(b'=') {
        if cursor.take(b'(') {
            skip_list(cursor)?;
        } else {
            skip_bare_item(cursor)?;
        }
    }
    skip_parameters(cursor)
}

/// Steps over an inner list behind its opening parenthesis, or behind some of its items.
pub(crate) fn skip_list(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    cursor.spaces();
    while !cursor.take(b')') {
        let start = cursor.position();
        skip_bare_item(cursor).map_err(|error| {
            // What this crate expects, where there is nothing at all.
            if cursor.position() == start {
                cursor.error("expected a quoted string")
            } else {
                error
            }
        })?;
        skip_parameters(cursor)?;
        if cursor.spaces() == 0 && cursor.peek() != Some(b')') {
            return Err(cursor.error("expected a space or the end of the list, `)`"));
        }
    }
    Ok(())
}

fn skip_parameters(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    while cursor.take(b';') {
        cursor.spaces();
        read_key(cursor)?;
        if cursor.take(b'=') {
            skip_bare_item(cursor)?;
        }
    }
    Ok(())
}

fn skip_bare_item(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    if cursor.peek() == Some(b':') {
        skip_byte_sequence(cursor)
    } else {
        BareItem::read(cursor).map(drop)
    }
}

/// Steps over base64 that need not be canonical nor padded, as RFC 9651 section 4.2.7 says.
fn skip_byte_sequence(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    cursor.expect(b':', "expected a byte sequence, `:base64:`")?;
    let digits = cursor.skip(Class::BASE64).len();
    let mut padding = 0;
    while cursor.take(b'=') {
        padding += 1;
    }
    let is_base64 = match padding {
        0 => digits % 4 != 1,
        1 | 2 => (digits + padding) % 4 == 0,
        _ => false,
    };
    if !is_base64 {
        return Err(cursor.error("expected base64"));
    }
    cursor.expect(b':', "expected the end of the byte sequence, `:`")
}
