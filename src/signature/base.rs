use std::fmt;

use http::{HeaderMap, HeaderName, header};

use super::{
    CONTENT_DIGEST,
    component::{Component, ComponentName},
    dictionary::MAX_FIELD_LEN,
    head::{RequestHead, ResponseHead},
    input::SignatureInput,
    query::push_query_param,
};

/// How many bytes a signature base may have: four times the largest field.
pub const MAX_BASE_LEN: usize = 4 * MAX_FIELD_LEN;

/// How many `@query-param` components a signature may cover, in a query of at most 8 KiB.
pub const MAX_QUERY_PARAMS: usize = 8;

/// The text that is signed (RFC 9421 section 2.5): a line for each component, then the signature's own parameters.
///
/// Two messages have the same base only if all covered components are the same: values cannot contain a line break, and what
/// is not ASCII is refused.
///
/// # Security
///
/// `Display` and `Debug` redact: they show the values of the derived components without the query, and those of the fields
/// `content-digest`, `content-encoding`, `content-length`, `content-type`, `date` and `host`. All others may be secrets.
/// [`as_str`](Self::as_str) shows everything.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureBase(String);

impl SignatureBase {
    /// The base of a request signature.
    ///
    /// # Errors
    ///
    /// [`BaseError`] if a covered component is absent or cannot be written.
    pub fn of_request(request: &RequestHead<'_>, input: &SignatureInput<'_>) -> Result<Self, BaseError> {
        Self::build(input, |out, component| push_line(out, component, request))
    }

    /// The base of a response signature.
    ///
    /// # Errors
    ///
    /// [`BaseError`] if a covered component is absent or cannot be written.
    pub fn of_response(response: &ResponseHead<'_>, input: &SignatureInput<'_>) -> Result<Self, BaseError> {
        Self::build(input, |out, component| push_response_line(out, component, response))
    }

    fn build(
        input: &SignatureInput<'_>,
        push_line: impl Fn(&mut String, &Component<'_>) -> Result<(), BaseError>,
    ) -> Result<Self, BaseError> {
        // Most bases are about twice as long as the list of their components; one that is longer grows.
        let mut text = String::with_capacity(2 * input.value_len() + 256);
        let mut query_params = 0;
        // `components()` would copy the whole input first.
        for component in (0..input.len()).map_while(|index| input.component(index)) {
            // Each one walks through the whole query, which nobody has proven yet.
            query_params += usize::from(component.name == ComponentName::QueryParam);
            if query_params > MAX_QUERY_PARAMS {
                return Err(BaseError::too_large(&component));
            }
            push_line(&mut text, &component)?;
        }
        text.push_str(SIGNATURE_PARAMS);
        input.write_value(&mut text);
        Ok(Self(text))
    }

    /// The text, with all values.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for SignatureBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.0.split('\n').enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            match line.split_once(": ") {
                Some((identifier, value)) if !is_public(identifier) => {
                    write!(f, "{separator}{identifier}: <{} bytes>", value.len())?;
                }
                _ => write!(f, "{separator}{line}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SignatureBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureBase({:?})", self.to_string())
    }
}

/// Whether the value of a component is known to hold no secret.
fn is_public(identifier: &str) -> bool {
    matches!(
        identifier.split(';').next().unwrap_or_default(),
        "\"@method\""
            | "\"@authority\""
            | "\"@scheme\""
            | "\"@path\""
            | "\"@status\""
            | "\"@signature-params\""
            | "\"content-digest\""
            | "\"content-encoding\""
            | "\"content-length\""
            | "\"content-type\""
            | "\"date\""
            | "\"host\""
    )
}

/// What the last line of every base starts with.
pub(crate) const SIGNATURE_PARAMS: &str = "\"@signature-params\": ";

/// Writes the line of one component of a request, with its line break.
pub(crate) fn push_line(out: &mut String, component: &Component<'_>, request: &RequestHead<'_>) -> Result<(), BaseError> {
    push_any_line(out, component, |out| {
        if component.of_request {
            // RFC 9421 section 2.4: in a request, there is no other request.
            return Err(BaseError::unsupported(component));
        }
        push_request_value(out, component, request)
    })
}

