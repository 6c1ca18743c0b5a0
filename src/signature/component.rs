//! Component identifiers (RFC 9421 section 2): what a line of the signature base is about.

use std::fmt;

use super::span::Span;
use crate::structured::{
    BareItem, Cursor, Keys, MAX_FIELD_LEN, QuotedString, SyntaxError, next_parameter, text,
    write_parameter,
};

/// The name in a component identifier, without its parameters.
///
/// `T` is the text of those that have no name of their own here. A list of components keeps no
/// text, so that a name takes one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComponentName<T> {
    /// `"@method"`: the method, in its case.
    Method,
    /// `"@target-uri"`: scheme, authority, path and query.
    TargetUri,
    /// `"@authority"`: host and port, lower-cased, without the scheme's default port.
    Authority,
    /// `"@scheme"`: `http` or `https`.
    Scheme,
    /// `"@request-target"`: the target of the request line.
    RequestTarget,
    /// `"@path"`: the path, percent-encoded as received.
    Path,
    /// `"@query"`: `?` and the query, percent-encoded as received.
    Query,
    /// `"@query-param";name="…"`: one parameter of the query.
    QueryParam,
    /// `"@status"`: the status code of a response.
    Status,
    /// A header field, by its lower-case name.
    Field(T),
    /// Neither a derived component of RFC 9421 nor a lower-case field name.
    Unknown(T),
}

impl ComponentName<()> {
    /// Which kind of name the bytes between the quotes are.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"@method" => Self::Method,
            b"@authority" => Self::Authority,
            b"@path" => Self::Path,
            b"@query" => Self::Query,
            b"@target-uri" => Self::TargetUri,
            b"@scheme" => Self::Scheme,
            b"@request-target" => Self::RequestTarget,
            b"@query-param" => Self::QueryParam,
            b"@status" => Self::Status,
            // Most signers cover these: no look at each byte.
            b"content-digest" | b"content-type" => Self::Field(()),
            _ if !name.is_empty() && name.iter().copied().all(is_of_field_name) => Self::Field(()),
            _ => Self::Unknown(()),
        }
    }
}

impl<'a> ComponentName<&'a str> {
    pub(crate) fn new(name: &'a str) -> Self {
        ComponentName::of(name.as_bytes()).map(|()| name)
    }

    /// The name as it stands between the quotes.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::RequestTarget => "@request-target",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::QueryParam => "@query-param",
            Self::Status => "@status",
            Self::Field(name) | Self::Unknown(name) => name,
        }
    }
}

impl<T> ComponentName<T> {
    /// The same name with another text.
    pub(super) fn map<U>(self, text: impl FnOnce(T) -> U) -> ComponentName<U> {
        match self {
            Self::Method => ComponentName::Method,
            Self::TargetUri => ComponentName::TargetUri,
            Self::Authority => ComponentName::Authority,
            Self::Scheme => ComponentName::Scheme,
            Self::RequestTarget => ComponentName::RequestTarget,
            Self::Path => ComponentName::Path,
            Self::Query => ComponentName::Query,
            Self::QueryParam => ComponentName::QueryParam,
            Self::Status => ComponentName::Status,
            Self::Field(name) => ComponentName::Field(text(name)),
            Self::Unknown(name) => ComponentName::Unknown(text(name)),
        }
    }
}

/// `tchar` of RFC 9110 section 5.6.2 without the capitals.
fn is_of_field_name(byte: u8) -> bool {
    byte.is_ascii_lowercase()
        || byte.is_ascii_digit()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+')
        || matches!(byte, b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// A component identifier: a name and its parameters, such as `"content-digest";req`.
///
/// Two identifiers are equal if they name the same component, in whatever order their parameters
/// stand (RFC 9421 section 2). `Display` writes the canonical serialisation, with the parameters in
/// the order received.
#[derive(Clone, Copy)]
pub struct Component<'a> {
    /// The text that the entry points into.
    list: &'a [u8],
    entry: Entry,
}

/// The parsed facts of a component, and its place in the text of its list.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) name: ComponentName<()>,
    byte_sequence: bool,
    of_request: bool,
    /// There is a parameter that this crate does not implement: `sf`, `key`, `tr`, or one that RFC
    /// 9421 does not define.
    unsupported: bool,
    /// The name with its quotes.
    quoted_name: Span,
    /// The parameters.
    parameters: Option<Span>,
    /// The parameter `name` of `@query-param`.
    query_name: Option<Span>,
}

/// The supported parameters of a component.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    pub(super) query_name: Option<QuotedString<'a>>,
    pub(super) byte_sequence: bool,
    pub(super) of_request: bool,
}

impl Entry {
    /// A component without parameters.
    pub(super) fn plain(name: ComponentName<()>, quoted_name: Span) -> Self {
        Self {
            name,
            byte_sequence: false,
            of_request: false,
            unsupported: false,
            quoted_name,
            parameters: None,
            query_name: None,
        }
    }

