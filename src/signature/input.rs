use std::{borrow::Cow, fmt, iter::FusedIterator};

use http::HeaderMap;

use super::{
    SIGNATURE_INPUT,
    component::{Component, ComponentName},
    coverage::Coverage,
    dictionary::Members,
    fields::Lines,
    item::{QuotedString, write_parameter},
    items::Items,
    syntax::{Cursor, Keys, SyntaxError, text},
};

/// One member of a `Signature-Input` field (RFC 9421 section 4.1): which components a signature covers, and its parameters.
///
/// Read in place; nothing here is authenticated.
///
/// ```
/// use hmac_auth::signature::SignatureInputs;
///
/// let line = r#"sig1=("@method" "@path");created=1618884473;keyid="site-a""#;
/// let request = http::Request::builder().header("signature-input", line).body(()).unwrap();
/// let input = SignatureInputs::new(request.headers()).next().unwrap()?;
/// assert_eq!(input.label(), "sig1");
/// assert_eq!(input.created(), Some(1_618_884_473));
/// assert_eq!(input.key_id().as_deref(), Some("site-a"));
/// assert_eq!(input.components().count(), 2);
/// # Ok::<(), hmac_auth::signature::SyntaxError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SignatureInput<'a> {
    label: &'a [u8],
    /// The inner list and its parameters, as received.
    value: &'a [u8],
    /// Whether `value` is its own canonical serialisation.
    canonical: bool,
    items: Items,
    /// Where the parameters begin in `value`.
    parameters: usize,
    created: Option<i64>,
    expires: Option<i64>,
    nonce: Option<QuotedString<'a>>,
    alg: Option<QuotedString<'a>>,
    key_id: Option<QuotedString<'a>>,
    tag: Option<QuotedString<'a>>,
}

impl<'a> SignatureInput<'a> {
    /// What is then read into: a constant would be copied with all that is not there.
    #[inline]
    pub(crate) fn unread() -> Self {
        Self {
            label: b"",
            value: b"",
            canonical: true,
            items: Items::NONE,
            parameters: 0,
            created: None,
            expires: None,
            nonce: None,
            alg: None,
            key_id: None,
            tag: None,
        }
    }

    /// Reads a value that was accepted before: an inner list with parameters.
    pub(crate) fn read_again(value: &'a [u8]) -> Option<Self> {
        let mut input = Self::unread();
        input
            .read(b"", &mut Cursor::new(value))
            .ok()
            .map(|()| input)
    }

    /// Reads into `self`, which must be [`unread`](Self::unread).
    fn read(&mut self, label: &'a [u8], cursor: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let start = cursor.position();
        self.label = label;
        cursor.canonical = true;
        self.items.read(cursor)?;
        self.parameters = cursor.position() - start;
        self.read_parameters(cursor)?;
        self.value = cursor.since(start);
        self.canonical = cursor.canonical;
        Ok(())
    }

    fn read_parameters(&mut self, cursor: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let mut unknown = Keys::new();
        while cursor.begin_parameter() {
            // To compare a key at once takes a third of the instructions of reading it first.
            let repeated = if cursor.take_all(b"created=") {
                self.created.replace(cursor.integer()?).is_some()
            } else if cursor.take_all(b"nonce=") {
                self.nonce.replace(cursor.string()?).is_some()
            } else if cursor.take_all(b"keyid=") {
                self.key_id.replace(cursor.string()?).is_some()
            } else if cursor.take_all(b"expires=") {
                self.expires.replace(cursor.integer()?).is_some()
            } else if cursor.take_all(b"alg=") {
                self.alg.replace(cursor.string()?).is_some()
            } else if cursor.take_all(b"tag=") {
                self.tag.replace(cursor.string()?).is_some()
            } else {
                let (key, _) = cursor.key_and_value()?;
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
        Ok(())
    }

    /// The label, which means nothing: it only ties the member to that of the `Signature` field.
    #[must_use]
    pub fn label(&self) -> &'a str {
        text(self.label)
    }

    pub(crate) fn has_label(&self, label: &[u8]) -> bool {
        self.label == label
    }

    /// The covered components, in the order of the signature base.
    #[must_use]
    pub fn components(&self) -> Components<'a> {
        Components {
            input: *self,
            next: 0,
        }
    }

    /// What the components without parameters say together: one with parameters, such as `"content-digest";bs`, does not count.
    pub(crate) fn coverage(&self) -> Coverage {
        self.items.coverage
    }