fn push_response_line(out: &mut String, component: &Component<'_>, response: &ResponseHead<'_>) -> Result<(), BaseError> {
    push_any_line(out, component, |out| match (component.of_request, component.name) {
        (true, _) => {
            let request = response.request.as_ref().ok_or_else(|| BaseError::absent(component))?;
            push_request_value(out, component, request)
        }
        (false, ComponentName::Status) => {
            out.push_str(response.status.as_str());
            Ok(())
        }
        (false, ComponentName::Field(name)) => push_field(out, component, name, response.headers),
        _ => Err(BaseError::unsupported(component)),
    })
}

fn push_any_line(
    out: &mut String,
    component: &Component<'_>,
    push_value: impl FnOnce(&mut String) -> Result<(), BaseError>,
) -> Result<(), BaseError> {
    let is_query_param = component.name == ComponentName::QueryParam;
    let is_field = matches!(component.name, ComponentName::Field(_));
    if component.unsupported || component.query_name.is_some() != is_query_param || (component.byte_sequence && !is_field) {
        return Err(BaseError::unsupported(component));
    }
    match component.name.line_start() {
        Some(start) if component.is_plain() => out.push_str(start),
        _ => {
            component.write_identifier(out);
            out.push_str(": ");
        }
    }
    push_value(out)?;
    out.push('\n');
    if out.len() > MAX_BASE_LEN { Err(BaseError::too_large(component)) } else { Ok(()) }
}

fn push_request_value(out: &mut String, component: &Component<'_>, request: &RequestHead<'_>) -> Result<(), BaseError> {
    let uri = request.uri;
    let ascii = |out: &mut String, text: &str| {
        if !text.is_ascii() {
            return Err(BaseError::not_ascii(component));
        }
        out.push_str(text);
        Ok(())
    };
    match component.name {
        ComponentName::Method => out.push_str(request.method.as_str()),
        ComponentName::Authority => request.authority()?.push_lower_case(out),
        ComponentName::Scheme => out.push_str(request.scheme.as_str()),
        ComponentName::Path => ascii(out, path_of(request))?,
        ComponentName::Query => {
            out.push('?');
            ascii(out, uri.query().unwrap_or_default())?;
        }
        ComponentName::TargetUri => {
            out.push_str(request.scheme.as_str());
            out.push_str("://");
            request.authority()?.push_lower_case(out);
            push_path_and_query(out, request, ascii)?;
        }
        ComponentName::RequestTarget => {
            // CONNECT has the authority alone. In the absolute form of HTTP/1.1, which is for proxies, the target begins with the
            // scheme. HTTP/2 and 3 send the path alone (RFC 9421 section 2.2.5).
            if let (None, Some(authority)) = (uri.scheme(), uri.authority()) {
                out.push_str(authority.as_str());
                return Ok(());
            }
            if let (true, Some(scheme), Some(authority)) =
                (request.version <= http::Version::HTTP_11, uri.scheme(), uri.authority())
            {
                out.push_str(scheme.as_str());
                out.push_str("://");
                out.push_str(authority.as_str());
            }
            push_path_and_query(out, request, ascii)?;
        }
        ComponentName::QueryParam => {
            let name = component.query_name.ok_or_else(|| BaseError::unsupported(component))?;
            if uri.query().is_some_and(|query| query.len() > MAX_FIELD_LEN) {
                return Err(BaseError::too_large(component));
            }
            if !push_query_param(out, uri.query().unwrap_or_default(), name) {
                return Err(BaseError::absent(component));
            }
        }
        ComponentName::Field(name) => push_field(out, component, name, request.headers())?,
        ComponentName::Status | ComponentName::Unknown(_) => return Err(BaseError::unsupported(component)),
    }
    Ok(())
}

fn push_path_and_query(
    out: &mut String,
    request: &RequestHead<'_>,
    push_ascii: impl Fn(&mut String, &str) -> Result<(), BaseError>,
) -> Result<(), BaseError> {
    push_ascii(out, path_of(request))?;
    if let Some(query) = request.uri.query() {
        out.push('?');
        push_ascii(out, query)?;
    }
    Ok(())
}

