//! Structured field values (RFC 9651, which replaced RFC 8941): read in place, without allocation.
//!
//! The parser is as strict as the wire profile asks. All it accepts is valid under RFC 9651. It
//! refuses more than the RFC does: repeated keys, base64 that is not canonical, more than 16 keys,
//! and fields of more than 8 KiB. Nothing here knows HTTP: bytes go in, values come out.

pub(crate) use self::{
    base64::{push_base64, push_byte_sequence},
    cursor::{Cursor, text},
    dictionary::{ByteSequences, Dictionary},
    item::{
        BareItem, QuotedString, is_key, is_printable_ascii, push_integer, push_quoted, read_integer,
    },
    parameter::{Keys, begin_parameter, next_parameter, read_parameter, write_parameter},
};
pub use self::{cursor::SyntaxError, dictionary::MAX_FIELD_LEN};

mod base64;
mod class;
mod cursor;
mod dictionary;
mod item;
mod parameter;