    fn component(&self, index: usize) -> Option<Component<'a>> {
        if index >= self.len() {
            return None;
        }
        self.plain_name(index)
            .map(Component::plain)
            .or_else(|| self.component_with_parameters(index))
    }

    /// What the component names if it has no parameters.
    pub(super) fn plain_name(&self, index: usize) -> Option<ComponentName<'a>> {
        let name = || {
            self.cursor_at(self.items.start(index))
                .string()
                .map_or("", |name| text(name.raw))
        };
        self.items.kind(index).map(|kind| kind.named(name))
    }

    pub(super) fn component_with_parameters(&self, index: usize) -> Option<Component<'a>> {
        Component::read(&mut self.cursor_at(self.items.start(index))).ok()
    }

    fn cursor_at(&self, start: usize) -> Cursor<'a> {
        Cursor::new(&self.value[start..])
    }

    /// Whether the components begin with what all signatures of the wire profile cover.
    pub(super) fn begins_with_always(&self) -> bool {
        self.items.begin_with_always()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// When the signature was made, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> Option<i64> {
        self.created
    }

    /// Until when it is meant to be accepted, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// What makes the signature unique.
    #[must_use]
    pub fn nonce(&self) -> Option<Cow<'a, str>> {
        self.nonce.map(QuotedString::text)
    }

    /// The algorithm the signer names.
    #[must_use]
    pub fn alg(&self) -> Option<Cow<'a, str>> {
        self.alg.map(QuotedString::text)
    }

    /// The key the signer names.
    #[must_use]
    pub fn key_id(&self) -> Option<Cow<'a, str>> {
        self.key_id.map(QuotedString::text)
    }

    /// The application the signature is for.
    #[must_use]
    pub fn tag(&self) -> Option<Cow<'a, str>> {
        self.tag.map(QuotedString::text)
    }

    /// The key id, the nonce and the tag.
    pub(crate) fn strings(&self) -> [Option<QuotedString<'a>>; 3] {
        [self.key_id, self.nonce, self.tag]
    }

    /// Writes the value of `@signature-params`: all parameters in the order received, in canonical serialisation.
    pub(super) fn write_value(&self, out: &mut Vec<u8>) {
        if self.canonical {
            out.extend_from_slice(self.value);
            return;
        }
        out.push(b'(');
        for (index, component) in self.components().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            component.write_identifier(out);
        }
        out.push(b')');
        let mut cursor = self.cursor_at(self.parameters);
        while let Ok(Some((key, value))) = cursor.parameter() {
            write_parameter(out, key, value);
        }
    }

    /// How many bytes `write_value` writes at most.
    pub(super) fn value_len(&self) -> usize {
        self.value.len()
    }
}

impl fmt::Debug for SignatureInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureInput")
            .field("label", &text(self.label))
            .field("value", &text(self.value))
            .finish()
    }
}

/// The components of a [`SignatureInput`], in their order.
#[derive(Clone, Debug)]
pub struct Components<'a> {
    input: SignatureInput<'a>,
    next: usize,
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Component<'a>> {
        self.next += 1;
        self.input.component(self.next - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.input.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Components<'_> {}

/// The members of the `Signature-Input` field.
///
/// Strict: a line without a member, a repeated label, more than 16 labels and more than 8 KiB are errors. Nothing is yielded
/// after the first error.
pub struct SignatureInputs<'a> {
    members: Members<'a>,
    done: bool,
}

impl<'a> SignatureInputs<'a> {
    /// The members of all lines of the field in `headers`; none if it is absent.
    #[must_use]
    #[inline]
    pub fn new(headers: &'a HeaderMap) -> Self {
        Self::of(Lines::of(headers, SIGNATURE_INPUT))
    }

    #[inline]
    pub(crate) fn of(lines: Lines<'a>) -> Self {
        Self {
            members: Members::new(lines),
            done: false,
        }
    }

    /// How many members there were up to here.
    pub(crate) fn len(&self) -> usize {
        self.members.keys.len()
    }

    /// The labels up to here.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'a [u8]> {
        self.members.keys.iter()
    }

    /// The label of the next member, which is then to be [read](Self::read).
    pub(crate) fn next_label(&mut self) -> Result<Option<&'a [u8]>, SyntaxError> {
        self.members.next_key()
    }

    /// Reads the member into `input`, which must be [`SignatureInput::unread`]: to move it takes as long as to read it.
    pub(crate) fn read(
        &mut self,
        label: &'a [u8],
        input: &mut SignatureInput<'a>,
    ) -> Result<(), SyntaxError> {
        input.read(label, &mut self.members.cursor)
    }
}

impl<'a> Iterator for SignatureInputs<'a> {
    type Item = Result<SignatureInput<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut input = SignatureInput::unread();
        let next = match self.next_label() {
            Ok(None) => None,
            Ok(Some(label)) => Some(self.read(label, &mut input).map(|()| input)),
            Err(error) => Some(Err(error)),
        };
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl FusedIterator for SignatureInputs<'_> {}

impl fmt::Debug for SignatureInputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureInputs")
            .field("labels", &self.labels().map(text).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
