//! Structured field values (RFC 9651, which replaced RFC 8941): read in place, without allocation.
//!
//! The readers are as strict as the wire profile asks. All they accept is valid under RFC 9651. They
//! refuse more than the RFC does: repeated keys, base64 that is not canonical, more than 16 keys,
//! and fields of more than 8 KiB. [`skip_member`] steps over all that the RFC allows. Nothing here
//! knows HTTP: bytes go in, values come out.

pub(crate) use self::{
    base64::{push_base64, push_byte_sequence},
    cursor::{Cursor, text},
    dictionary::{ByteSequences, Dictionary},
    item::{
        BareItem, QuotedString, is_key, is_printable_ascii, push_integer, push_quoted, read_integer,
    },
    parameter::{Keys, begin_parameter, next_parameter, read_parameter, write_parameter},
    skip::{skip_list, skip_member},
};
pub use self::{cursor::SyntaxError, dictionary::MAX_FIELD_LEN};

mod base64;
mod class;
mod cursor;
mod dictionary;
mod display_string;
mod item;
mod parameter;
mod skip;
