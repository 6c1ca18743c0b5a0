use std::{borrow::Cow, fmt, iter::FusedIterator};

use http::HeaderMap;

use super::{
    SIGNATURE_INPUT,
    component::{Component, ComponentName},
    coverage::Coverage,
    dictionary::Members,
    syntax::{BareItem, Cursor, Keys, QuotedString, SyntaxError, write_parameter},
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
#[derive(Clone, Copy)]
pub struct SignatureInput<'a> {
    label: &'a str,
    /// The inner list and its parameters, as received.
    value: &'a str,
    /// Whether `value` is its own canonical serialisation.
    canonical: bool,
    coverage: Coverage,
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

/// Where the components begin in the inner list, and what they are: as little as possible, because this is moved about for each
/// request.
#[derive(Clone, Copy)]
struct Items {
    starts: [u16; MAX_COMPONENTS],
    /// The [`ComponentName::kind`] of each, or `WITH_PARAMETERS`.
    kinds: [u8; MAX_COMPONENTS],
    len: u8,
}

const WITH_PARAMETERS: u8 = u8::MAX;

impl<'a> SignatureInput<'a> {
    pub(crate) const NONE: Self = Self {
        label: "",
        value: "",
        canonical: true,
        coverage: Coverage::NONE,
        items: Items { starts: [0; MAX_COMPONENTS], kinds: [0; MAX_COMPONENTS], len: 0 },
        parameters: 0,
        created: None,
        expires: None,
        nonce: None,
        alg: None,
        key_id: None,
        tag: None,
    };

    /// Reads a value that was accepted before: an inner list with parameters.
    pub(crate) fn read_again(value: &'a str) -> Option<Self> {
        let mut input = Self::NONE;
        input.read("", &mut Cursor::new(value)).ok().map(|()| input)
    }

    /// Reads into `self`, which must be [`NONE`](Self::NONE).
    fn read(&mut self, label: &'a str, cursor: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let start = cursor.position();
        self.label = label;
        cursor.canonical = true;
        self.read_components(cursor, start)?;
        self.parameters = cursor.position() - start;
        self.read_parameters(cursor)?;
        self.value = cursor.since(start);
        self.canonical = cursor.canonical;
        Ok(())
    }

    /// `inner-list` of RFC 8941 section 3.1.1, whose items are components.
    fn read_components(&mut self, cursor: &mut Cursor<'a>, start: usize) -> Result<(), SyntaxError> {
        // A bit for each derived component without parameters. Those with parameters are rare, and kept for comparison.
        let mut derived = 0_u16;
        let mut with_parameters = Vec::new();
        cursor.expect(b'(', "expected a list of components, `(…)`")?;
        cursor.canonical &= cursor.spaces() == 0;
        while !cursor.take(b')') {
            let from = cursor.position();
            let name = ComponentName::new(cursor.string()?.raw);
            let mut kind = name.kind();
            let repeated = if cursor.peek() == Some(b';') {
                kind = WITH_PARAMETERS;
                let component = Component::with_parameters(name, from, cursor)?;
                let repeated = with_parameters.contains(&component);
                with_parameters.push(component);
                repeated
            } else {
                self.coverage = self.coverage | Coverage::of(name);
                if kind < ComponentName::TEXT {
                    let repeated = derived >> kind & 1 == 1;
                    derived |= 1 << kind;
                    repeated
                } else {
                    self.texts(cursor.since(start)).any(|text| text == name.as_str())
                }
            };
            if repeated {
                return Err(cursor.error("a component must not be repeated"));
            }
            let len = usize::from(self.items.len);
            let (Some(free), Ok(offset)) = (self.items.starts.get_mut(len), u16::try_from(from - start)) else {
                return Err(cursor.error("at most 32 components are accepted, in 8 KiB"));
            };
            *free = offset;
            self.items.kinds[len] = kind;
            self.items.len += 1;

            let spaces = cursor.spaces();
            let last = cursor.peek() == Some(b')');
            if spaces == 0 && !last {
                return Err(cursor.error("expected a space or the end of the list, `)`"));
            }
            cursor.canonical &= spaces == usize::from(!last);
        }
        Ok(())
    }

    /// The field names and unknown names without parameters that were read from `value` up to here.
    fn texts(&self, value: &'a str) -> impl Iterator<Item = &'a str> {
        let is_text = |kind: u8| (ComponentName::TEXT..WITH_PARAMETERS).contains(&kind);
        let starts = self.items.starts.into_iter().zip(self.items.kinds).take(self.len());
        starts.filter(move |(_, kind)| is_text(*kind)).map(|(start, _)| name_at(value, start))
    }

    fn read_parameters(&mut self, cursor: &mut Cursor<'a>) -> Result<(), SyntaxError> {
        let mut unknown = Keys::new();
        while let Some((key, value)) = cursor.parameter()? {
            let repeated = match (key, value) {
                ("created", BareItem::Integer(time)) => self.created.replace(time).is_some(),
                ("expires", BareItem::Integer(time)) => self.expires.replace(time).is_some(),
                ("nonce", BareItem::String(text)) => self.nonce.replace(text).is_some(),
                ("alg", BareItem::String(text)) => self.alg.replace(text).is_some(),
                ("keyid", BareItem::String(text)) => self.key_id.replace(text).is_some(),
                ("tag", BareItem::String(text)) => self.tag.replace(text).is_some(),
                ("created" | "expires", _) => return Err(cursor.error("`created` and `expires` are integers")),
                ("nonce" | "alg" | "keyid" | "tag", _) => {
                    return Err(cursor.error("`nonce`, `alg`, `keyid` and `tag` are strings"));
                }
                _ => {
                    unknown.insert(key, cursor)?;
                    false
                }
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
        self.label
    }

    /// The covered components, in the order of the signature base.
    #[must_use]
    pub fn components(&self) -> Components<'a> {
        Components { input: *self, next: 0 }
    }

    /// What the components without parameters say together: one with parameters, such as `"content-digest";bs`, does not count.
    pub(crate) fn coverage(&self) -> Coverage {
        self.coverage
    }

    pub(super) fn component(&self, index: usize) -> Option<Component<'a>> {
        if index >= self.len() {
            return None;
        }
        let start = self.items.starts[index];
        match self.items.kinds[index] {
            WITH_PARAMETERS => Component::read(&mut Cursor::new(&self.value[usize::from(start)..])).ok(),
            kind => Some(Component::plain(ComponentName::of_kind(kind, || name_at(self.value, start)))),
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.items.len)
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
        for (index, component) in self.components().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            component.write_identifier(out);
        }
        out.push(')');
        let mut cursor = Cursor::new(&self.value[self.parameters..]);
        while let Ok(Some((key, value))) = cursor.parameter() {
            write_parameter(out, key, value);
        }
    }

    /// How many bytes `write_value` writes at most.
    pub(super) fn value_len(&self) -> usize {
        self.value.len()
    }
}

/// The inside of the quotes that begin at `start`.
fn name_at(value: &str, start: u16) -> &str {
    Cursor::new(&value[usize::from(start)..]).string().map_or("", |name| name.raw)
}

impl fmt::Debug for SignatureInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureInput").field("label", &self.label).field("value", &self.value).finish()
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
    pub fn new(headers: &'a HeaderMap) -> Self {
        Self { members: Members::new(headers, &SIGNATURE_INPUT), done: false }
    }

    /// The labels up to here.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'a str> {
        self.members.keys.iter()
    }

    /// Reads the next member into `input`, which must be [`SignatureInput::NONE`]; `false` if there is none.
    pub(crate) fn read(&mut self, input: &mut SignatureInput<'a>) -> Result<bool, SyntaxError> {
        let Some(label) = self.members.next_key()? else { return Ok(false) };
        input.read(label, &mut self.members.cursor)?;
        Ok(true)
    }
}

impl<'a> Iterator for SignatureInputs<'a> {
    type Item = Result<SignatureInput<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut input = SignatureInput::NONE;
        let next = match self.read(&mut input) {
            Ok(found) => found.then_some(Ok(input)),
            Err(error) => Some(Err(error)),
        };
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl FusedIterator for SignatureInputs<'_> {}

impl fmt::Debug for SignatureInputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureInputs").field("labels", &self.labels().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
