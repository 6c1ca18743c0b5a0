//! The `Signature-Input` field (RFC 9421 section 4.1): what each signature covers, and its
//! parameters.

use std::{borrow::Cow, fmt, iter::FusedIterator};

use http::HeaderMap;

use super::{
    component::{push_canonical, push_canonical_parameters},
    component_list::{ComponentList, Components, ProfileStart},
    coverage::Coverage,
    unchecked_input::{SignatureParams, SignedValue, UncheckedInput},
};
use crate::{
    message::{Lines, SIGNATURE_INPUT},
    structured::{Cursor, Dictionary, Keys, SyntaxError, skip_member, text},
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
    checked: UncheckedInput<'a>,
    components: ComponentList,
}

impl<'a> SignatureInput<'a> {
    /// Joins a member and its list.
    pub(super) fn new(checked: UncheckedInput<'a>, components: ComponentList) -> Self {
        Self {
            checked,
            components,
        }
    }

    fn text(&self) -> &SignedValue<'a> {
        self.checked.text()
    }

    /// The label. It means nothing: it only ties the member to that of the `Signature` field.
    #[must_use]
    pub fn label(&self) -> &'a str {
        text(self.checked.label())
    }

    /// How far the list goes along with the profile, and the components behind that.
    pub(super) fn profile_start(&self) -> Option<(ProfileStart, Components<'_>)> {
        self.components.profile_start(&self.text().value)
    }

    /// The covered components, in the order of the signature base.
    #[must_use]
    pub fn components(&self) -> Components<'_> {
        Components::of(&self.text().value)
    }

    /// When the signature was made, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> Option<i64> {
        self.text().params.created
    }

    /// Until when the signature is meant to be accepted, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.text().params.expires
    }

    /// A value that makes the signature unique.
    #[must_use]
    pub fn nonce(&self) -> Option<Cow<'_, str>> {
        self.text().nonce()
    }

    /// The algorithm that the signer names.
    #[must_use]
    pub fn alg(&self) -> Option<Cow<'_, str>> {
        self.text().alg()
    }

    /// The key that the signer names.
    #[must_use]
    pub fn key_id(&self) -> Option<Cow<'_, str>> {
        self.text().key_id()
    }

    /// The application that the signature is for.
    #[must_use]
    pub fn tag(&self) -> Option<Cow<'_, str>> {
        self.text().tag()
    }

    /// The value of `@signature-params`: the list and all parameters in the order received.
    pub(crate) fn value(&self) -> &[u8] {
        &self.text().value
    }

    pub(crate) fn params(&self) -> &SignatureParams {
        &self.text().params
    }

    /// The joint coverage of the components without parameters.
    pub(crate) fn coverage(&self) -> Coverage {
        self.components.coverage()
    }
}

/// The canonical serialisation of an inner list of strings with its parameters (RFC 9651 section
/// 4.1.1.1).
pub(super) fn canonical(value: &[u8]) -> Result<Vec<u8>, SyntaxError> {
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
            .field("value", &text(&self.text().value))
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

    /// The next member, of which only the parameters are read.
    #[inline]
    pub(crate) fn next_unchecked(&mut self) -> Option<Result<UncheckedInput<'a>, SyntaxError>> {
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

    /// Reads what follows the label, or else steps over it.
    #[inline]
    fn read_member(&mut self, label: &'a [u8]) -> Result<UncheckedInput<'a>, SyntaxError> {
        let cursor = &mut self.members.cursor;
        let before = *cursor;
        UncheckedInput::read(label, cursor).inspect_err(|_| {
            *cursor = before;
            self.has_failed = skip_member(cursor).is_err();
        })
    }
}

impl<'a> Iterator for SignatureInputs<'a> {
    type Item = Result<SignatureInput<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let input = self.next_unchecked()?;
        Some(input.and_then(UncheckedInput::check))
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
