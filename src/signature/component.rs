use std::fmt;

use super::{
    item::{BareItem, QuotedString, write_parameter},
    kind::Kind,
    syntax::{Cursor, Keys, SyntaxError, text},
};

/// What a component identifier names, without its parameters (RFC 9421 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComponentName<'a> {
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
    Field(&'a str),
    /// Neither a derived component of RFC 9421 nor a lower-case field name.
    Unknown(&'a str),
}

impl<'a> ComponentName<'a> {
    pub(crate) fn new(name: &'a str) -> Self {
        Kind::of(name.as_bytes()).named(|| name)
    }

    /// What its line in the signature base starts with, for those that every request signature covers.
    pub(super) fn line_start(self) -> Option<&'static [u8]> {
        match self {
            Self::Method => Some(b"\"@method\": "),
            Self::Authority => Some(b"\"@authority\": "),
            Self::Path => Some(b"\"@path\": "),
            Self::Query => Some(b"\"@query\": "),
            _ => None,
        }
    }

    /// The name as it stands between the quotes.
    #[must_use]
    pub fn as_str(self) -> &'a str {
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

/// A component identifier: a name and its parameters, such as `"content-digest";req`.
///
/// Two are equal if they name the same component, in whatever order their parameters stand (RFC 9421 section 2).
#[derive(Clone, Copy)]
pub struct Component<'a> {
    pub(super) name: ComponentName<'a>,
    pub(super) parameters: Parameters<'a>,
    /// The identifier as received; empty if it was made here.
    text: &'a [u8],
    canonical: bool,
}

/// What the parameters of a component say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameters<'a> {
    /// The parameter `name` of `@query-param`.
    pub(super) query_name: Option<QuotedString<'a>>,
    pub(super) byte_sequence: bool,
    pub(super) of_request: bool,
    /// A parameter this crate does not implement: `sf`, `key`, `tr`, or one that RFC 9421 does not define.
    pub(super) unsupported: bool,
}

impl Parameters<'_> {
    pub(super) const NONE: Self = Self {
        query_name: None,
        byte_sequence: false,
        of_request: false,
        unsupported: false,
    };
}

impl<'a> Component<'a> {
    /// Reads one identifier, such as `"@query-param";name="id"`.
    ///
    /// # Errors
    ///
    /// [`SyntaxError`] if it is not a string with parameters, or repeats a parameter. An unknown name is not an error here.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let component = Self::read(&mut cursor)?;
        if cursor.is_at_end() {
            Ok(component)
        } else {
            Err(cursor.error("expected the end of the identifier"))
        }
    }

    /// A component without parameters.
    pub(crate) const fn plain(name: ComponentName<'a>) -> Self {
        Self {
            name,
            parameters: Parameters::NONE,
            text: b"",
            canonical: true,
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        let start = cursor.position();
        let mut component = Self::plain(ComponentName::new(text(cursor.string()?.raw)));
        let mut keys = Keys::new();
        let before = std::mem::replace(&mut cursor.canonical, true);
        while let Some((key, value)) = cursor.parameter()? {
            keys.insert(key, cursor)?;
            match (key, value) {
                (b"bs", BareItem::Boolean(true)) => component.parameters.byte_sequence = true,
                (b"req", BareItem::Boolean(true)) => component.parameters.of_request = true,
                (b"name", BareItem::String(name)) => component.parameters.query_name = Some(name),
                _ => component.parameters.unsupported = true,
            }
        }
        component.text = cursor.since(start);
        component.canonical = cursor.canonical;
        cursor.canonical &= before;
        Ok(component)
    }

    /// What the identifier names.
    #[must_use]
    pub fn name(&self) -> ComponentName<'a> {
        self.name
    }

    /// Whether there are no parameters: only then does it satisfy a requirement of the host.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.parameters == Parameters::NONE
    }

    /// Writes the identifier in the canonical serialisation of RFC 8941, its parameters in the order received.
    pub(super) fn write_identifier(&self, out: &mut Vec<u8>) {
        if self.text.is_empty() {
            out.push(b'"');
            out.extend_from_slice(self.name.as_str().as_bytes());
            out.push(b'"');
            return;
        }
        if self.canonical {
            out.extend_from_slice(self.text);
            return;
        }
        let mut cursor = Cursor::new(self.text);
        if cursor.string().is_ok() {
            out.extend_from_slice(cursor.since(0));
        }
        while let Ok(Some((key, value))) = cursor.parameter() {
            write_parameter(out, key, value);
        }
    }
}

impl PartialEq for Component<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.parameters.unsupported || other.parameters.unsupported {
            return self.name == other.name && self.text == other.text;
        }
        self.name == other.name && self.parameters == other.parameters
    }
}

impl Eq for Component<'_> {}

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut identifier = Vec::new();
        self.write_identifier(&mut identifier);
        f.write_str(text(&identifier))
    }
}

impl fmt::Debug for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({self})")
    }
}
