//! `Accept-Signature` (RFC 9421 section 5.1): which signature the other side would like to have.

use std::borrow::Cow;

use super::{
    component_list::{ComponentList, Components, UncheckedList},
    input::canonical,
    profile,
};
use crate::{
    message::Lines,
    structured::{
        BareItem, Cursor, Dictionary, Keys, SyntaxError, next_parameter, skip_list, skip_member,
    },
};

/// A signature that the other side asks for. Nobody has proven it.
pub(crate) struct AskedSignature<'a> {
    /// The list of components, in canonical serialisation.
    list: Cow<'a, [u8]>,
    algorithm: Option<Cow<'a, str>>,
    key_id: Option<Cow<'a, str>>,
    tag: Option<Cow<'a, str>>,
}

impl<'a> AskedSignature<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        cursor.expect(b'=', "expected `=` and a list")?;
        let start = cursor.position();
        cursor.expect(b'(', "expected a list of components, `(…)`")?;
        skip_list(cursor)?;
        let mut asked = Self {
            list: read_list(cursor.since(start))?,
            algorithm: None,
            key_id: None,
            tag: None,
        };
        let mut keys = Keys::new();
        while let Some((key, value)) = next_parameter(cursor)? {
            keys.insert(key, cursor)?;
            // `created` and others ask for a value of the signer's own.
            if let BareItem::String(text) = value {
                match key {
                    b"alg" => asked.algorithm = Some(text.text()),
                    b"keyid" => asked.key_id = Some(text.text()),
                    b"tag" => asked.tag = Some(text.text()),
                    _ => {}
                }
            }
        }
        Ok(asked)
    }

    /// Whether a signer with this key id and tag is meant, or anybody.
    pub(crate) fn is_for(&self, key_id: Option<&str>, tag: Option<&str>) -> bool {
        let fits = |asked: &Option<Cow<'_, str>>, ours| asked.is_none() || asked.as_deref() == ours;
        fits(&self.algorithm, Some(profile::ALGORITHM))
            && fits(&self.key_id, key_id)
            && fits(&self.tag, tag)
    }

    pub(crate) fn components(&self) -> Components<'_> {
        Components::of(&self.list)
    }
}

/// Reads a list by the rules of this crate.
fn read_list(list: &[u8]) -> Result<Cow<'_, [u8]>, SyntaxError> {
    let read = |list: &[u8]| {
        let unchecked = UncheckedList::read(&mut Cursor::new(list))?;
        ComponentList::read(unchecked, list)
    };
    let (_, is_canonical) = read(list)?;
    if is_canonical {
        return Ok(Cow::Borrowed(list));
    }
    Ok(Cow::Owned(canonical(list)?))
}

/// The members of an `Accept-Signature` field. Those that this crate cannot read are left out, and
/// after a field that is malformed as a whole, there are none.
pub(crate) struct AskedSignatures<'a>(Dictionary<'a, Lines<'a>>);

impl<'a> AskedSignatures<'a> {
    pub(crate) fn of(lines: Lines<'a>) -> Self {
        Self(Dictionary::new(lines))
    }
}

impl<'a> Iterator for AskedSignatures<'a> {
    type Item = AskedSignature<'a>;

    fn next(&mut self) -> Option<AskedSignature<'a>> {
        loop {
            self.0.next_key().ok()??;
            let cursor = &mut self.0.cursor;
            let before = *cursor;
            if let Ok(asked) = AskedSignature::read(cursor) {
                return Some(asked);
            }
            *cursor = before;
            skip_member(cursor).ok()?;
        }
    }
}
