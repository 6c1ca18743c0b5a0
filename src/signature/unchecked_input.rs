//! A member of `Signature-Input` of which only the parameters are read: whose it is decides whether
//! the rest matters.

use std::borrow::Cow;

use super::{
    component_list::{ComponentList, UncheckedList},
    input::{SignatureInput, canonical},
    span::Span,
};
use crate::structured::{
    Cursor, Keys, QuotedString, SyntaxError, begin_parameter, read_integer, read_parameter,
};

/// A member whose list of components and whose unknown parameters RFC 9651 allows, and this crate
/// perhaps not.
///
/// A field may hold many signatures of strangers. To read them so takes a tenth of the time, and no
/// allocation.
#[derive(Clone)]
pub(crate) struct UncheckedInput<'a> {
    label: &'a [u8],
    text: SignedValue<'a>,
    list: UncheckedList,
    /// Whether the parameters are spelled as they are signed.
    is_canonical: bool,
}

/// The value of a member, and where its parameters stand in it.
#[derive(Clone)]
pub(crate) struct SignedValue<'a> {
    pub(crate) value: Cow<'a, [u8]>,
    pub(crate) params: SignatureParams,
}

/// The parameters of a signature. The spans point into the value of the member.
#[derive(Clone)]
pub(crate) struct SignatureParams {
    pub(crate) created: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) nonce: Option<Span>,
    pub(crate) alg: Option<Span>,
    pub(crate) key_id: Option<Span>,
    pub(crate) tag: Option<Span>,
    /// `false` only if none of the strings is spelled with escapes.
    pub(crate) may_have_escapes: bool,
    /// Whether there are parameters that RFC 9421 does not define.
    has_unknown: bool,
}

impl<'a> UncheckedInput<'a> {
    /// Reads what follows the label.
    #[inline]
    pub(super) fn read(label: &'a [u8], cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        cursor.expect(b'=', "expected `=` and a value")?;
        let start = cursor.position();
        cursor.restart_canonical();
        let list = UncheckedList::read(cursor)?;
        let params = SignatureParams::read(cursor, start)?;
        Ok(Self {
            label,
            text: SignedValue {
                value: Cow::Borrowed(cursor.since(start)),
                params,
            },
            list,
            is_canonical: cursor.is_canonical(),
        })
    }

    pub(crate) fn label(&self) -> &'a [u8] {
        self.label
    }

    /// In canonical serialisation, as it is signed, if the member is checked.
    pub(crate) fn text(&self) -> &SignedValue<'a> {
        &self.text
    }

    /// Reads the rest, by the rules of this crate.
    #[inline]
    pub(crate) fn check(mut self) -> Result<SignatureInput<'a>, SyntaxError> {
        let (components, list_is_canonical) = ComponentList::read(self.list, &self.text.value)?;
        if self.text.params.has_unknown {
            check_unknown(&self.text.value)?;
        }
        if self.is_canonical && list_is_canonical {
            return Ok(SignatureInput::new(self, components));
        }
        // Rare. The offsets belong to the text that is signed.
        let value = canonical(&self.text.value)?;
        let mut cursor = Cursor::new(&value);
        let list = UncheckedList::read(&mut cursor)?;
        let params = SignatureParams::read(&mut cursor, 0)?;
        let (components, _) = ComponentList::read(list, &value)?;
        self.text = SignedValue {
            value: Cow::Owned(value),
            params,
        };
        Ok(SignatureInput::new(self, components))
    }
}

impl SignedValue<'_> {
    pub(crate) fn nonce(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.nonce)
    }

    pub(crate) fn alg(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.alg)
    }

    pub(crate) fn key_id(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.key_id)
    }

    /// The bytes of [`key_id`](Self::key_id).
    pub(crate) fn key_id_bytes(&self) -> Option<Cow<'_, [u8]>> {
        let key_id = self.params.key_id?;
        Some(self.params.string(key_id, &self.value).bytes())
    }

    pub(crate) fn tag(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.tag)
    }

    fn string(&self, span: Option<Span>) -> Option<Cow<'_, str>> {
        Some(self.params.string(span?, &self.value).text())
    }
}

impl SignatureParams {
    /// A string of the value that was read.
    pub(crate) fn string<'v>(&self, span: Span, value: &'v [u8]) -> QuotedString<'v> {
        QuotedString {
            raw: span.of(value),
            may_have_escapes: self.may_have_escapes,
        }
    }

    /// Reads the parameters behind the list of a value that begins at `start`.
    fn read(cursor: &mut Cursor<'_>, start: usize) -> Result<Self, SyntaxError> {
        let mut params = Self {
            created: None,
            expires: None,
            nonce: None,
            alg: None,
            key_id: None,
            tag: None,
            may_have_escapes: false,
            has_unknown: false,
        };
        let may_have_escapes = &mut params.may_have_escapes;
        let mut string = |cursor: &mut Cursor<'_>| {
            let string = QuotedString::read(cursor)?;
            *may_have_escapes |= string.may_have_escapes;
            Ok(Span::of_last_string(cursor, start, string))
        };
        while begin_parameter(cursor) {
            // To compare a key at once takes a third of the instructions of reading it first.
            let repeated = if cursor.take_all(b"created=") {
                params.created.replace(read_integer(cursor)?).is_some()
            } else if cursor.take_all(b"nonce=") {
                params.nonce.replace(string(cursor)?).is_some()
            } else if cursor.take_all(b"keyid=") {
                params.key_id.replace(string(cursor)?).is_some()
            } else if cursor.take_all(b"expires=") {
                params.expires.replace(read_integer(cursor)?).is_some()
            } else if cursor.take_all(b"alg=") {
                params.alg.replace(string(cursor)?).is_some()
            } else if cursor.take_all(b"tag=") {
                params.tag.replace(string(cursor)?).is_some()
            } else {
                let (key, _) = read_parameter(cursor)?;
                if is_known(key) {
                    return Err(cursor.error("expected `=` and a value"));
                }
                params.has_unknown = true;
                false
            };
            if repeated {
                return Err(cursor.error("a parameter must not be repeated"));
            }
        }
        Ok(params)
    }
}

/// Whether RFC 9421 section 2.3 defines a parameter.
fn is_known(key: &[u8]) -> bool {
    matches!(
        key,
        b"created" | b"expires" | b"nonce" | b"alg" | b"keyid" | b"tag"
    )
}

/// Refuses unknown parameters that are repeated or too many.
#[cold]
fn check_unknown(value: &[u8]) -> Result<(), SyntaxError> {
    let mut cursor = Cursor::new(value);
    UncheckedList::read(&mut cursor)?;
    let mut keys = Keys::new();
    while begin_parameter(&mut cursor) {
        let (key, _) = read_parameter(&mut cursor)?;
        if !is_known(key) {
            keys.insert(key, &cursor)?;
        }
    }
    Ok(())
}
