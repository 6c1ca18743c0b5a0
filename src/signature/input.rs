//! The `Signature-Input` field (RFC 9421 section 4.1): what each signature covers, and its
//! parameters.

use std::{borrow::Cow, fmt, iter::FusedIterator};

use http::HeaderMap;

use super::{
    component::{push_canonical, push_canonical_parameters},
    component_list::{ComponentList, Components, ProfileStart},
    span::Span,
};
use crate::{
    message::{Lines, SIGNATURE_INPUT},
    structured::{
        Cursor, Dictionary, Keys, QuotedString, SyntaxError, begin_parameter, read_integer,
        read_parameter, skip_member, text,
    },
};

/// One member of a `Signature-Input` field: which components a signature covers, and its
/// parameters.
///
/// Nothing here is authenticated.
///
/// ```
/// use hmac_auth::signature::SignatureInputs;
///
/// let line = r#"sig1=("@method" "@path");created=1618884473;keyid="site-a""#;
/// let request = http::Request::builder()
///     .header("signature-input", line)
///     .body(())?;
/// let mut inputs = SignatureInputs::new(request.headers());
/// let input = inputs.next().expect("one signature")?;
/// assert_eq!(input.label(), "sig1");
/// assert_eq!(input.created(), Some(1_618_884_473));
/// assert_eq!(input.key_id().as_deref(), Some("site-a"));
/// assert_eq!(input.components().count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SignatureInput<'a> {
    label: &'a [u8],
    /// The list and its parameters in canonical serialisation, as they are signed.
    value: Cow<'a, [u8]>,
    params: SignatureParams,
}

/// The parsed text of a `Signature-Input` member.
#[derive(Clone)]
pub(crate) struct SignatureParams {
    pub(crate) components: ComponentList,
    pub(crate) created: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) nonce: Option<Span>,
    pub(crate) alg: Option<Span>,
    pub(crate) key_id: Option<Span>,
    pub(crate) tag: Option<Span>,
    /// `false` only if none of the strings is spelled with escapes.
    pub(crate) may_have_escapes: bool,
}

impl<'a> SignatureInput<'a> {
    fn read(label: &'a [u8], cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        cursor.expect(b'=', "expected `=` and a value")?;
        let start = cursor.position();
        cursor.restart_canonical();
        let params = SignatureParams::read(cursor)?;
        let value = cursor.since(start);
        if cursor.is_canonical() {
            return Ok(Self {
                label,
                value: Cow::Borrowed(value),
                params,
            });
        }
        // Rare. The offsets belong to the text that is signed.
        let value = canonical(value)?;
        Ok(Self {
            label,
            params: SignatureParams::read(&mut Cursor::new(&value))?,
            value: Cow::Owned(value),
        })
    }

    /// The label. It means nothing: it only ties the member to that of the `Signature` field.
    #[must_use]
    pub fn label(&self) -> &'a str {
        text(self.label)
    }

    pub(crate) fn label_bytes(&self) -> &'a [u8] {
        self.label
    }

    /// How far the list goes along with the profile, and the components behind that.
    pub(super) fn profile_start(&self) -> Option<(ProfileStart, Components<'_>)> {
        self.params.components.profile_start(&self.value)
    }

    /// The covered components, in the order of the signature base.
    #[must_use]
    pub fn components(&self) -> Components<'_> {
        Components::of(&self.value)
    }

    /// When the signature was made, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> Option<i64> {
        self.params.created
    }

    /// Until when the signature is meant to be accepted, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.params.expires
    }

    /// A value that makes the signature unique.
    #[must_use]
    pub fn nonce(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.nonce)
    }

    /// The algorithm that the signer names.
    #[must_use]
    pub fn alg(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.alg)
    }

    /// The key that the signer names.
    #[must_use]
    pub fn key_id(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.key_id)
    }

    /// The bytes of [`key_id`](Self::key_id).
    pub(crate) fn key_id_bytes(&self) -> Option<Cow<'_, [u8]>> {
        let key_id = self.params.key_id?;
        Some(self.params.string(key_id, &self.value).bytes())
    }

    /// The application that the signature is for.
    #[must_use]
    pub fn tag(&self) -> Option<Cow<'_, str>> {
        self.string(self.params.tag)
    }

    /// The value of `@signature-params`: the list and all parameters in the order received.
    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }

    /// The parsed value. Its spans point into the value.
    pub(crate) fn params(&self) -> &SignatureParams {
        &self.params
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

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let start = cursor.position();
        let mut params = Self {
            components: ComponentList::read(cursor)?,
            created: None,
            expires: None,
            nonce: None,
            alg: None,
            key_id: None,
            tag: None,
            may_have_escapes: false,
        };
        let may_have_escapes = &mut params.may_have_escapes;
        let mut string = |cursor: &mut Cursor<'_>| {
            let string = QuotedString::read(cursor)?;
            *may_have_escapes |= string.may_have_escapes;
            Ok(Span::of_last_string(cursor, start, string))
        };
        let mut unknown = Keys::new();
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
                if let b"created" | b"expires" | b"nonce" | b"alg" | b"keyid" | b"tag" = key {
                    return Err(cursor.error("expected `=` and a value"));
                }
                unknown.insert(key, cursor)?;
                false
            };
            if repeated {
                return Err(cursor.error("a parameter must not be repeated"));
            }
        }
        Ok(params)
    }
}

