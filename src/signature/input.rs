use std::{borrow::Cow, fmt, iter::FusedIterator};

use http::HeaderMap;

use super::{
    SIGNATURE_INPUT,
    component::Component,
    syntax::{BareItem, Cursor, Keys, Members, QuotedString, SyntaxError, write_parameter},
};

/// How many components a signature may cover.
pub const MAX_COMPONENTS: usize = 32;

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
#[derive(Clone, Copy, Debug)]
pub struct SignatureInput<'a> {
    label: &'a str,
    /// The inner list and its parameters, as received.
    value: &'a str,
    /// Whether `value` is its own canonical serialisation.
    canonical: bool,
    created: Option<i64>,
    expires: Option<i64>,
    nonce: Option<QuotedString<'a>>,
    alg: Option<QuotedString<'a>>,
    key_id: Option<QuotedString<'a>>,
    tag: Option<QuotedString<'a>>,
}

impl<'a> SignatureInput<'a> {
    fn read(label: &'a str, cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        let start = cursor.position();
        let mut input = Self {
            label,
            value: "",
            canonical: true,
            created: None,
            expires: None,
            nonce: None,
            alg: None,
            key_id: None,
            tag: None,
        };
        input.read_components(cursor)?;
        input.read_parameters(cursor)?;
        input.value = cursor.since(start);
        Ok(input)
    }

    fn read_components(&mut self, cursor: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let mut seen: [Option<Component<'a>>; MAX_COMPONENTS] = [None; MAX_COMPONENTS];
        let mut len = 0;
        let mut components = Components::new(cursor)?;
        while let Some(component) = components.read()? {
            let cursor = &components.cursor;
            if seen[..len].contains(&Some(component)) {
                return Err(cursor.error("a component must not be repeated"));
            }
            *seen.get_mut(len).ok_or_else(|| cursor.error("at most 32 components are accepted"))? = Some(component);
            len += 1;
            self.canonical &= component.is_canonical();
        }
        self.canonical &= components.canonical;
        *cursor = components.cursor;
        Ok(())
    }

    fn read_parameters(&mut self, cursor: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let mut keys = Keys::new();
        while let Some((key, value, canonical)) = cursor.parameter()? {
            keys.insert(key, cursor)?;
            self.canonical &= canonical;
            let text = match key {
                "created" => {
                    self.created = Some(integer(value, cursor)?);
                    continue;
                }
                "expires" => {
                    self.expires = Some(integer(value, cursor)?);
                    continue;
                }
                "nonce" => &mut self.nonce,
                "alg" => &mut self.alg,
                "keyid" => &mut self.key_id,
                "tag" => &mut self.tag,
                _ => continue,
            };
            let BareItem::String(string) = value else {
                return Err(cursor.error("`nonce`, `alg`, `keyid` and `tag` are strings"));
            };
            *text = Some(string);
        }
        Ok(())
    }

    /// The label, which means nothing: it only ties the member to that of the `Signature` field.
    #[must_use]
    pub fn label(&self) -> &'a str {
        self.label
    }

    /// The covered components, in the order of the signature base.
    #[must_use]
    pub fn components(&self) -> Components<'a> {
        Components::of(self.value)
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

    /// Writes the value of `@signature-params`: all parameters in the order received, in canonical serialisation.
    pub(super) fn write_value(&self, out: &mut String) {
        if self.canonical {
            out.push_str(self.value);
            return;
        }
        out.push('(');
        let mut components = self.components();
        for (index, component) in components.by_ref().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            component.write_identifier(out);
        }
        out.push(')');
        let mut cursor = components.cursor;
        while let Ok(Some((key, value, _))) = cursor.parameter() {
            write_parameter(out, key, value);
        }
    }

    /// How many bytes `write_value` writes at most.
    pub(super) fn value_len(&self) -> usize {
        self.value.len()
    }
}

fn integer(value: BareItem<'_>, cursor: &Cursor<'_>) -> Result<i64, SyntaxError> {
    match value {
        BareItem::Integer(number) => Ok(number),
        _ => Err(cursor.error("`created` and `expires` are integers")),
    }
}

/// The components of a [`SignatureInput`], or of whatever else was covered.
#[derive(Clone, Debug)]
pub struct Components<'a> {
    cursor: Cursor<'a>,
    canonical: bool,
    open: bool,
}

impl<'a> Components<'a> {
    /// The components of an inner list that has been read before.
    pub(crate) fn of(inner_list: &'a str) -> Self {
        let cursor = Cursor::new(inner_list);
        Self::new(&cursor).unwrap_or(Self { cursor, canonical: true, open: false })
    }

    fn new(cursor: &Cursor<'a>) -> Result<Self, SyntaxError> {
        let mut cursor = *cursor;
        cursor.expect(b'(', "expected a list of components, `(…)`")?;
        let spaces = cursor.spaces();
        Ok(Self { cursor, canonical: spaces == 0, open: true })
    }

    /// `inner-list` of RFC 8941 section 3.1.1, one item a call.
    fn read(&mut self) -> Result<Option<Component<'a>>, SyntaxError> {
        if !self.open || self.cursor.take(b')') {
            self.open = false;
            return Ok(None);
        }
        let component = Component::read(&mut self.cursor)?;
        let spaces = self.cursor.spaces();
        let last = self.cursor.peek() == Some(b')');
        if spaces == 0 && !last {
            return Err(self.cursor.error("expected a space or the end of the list, `)`"));
        }
        self.canonical &= spaces == usize::from(!last);
        Ok(Some(component))
    }
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Component<'a>> {
        // Only lists that were read without an error before are iterated.
        self.read().ok().flatten()
    }
}

impl FusedIterator for Components<'_> {}

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
    pub fn new(headers: &'a HeaderMap) -> Self {
        Self { members: Members::new(headers, &SIGNATURE_INPUT), done: false }
    }

    /// The labels up to here.
    pub(crate) fn labels(&self) -> &[&'a str] {
        self.members.keys.as_slice()
    }

    fn read(&mut self) -> Result<Option<SignatureInput<'a>>, SyntaxError> {
        let Some(label) = self.members.next_key()? else { return Ok(None) };
        SignatureInput::read(label, &mut self.members.cursor).map(Some)
    }
}

impl<'a> Iterator for SignatureInputs<'a> {
    type Item = Result<SignatureInput<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.read().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl FusedIterator for SignatureInputs<'_> {}

impl fmt::Debug for SignatureInputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureInputs").field("labels", &self.labels()).finish_non_exhaustive()
    }
}