/// An empty path is `/` (RFC 9421 section 2.2.6).
fn path_of<'a>(request: &RequestHead<'a>) -> &'a str {
    match request.uri.path() {
        "" => "/",
        path => path,
    }
}

/// The lines of a field, each trimmed, joined with a comma and a space (RFC 9421 section 2.1); with `bs`, each as a byte sequence
/// of its own (section 2.1.3).
fn push_field(out: &mut String, component: &Component<'_>, name: &str, headers: &HeaderMap) -> Result<(), BaseError> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let start = out.len();
    // Looking a field up by a static name takes half the time.
    let known: Option<HeaderName> = match name {
        "content-digest" => Some(CONTENT_DIGEST),
        "content-type" => Some(header::CONTENT_TYPE),
        "content-encoding" => Some(header::CONTENT_ENCODING),
        _ => None,
    };
    let lines = match &known {
        Some(name) => headers.get_all(name),
        None => headers.get_all(name),
    };
    let mut found = false;
    for line in lines {
        if found {
            out.push_str(", ");
        }
        found = true;
        let line = line.as_bytes().trim_ascii();
        if out.len() - start + line.len() > MAX_FIELD_LEN {
            return Err(BaseError::too_large(component));
        }
        if component.byte_sequence {
            out.push(':');
            STANDARD.encode_string(line, out);
            out.push(':');
            continue;
        }
        match std::str::from_utf8(line) {
            Ok(line) if line.is_ascii() => out.push_str(line),
            _ => return Err(BaseError::not_ascii(component)),
        }
    }
    if found { Ok(()) } else { Err(BaseError::absent(component)) }
}

/// Why a signature base cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// A covered component that the message does not have, or a query parameter that it does not have exactly once.
    #[error("{component} is covered but not in the message, or not exactly once")]
    Absent {
        /// The identifier.
        component: String,
    },
    /// An identifier that is not defined for such a message, or that this crate does not implement: `sf`, `key` and `tr`.
    #[error("{component} is not a supported component of this message")]
    Unsupported {
        /// The identifier.
        component: String,
    },
    /// A value with a byte that is not ASCII: percent-encode it, or cover the field with `bs`.
    #[error("the value of {component} is not ASCII")]
    NotAscii {
        /// The identifier.
        component: String,
    },
    /// A field of more than 8 KiB, a base of more than 32 KiB, or more than 8 query parameters one by one.
    #[error("with {component}, the signature base gets too large")]
    TooLarge {
        /// The identifier.
        component: String,
    },
    /// Neither the request target nor a `Host` field names an authority.
    #[error("no authority: give the URI a host, or add a `Host` field")]
    NoAuthority,
    /// The request target and the `Host` fields name different authorities, or there are several `Host` fields.
    #[error("conflicting authorities: the URI and the `Host` fields must agree on one")]
    ConflictingAuthority,
    /// The authority is not `host` or `host:port`; user information is not allowed.
    #[error("invalid authority `{authority}`: give `host` or `host:port`, without user information")]
    InvalidAuthority {
        /// What stands there, escaped and cut.
        authority: String,
    },
}

impl BaseError {
    fn absent(component: &Component<'_>) -> Self {
        Self::Absent { component: identifier(component) }
    }

    fn unsupported(component: &Component<'_>) -> Self {
        Self::Unsupported { component: identifier(component) }
    }

    fn not_ascii(component: &Component<'_>) -> Self {
        Self::NotAscii { component: identifier(component) }
    }

    fn too_large(component: &Component<'_>) -> Self {
        Self::TooLarge { component: identifier(component) }
    }
}

/// An identifier for an error; it is printable ASCII, but may be long.
fn identifier(component: &Component<'_>) -> String {
    let mut identifier = String::with_capacity(64);
    component.write_identifier(&mut identifier);
    if identifier.len() > 64 { shown(&identifier) } else { identifier }
}

/// A peer's text as an operator may see it: escaped, and cut after 64 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(64) + 4);
    push_shown(&mut shown, text);
    shown
}

pub(crate) fn push_shown(out: &mut String, text: &str) {
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if index == 64 => {
                out.push('…');
                break;
            }
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_default()),
        }
    }
}
