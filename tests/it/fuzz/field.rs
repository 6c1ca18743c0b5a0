//! A structured field, as bytes of a fuzzer: its lines have `\n` between them.

use std::{cell::RefCell, convert::Infallible};

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{
    BareItemFromInput, Dictionary, KeyRef, Parser, Version,
    visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor},
};

/// How many bytes a field may have, over all its lines.
pub const MAX_LEN: usize = 8 * 1024;

/// How many keys a dictionary may have.
pub const MAX_KEYS: usize = 16;

/// The lines of a field.
pub fn lines(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b'\n')
}

/// Adds the lines to the headers; `false` if one of them is no value of a header.
pub fn append(headers: &mut HeaderMap, name: &HeaderName, field: &[u8]) -> bool {
    lines(field).all(|line| match HeaderValue::from_bytes(line) {
        Ok(value) => {
            headers.append(name, value);
            true
        }
        Err(_) => false,
    })
}

/// What `sfv` reads: the lines of a field are one value with a comma between them (RFC 9651 section
/// 4.2).
///
/// # Errors
///
/// That of `sfv`.
pub fn dictionary(field: &[u8]) -> Result<Dictionary, sfv::Error> {
    fn parse(parser: Parser<'_>) -> Result<Dictionary, sfv::Error> {
        parser.parse()
    }
    with_joined(field, parse)
}

/// Gives the lines to a parser, with a comma between them.
fn with_joined<T>(field: &[u8], parse: impl FnOnce(Parser<'_>) -> T) -> T {
    thread_local! {
        static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    JOINED.with_borrow_mut(|joined| {
        joined.clear();
        for (index, line) in lines(field).enumerate() {
            if index > 0 {
                joined.extend_from_slice(b", ");
            }
            joined.extend_from_slice(line);
        }
        parse(Parser::new(joined).with_version(Version::Rfc9651))
    })
}

/// Whether this crate may refuse a whole field that `sfv` reads as this dictionary. These are all
/// known differences:
///
/// - a key is repeated, of which the last one counts for `sfv`;
/// - there are more than 16 keys, or more than 8 KiB;
/// - a line is no dictionary alone: a member goes on in the next line, or the line has none;
/// - the padding of base64 is there in part: `:YQ=:`.
#[must_use]
pub fn may_be_refused(field: &[u8], theirs: &Dictionary) -> bool {
    len(field) > MAX_LEN
        || theirs.len() > MAX_KEYS
        || repetitions(field).key
        || has_half_padding(field)
        || lines(field).any(|line| dictionary(line).map_or(true, |read| read.is_empty()))
}

/// Which keys of a dictionary stand there twice. The last one counts for `sfv`.
#[derive(Default)]
pub struct Repetitions<'a> {
    keys: Vec<&'a str>,
    /// Whether a key of the dictionary does.
    pub key: bool,
    /// Of each member, whether a key of its parameters does, or of those of an item in its list.
    pub parameter: Vec<bool>,
}

/// Looks for keys that stand there twice.
///
/// # Panics
///
/// If `sfv` reads no dictionary.
#[must_use]
pub fn repetitions(field: &[u8]) -> Repetitions<'static> {
    with_joined(field, |parser| {
        let Repetitions { key, parameter, .. } = parser
            .parse_dictionary_with_visitor(Repetitions::default())
            .expect("a dictionary");
        Repetitions {
            keys: Vec::new(),
            key,
            parameter,
        }
    })
}

impl<'a> DictionaryVisitor<'a> for Repetitions<'a> {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        self.key |= self.keys.contains(&key.as_str());
        self.keys.push(key.as_str());
        self.parameter.push(false);
        Ok(Member(self.parameter.last_mut().expect("one")))
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

/// A member or an item: whether a key of its parameters stands there twice.
struct Member<'r>(&'r mut bool);

impl<'a> EntryVisitor<'a> for Member<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        Ok(self)
    }
}

impl<'a> InnerListVisitor<'a> for Member<'_> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(Member(self.0))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'a>, Infallible> {
        Ok(Parameters {
            keys: Vec::new(),
            repeats: self.0,
        })
    }
}

impl<'a> ItemVisitor<'a> for Member<'_> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        _: BareItemFromInput<'a>,
    ) -> Result<impl ParameterVisitor<'a, Out = ()>, Infallible> {
        Ok(Parameters {
            keys: Vec::new(),
            repeats: self.0,
        })
    }
}

struct Parameters<'a, 'r> {
    keys: Vec<&'a str>,
    repeats: &'r mut bool,
}

impl<'a> ParameterVisitor<'a> for Parameters<'a, '_> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'a KeyRef, _: BareItemFromInput<'a>) -> Result<(), Infallible> {
        *self.repeats |= self.keys.contains(&key.as_str());
        self.keys.push(key.as_str());
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The bytes of all lines.
#[must_use]
pub fn len(field: &[u8]) -> usize {
    lines(field).map(<[u8]>::len).sum()
}

/// Whether there is base64 with one `=` where two belong, between colons.
fn has_half_padding(field: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    field.split(|byte| *byte == b':').any(|text| {
        text.strip_suffix(b"=")
            .is_some_and(|text| text.len() % 4 == 2 && text.iter().all(is_digit))
    })
}