/// The canonical serialisation of an inner list of strings with its parameters (RFC 9651 section
/// 4.1.1.1).
fn canonical(value: &[u8]) -> Result<Vec<u8>, SyntaxError> {
    let mut out = Vec::with_capacity(value.len());
    let mut cursor = Cursor::new(value);
    cursor.expect(b'(', "expected a list")?;
    cursor.spaces();
    out.push(b'(');
    while !cursor.take(b')') {
        push_canonical(&mut out, &mut cursor)?;
        if cursor.spaces() > 0 && cursor.peek() != Some(b')') {
            out.push(b' ');
        }
    }
    out.push(b')');
    push_canonical_parameters(&mut out, &mut cursor)?;
    Ok(out)
}

impl fmt::Debug for SignatureInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureInput")
            .field("label", &self.label())
            .field("value", &text(&self.value))
            .finish()
    }
}

/// The members of the `Signature-Input` field.
///
/// Strict: a line without a member, a repeated label, more than 16 labels and more than 8 KiB are
/// errors, and the iterator ends after them.
///
/// A member that RFC 9651 allows and this crate does not, such as one with more than 32 components,
/// is an error too. The iterator then goes on with the next member: the signature of one party must
/// not hide that of another.
pub struct SignatureInputs<'a> {
    members: Dictionary<'a, Lines<'a>>,
    has_failed: bool,
}

impl<'a> SignatureInputs<'a> {
    /// The members of all lines of the field in `headers`; none if the field is absent.
    #[must_use]
    pub fn new(headers: &'a HeaderMap) -> Self {
        Self::of(Lines::of(headers, SIGNATURE_INPUT))
    }

    pub(crate) fn of(lines: Lines<'a>) -> Self {
        Self {
            members: Dictionary::new(lines),
            has_failed: false,
        }
    }

    /// The labels of the members up to here.
    fn labels(&self) -> &Keys<'a> {
        self.members.keys()
    }

    /// After an error: the label of the member that RFC 9651 allows and this crate does not; `None`
    /// if the field itself is malformed.
    pub(crate) fn label_read_over(&self) -> Option<&'a str> {
        let last = self.labels().iter().last().filter(|_| !self.has_failed);
        last.map(text)
    }

    /// Reads what follows the label, or else steps over it.
    fn read_member(&mut self, label: &'a [u8]) -> Result<SignatureInput<'a>, SyntaxError> {
        let cursor = &mut self.members.cursor;
        let before = *cursor;
        SignatureInput::read(label, cursor).inspect_err(|_| {
            *cursor = before;
            self.has_failed = skip_member(cursor).is_err();
        })
    }
}

impl<'a> Iterator for SignatureInputs<'a> {
    type Item = Result<SignatureInput<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        match self.members.next_key() {
            Ok(Some(label)) => Some(self.read_member(label)),
            Ok(None) => None,
            Err(error) => {
                self.has_failed = true;
                Some(Err(error))
            }
        }
    }
}

impl FusedIterator for SignatureInputs<'_> {}

impl fmt::Debug for SignatureInputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.labels().iter().map(text).collect();
        f.debug_struct("SignatureInputs")
            .field("labels", &labels)
            .finish_non_exhaustive()
    }
}