    /// Reads one identifier. Its parts are counted from the start of the text of the cursor.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let start = cursor.position();
        let name = ComponentName::of(QuotedString::read(cursor)?.raw);
        let end = cursor.position();
        let mut entry = Self::plain(name, Span::new(start, end));
        if cursor.peek() != Some(b';') {
            return Ok(entry);
        }
        let mut keys = Keys::new();
        while let Some((key, value)) = next_parameter(cursor)? {
            keys.insert(key, cursor)?;
            match (key, value) {
                (b"bs", BareItem::Boolean(true)) => entry.byte_sequence = true,
                (b"req", BareItem::Boolean(true)) => entry.of_request = true,
                (b"name", BareItem::String(name)) => {
                    entry.query_name = Some(Span::of_last_string(cursor, 0, name));
                }
                _ => entry.unsupported = true,
            }
        }
        entry.parameters = Some(Span::new(end, cursor.position()));
        Ok(entry)
    }

    pub(super) fn is_plain(&self) -> bool {
        self.parameters.is_none()
    }

    /// The name without its quotes.
    pub(super) fn name_bytes(self, list: &[u8]) -> &[u8] {
        self.quoted_name.inner().of(list)
    }

    /// Whether two entries of two lists name the same component.
    pub(super) fn is_same(&self, list: &[u8], other: &Self, other_list: &[u8]) -> bool {
        let part = |span: Option<Span>| span.map(|span| span.of(list));
        let other_part = |span: Option<Span>| span.map(|span| span.of(other_list));
        if self.quoted_name.of(list) != other.quoted_name.of(other_list) {
            return false;
        }
        if self.unsupported || other.unsupported {
            return part(self.parameters) == other_part(other.parameters);
        }
        self.byte_sequence == other.byte_sequence
            && self.of_request == other.of_request
            && part(self.query_name) == other_part(other.query_name)
            && self.is_plain() == other.is_plain()
    }
}

impl<'a> Component<'a> {
    pub(super) fn new(list: &'a [u8], entry: Entry) -> Self {
        Self { list, entry }
    }

    /// Reads one identifier, such as `"@query-param";name="id"`.
    ///
    /// # Errors
    ///
    /// [`SyntaxError`] if the text is not a string with parameters, repeats a parameter, or has
    /// more than 8 KiB. An unknown name is not an error here.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut cursor = Cursor::new(text.as_bytes());
        if text.len() > MAX_FIELD_LEN {
            return Err(cursor.error("an identifier has at most 8 KiB"));
        }
        let entry = Entry::read(&mut cursor)?;
        if cursor.is_at_end() {
            Ok(Self {
                list: text.as_bytes(),
                entry,
            })
        } else {
            Err(cursor.error("expected the end of the identifier"))
        }
    }

    /// The name in the identifier.
    #[must_use]
    pub fn name(&self) -> ComponentName<&'a str> {
        self.entry
            .name
            .map(|()| text(self.entry.name_bytes(self.list)))
    }

    /// Whether there are no parameters: only then does the component satisfy a requirement of the
    /// host.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.entry.is_plain()
    }

    /// Whether the identifier names a component that a request can have.
    pub(crate) fn is_of_requests(&self) -> bool {
        let Some(parameters) = self.parameters() else {
            return false;
        };
        let has_query_name = parameters.query_name.is_some();
        match self.name() {
            ComponentName::Status | ComponentName::Unknown(_) => false,
            ComponentName::QueryParam => has_query_name && !parameters.of_request,
            ComponentName::Field(_) => !has_query_name && !parameters.of_request,
            _ => self.is_plain(),
        }
    }

    /// Whether this is the copy of a component of the request in a response: the same one with the
    /// parameter `req` (RFC 9421 section 2.4).
    pub(crate) fn is_copy_of(&self, original: &Component<'_>) -> bool {
        let (Some(parameters), Some(of_original)) = (self.parameters(), original.parameters())
        else {
            return false;
        };
        let of_copy = Parameters {
            of_request: true,
            ..of_original
        };
        self.name() == original.name() && !of_original.of_request && parameters == of_copy
    }

    /// The identifier as received.
    pub(crate) fn identifier(&self) -> &'a [u8] {
        let name = self.entry.quoted_name;
        self.entry
            .parameters
            .map_or(name, |parameters| name.up_to(parameters))
            .of(self.list)
    }

    /// `None` if one of them is not supported.
    pub(super) fn parameters(&self) -> Option<Parameters<'a>> {
        let quoted = |name: Span| QuotedString {
            raw: name.of(self.list),
            may_have_escapes: true,
        };
        (!self.entry.unsupported).then(|| Parameters {
            query_name: self.entry.query_name.map(quoted),
            byte_sequence: self.entry.byte_sequence,
            of_request: self.entry.of_request,
        })
    }
}

impl PartialEq for Component<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.entry.is_same(self.list, &other.entry, other.list)
    }
}

impl Eq for Component<'_> {}

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut identifier = Vec::with_capacity(self.identifier().len());
        push_canonical(&mut identifier, &mut Cursor::new(self.identifier()))
            .map_err(|_| fmt::Error)?;
        f.write_str(text(&identifier))
    }
}

impl fmt::Debug for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({self})")
    }
}

/// Copies an identifier from `cursor` in canonical serialisation (RFC 9651 section 4.1.3).
pub(super) fn push_canonical(
    out: &mut Vec<u8>,
    cursor: &mut Cursor<'_>,
) -> Result<(), SyntaxError> {
    let start = cursor.position();
    QuotedString::read(cursor)?;
    out.extend_from_slice(cursor.since(start));
    push_canonical_parameters(out, cursor)
}

/// Copies parameters from `cursor` in canonical serialisation.
pub(super) fn push_canonical_parameters(
    out: &mut Vec<u8>,
    cursor: &mut Cursor<'_>,
) -> Result<(), SyntaxError> {
    while let Some((key, value)) = next_parameter(cursor)? {
        write_parameter(out, key, value);
    }
    Ok(())
}
