use std::fmt;

use super::{
    class::Class,
    syntax::{BareItem, Cursor, Keys, QuotedString, SyntaxError, write_parameter},
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
        match name {
            "@method" => Self::Method,
            "@authority" => Self::Authority,
            "@path" => Self::Path,
            "@query" => Self::Query,
            "@target-uri" => Self::TargetUri,
            "@scheme" => Self::Scheme,
            "@request-target" => Self::RequestTarget,
            "@query-param" => Self::QueryParam,
            "@status" => Self::Status,
            _ if is_field_name(name) => Self::Field(name),
            _ => Self::Unknown(name),
        }
    }

    /// What its line in the signature base starts with, for those that every request signature covers.
    pub(super) fn line_start(self) -> Option<&'static str> {
        match self {
            Self::Method => Some("\"@method\": "),
            Self::Authority => Some("\"@authority\": "),
            Self::Path => Some("\"@path\": "),
            Self::Query => Some("\"@query\": "),
            _ => None,
        }
    }

    const DERIVED: [Self; 9] = [
        Self::Method,
        Self::Authority,
        Self::Path,
        Self::Query,
        Self::TargetUri,
        Self::Scheme,
        Self::RequestTarget,
        Self::QueryParam,
        Self::Status,
    ];

    /// From here on, a kind stands for a name with a text of its own.
    pub(super) const TEXT: u8 = 9;

    /// A number for each kind of name.
    pub(super) fn kind(self) -> u8 {
        match self {
            Self::Method => 0,
            Self::Authority => 1,
            Self::Path => 2,
            Self::Query => 3,
            Self::TargetUri => 4,
            Self::Scheme => 5,
            Self::RequestTarget => 6,
            Self::QueryParam => 7,
            Self::Status => 8,
            Self::Field(_) => Self::TEXT,
            Self::Unknown(_) => Self::TEXT + 1,
        }
    }

    pub(super) fn of_kind(kind: u8, text: impl FnOnce() -> &'a str) -> Self {
        match Self::DERIVED.get(usize::from(kind)) {
            Some(derived) => *derived,
            None if kind == Self::TEXT => Self::Field(text()),
            None => Self::Unknown(text()),
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

fn is_field_name(name: &str) -> bool {
    !name.is_empty() && Class::FIELD_NAME.contains_all(name)
}

/// A component identifier: a name and its parameters, such as `"content-digest";req`.
///
/// Two are equal if they name the same component, in whatever order their parameters stand (RFC 9421 section 2).
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one parameter that is there or not")]
pub struct Component<'a> {
    pub(super) name: ComponentName<'a>,
    /// The parameter `name` of `@query-param`.
    pub(super) query_name: Option<QuotedString<'a>>,
    pub(super) byte_sequence: bool,
    pub(super) of_request: bool,
    /// A parameter this crate does not implement: `sf`, `key`, `tr`, or one that RFC 9421 does not define.
    pub(super) unsupported: bool,
    /// The identifier as received; empty if it was made here.
    text: &'a str,
    canonical: bool,
}

impl<'a> Component<'a> {
    /// Reads one identifier, such as `"@query-param";name="id"`.
    ///
    /// # Errors
    ///
    /// [`SyntaxError`] if it is not a string with parameters, or repeats a parameter. An unknown name is not an error here.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let mut cursor = Cursor::new(text);
        let component = Self::read(&mut cursor)?;
        if cursor.is_at_end() { Ok(component) } else { Err(cursor.error("expected the end of the identifier")) }
    }

    /// A component without parameters.
    pub(crate) const fn plain(name: ComponentName<'a>) -> Self {
        Self { name, query_name: None, byte_sequence: false, of_request: false, unsupported: false, text: "", canonical: true }
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        let start = cursor.position();
        let name = ComponentName::new(cursor.string()?.raw);
        Self::with_parameters(name, start, cursor)
    }

    /// Goes on after the name, which began at `start`.
    pub(super) fn with_parameters(name: ComponentName<'a>, start: usize, cursor: &mut Cursor<'a>) -> Result<Self, SyntaxError> {
        let mut component = Self::plain(name);
        let mut keys = Keys::new();
        let before = std::mem::replace(&mut cursor.canonical, true);
        while let Some((key, value)) = cursor.parameter()? {
            keys.insert(key, cursor)?;
            match (key, value) {
                ("bs", BareItem::Boolean(true)) => component.byte_sequence = true,
                ("req", BareItem::Boolean(true)) => component.of_request = true,
                ("name", BareItem::String(name)) => component.query_name = Some(name),
                _ => component.unsupported = true,
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
        !(self.byte_sequence || self.of_request || self.unsupported || self.query_name.is_some())
    }

    /// Writes the identifier in the canonical serialisation of RFC 8941, its parameters in the order received.
    pub(super) fn write_identifier(&self, out: &mut String) {
        if self.text.is_empty() {
            out.push('"');
            out.push_str(self.name.as_str());
            out.push('"');
            return;
        }
        if self.canonical {
            out.push_str(self.text);
            return;
        }
        let mut cursor = Cursor::new(self.text);
        if cursor.string().is_ok() {
            out.push_str(cursor.since(0));
        }
        while let Ok(Some((key, value))) = cursor.parameter() {
            write_parameter(out, key, value);
        }
    }
}

impl PartialEq for Component<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.unsupported || other.unsupported {
            return self.name == other.name && self.text == other.text;
        }
        self.name == other.name
            && self.query_name == other.query_name
            && self.byte_sequence == other.byte_sequence
            && self.of_request == other.of_request
    }
}

impl Eq for Component<'_> {}

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut identifier = String::new();
        self.write_identifier(&mut identifier);
        f.write_str(&identifier)
    }
}

impl fmt::Debug for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({self})")
    }
}
