use std::fmt;

use super::{
    base_error::{BaseError, Problem},
    component::{Component, ComponentName, Parameters},
    dictionary::MAX_FIELD_LEN,
    fields::Lines,
    head::{Authority, RequestHead, ResponseHead},
    input::SignatureInput,
    query::push_query_param,
    syntax::text,
};

/// How many bytes a signature base may have: four times the largest field. Several signatures of a request share them.
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
pub struct SignatureBase(Vec<u8>);

impl SignatureBase {
    /// The base of a request signature.
    ///
    /// # Errors
    ///
    /// [`BaseError`] if a covered component is absent or cannot be written.
    pub fn of_request(
        request: &RequestHead<'_>,
        input: &SignatureInput<'_>,
    ) -> Result<Self, BaseError> {
        let uri = request.uri;
        let mut base = Self::for_input(
            input,
            uri.path().len() + uri.query().unwrap_or_default().len(),
        );
        let first = if input.begins_with_always() {
            push_always(&mut base.0, request)?;
            ALWAYS.len()
        } else {
            0
        };
        base.push_all(first, input, |out, name, parameters| {
            push_request_value(out, name, parameters, request)
        })?;
        Ok(base)
    }

    /// The base of a response signature.
    ///
    /// # Errors
    ///
    /// [`BaseError`] if a covered component is absent or cannot be written.
    pub fn of_response(
        response: &ResponseHead<'_>,
        input: &SignatureInput<'_>,
    ) -> Result<Self, BaseError> {
        let mut base = Self::for_input(input, 0);
        base.push_all(0, input, |out, name, parameters| {
            push_response_value(out, name, parameters, response)
        })?;
        Ok(base)
    }

    /// Most bases are the path, the query and about twice the list of their components; one that is longer grows.
    fn for_input(input: &SignatureInput<'_>, uri_len: usize) -> Self {
        Self(Vec::with_capacity(
            (uri_len + 2 * input.value_len() + 256).min(MAX_BASE_LEN),
        ))
    }

    /// Writes the lines of all components from the one at `first` on, and the last line.
    fn push_all(
        &mut self,
        first: usize,
        input: &SignatureInput<'_>,
        push_value: impl Fn(&mut Vec<u8>, ComponentName<'_>, &Parameters<'_>) -> Result<(), Problem>,
    ) -> Result<(), BaseError> {
        let mut query_params = 0;
        for index in first..input.len() {
            if let Some(name) = input.plain_name(index) {
                push_plain_line(&mut self.0, name, |out| {
                    push_value(out, name, &Parameters::NONE)
                })?;
            } else if let Some(component) = input.component_with_parameters(index) {
                // Each one walks through the whole query, which nobody has proven yet.
                query_params += usize::from(component.name == ComponentName::QueryParam);
                if query_params > MAX_QUERY_PARAMS {
                    return Err(Problem::TooLarge.with(&component));
                }
                push_line_with_parameters(&mut self.0, &component, &push_value)?;
            }
        }
        self.0.extend_from_slice(SIGNATURE_PARAMS);
        input.write_value(&mut self.0);
        Ok(())
    }

    /// The text, with all values.
    #[must_use]
    pub fn as_str(&self) -> &str {
        text(&self.0)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SignatureBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.as_str().split('\n').enumerate() {
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
pub(crate) const SIGNATURE_PARAMS: &[u8] = b"\"@signature-params\": ";

/// What all signatures of the wire profile cover, in this order, before anything else.
pub(super) const ALWAYS: [ComponentName<'static>; 4] = [
    ComponentName::Method,
    ComponentName::Authority,
    ComponentName::Path,
    ComponentName::Query,
];

/// How the list of their components begins.
pub(crate) const ALWAYS_LIST: &[u8; 40] = br#"("@method" "@authority" "@path" "@query""#;

/// Writes the lines of what is always covered.
pub(crate) fn push_always(out: &mut Vec<u8>, request: &RequestHead<'_>) -> Result<(), BaseError> {
    // One by one, so that each name is known when this is compiled.
    let [method, authority, path, query] = ALWAYS;
    push_known_line(out, method, request)?;
    push_known_line(out, authority, request)?;
    push_known_line(out, path, request)?;
    push_known_line(out, query, request)
}

#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "for a name that is known when this is compiled, a third of the instructions"
)]
fn push_known_line(
    out: &mut Vec<u8>,
    name: ComponentName<'_>,
    request: &RequestHead<'_>,
) -> Result<(), BaseError> {
    begin_line(out, name);
    let written = push_request_value(out, name, &Parameters::NONE, request);
    end_line(out, written).map_err(|problem| problem.with(&Component::plain(name)))
}

/// Writes the line of a field, with its line break.
pub(crate) fn push_field_line(
    out: &mut Vec<u8>,
    name: &str,
    request: &RequestHead<'_>,
) -> Result<(), BaseError> {
    let name = ComponentName::Field(name);
    push_plain_line(out, name, |out| {
        push_request_value(out, name, &Parameters::NONE, request)
    })
}

fn push_plain_line(
    out: &mut Vec<u8>,
    name: ComponentName<'_>,
    push_value: impl FnOnce(&mut Vec<u8>) -> Result<(), Problem>,
) -> Result<(), BaseError> {
    begin_line(out, name);
    let written = push_value(out);
    end_line(out, written).map_err(|problem| problem.with(&Component::plain(name)))
}

fn push_line_with_parameters(
    out: &mut Vec<u8>,
    component: &Component<'_>,
    push_value: impl FnOnce(&mut Vec<u8>, ComponentName<'_>, &Parameters<'_>) -> Result<(), Problem>,
) -> Result<(), BaseError> {
    let Component {
        name, parameters, ..
    } = component;
    let is_query_param = *name == ComponentName::QueryParam;
    let is_field = matches!(name, ComponentName::Field(_));
    if parameters.unsupported
        || parameters.query_name.is_some() != is_query_param
        || (parameters.byte_sequence && !is_field)
    {
        return Err(Problem::Unsupported.with(component));
    }
    component.write_identifier(out);
    out.extend_from_slice(b": ");
    let written = push_value(out, *name, parameters);
    end_line(out, written).map_err(|problem| problem.with(component))
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "see `push_known_line`")]
fn begin_line(out: &mut Vec<u8>, name: ComponentName<'_>) {
    if let Some(start) = name.line_start() {
        out.extend_from_slice(start);
    } else {
        out.push(b'"');
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b"\": ");
    }
}

fn end_line(out: &mut Vec<u8>, written: Result<(), Problem>) -> Result<(), Problem> {
    out.push(b'\n');
    if out.len() > MAX_BASE_LEN {
        written.and(Err(Problem::TooLarge))
    } else {
        written
    }
}

fn push_response_value(
    out: &mut Vec<u8>,
    name: ComponentName<'_>,
    parameters: &Parameters<'_>,
    response: &ResponseHead<'_>,
) -> Result<(), Problem> {
    match name {
        _ if parameters.of_request => {
            let request = response.request.as_ref().ok_or(Problem::Absent)?;
            push_request_value(
                out,
                name,
                &Parameters {
                    of_request: false,
                    ..*parameters
                },
                request,
            )
        }
        ComponentName::Status => {
            out.extend_from_slice(response.status.as_str().as_bytes());
            Ok(())
        }
        ComponentName::Field(name) => push_field(
            out,
            parameters.byte_sequence,
            Lines::of(response.headers, name),
        ),
        _ => Err(Problem::Unsupported),
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "see `push_known_line`")]
fn push_request_value(
    out: &mut Vec<u8>,
    name: ComponentName<'_>,
    parameters: &Parameters<'_>,
    request: &RequestHead<'_>,
) -> Result<(), Problem> {
    // RFC 9421 section 2.4: in a request, there is no other request.
    if parameters.of_request {
        return Err(Problem::Unsupported);
    }
    let uri = request.uri;
    match name {
        ComponentName::Method => out.extend_from_slice(request.method.as_str().as_bytes()),
        ComponentName::Authority => authority_of(request)?.push_lower_case(out),
        ComponentName::Scheme => out.extend_from_slice(request.scheme.as_str().as_bytes()),
        ComponentName::Path => push_ascii(out, path_of(request).as_bytes())?,
        ComponentName::Query => {
            out.push(b'?');
            push_ascii(out, uri.query().unwrap_or_default().as_bytes())?;
        }
        ComponentName::TargetUri => {
            out.extend_from_slice(request.scheme.as_str().as_bytes());
            out.extend_from_slice(b"://");
            authority_of(request)?.push_lower_case(out);
            push_path_and_query(out, request)?;
        }
        ComponentName::RequestTarget => {
            // CONNECT has the authority alone. In the absolute form of HTTP/1.1, which is for proxies, the target begins with the
            // scheme. HTTP/2 and 3 send the path alone (RFC 9421 section 2.2.5).
            if let (None, Some(authority)) = (uri.scheme(), uri.authority()) {
                out.extend_from_slice(authority.as_str().as_bytes());
                return Ok(());
            }
            if let (true, Some(scheme), Some(authority)) = (
                request.version <= http::Version::HTTP_11,
                uri.scheme(),
                uri.authority(),
            ) {
                out.extend_from_slice(scheme.as_str().as_bytes());
                out.extend_from_slice(b"://");
                out.extend_from_slice(authority.as_str().as_bytes());
            }
            push_path_and_query(out, request)?;
        }
        ComponentName::QueryParam => {
            let name = parameters.query_name.ok_or(Problem::Unsupported)?;
            if uri.query().is_some_and(|query| query.len() > MAX_FIELD_LEN) {
                return Err(Problem::TooLarge);
            }
            if !push_query_param(out, uri.query().unwrap_or_default(), name) {
                return Err(Problem::Absent);
            }
        }
        ComponentName::Field(name) => push_field(
            out,
            parameters.byte_sequence,
            request.fields().lines_named(name),
        )?,
        ComponentName::Status | ComponentName::Unknown(_) => return Err(Problem::Unsupported),
    }
    Ok(())
}

fn authority_of<'a>(request: &RequestHead<'a>) -> Result<Authority<'a>, Problem> {
    request.authority().map_err(Problem::Authority)
}

fn push_ascii(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Problem> {
    if !text.is_ascii() {
        return Err(Problem::NotAscii);
    }
    out.extend_from_slice(text);
    Ok(())
}

fn push_path_and_query(out: &mut Vec<u8>, request: &RequestHead<'_>) -> Result<(), Problem> {
    push_ascii(out, path_of(request).as_bytes())?;
    if let Some(query) = request.uri.query() {
        out.push(b'?');
        push_ascii(out, query.as_bytes())?;
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
fn push_field(out: &mut Vec<u8>, byte_sequence: bool, lines: Lines<'_>) -> Result<(), Problem> {
    let start = out.len();
    let mut found = false;
    for line in lines {
        if found {
            out.extend_from_slice(b", ");
        }
        found = true;
        let line = line.as_bytes().trim_ascii();
        if out.len() - start + line.len() > MAX_FIELD_LEN {
            return Err(Problem::TooLarge);
        }
        if byte_sequence {
            push_byte_sequence(out, line);
        } else {
            push_ascii(out, line)?;
        }
    }
    if found { Ok(()) } else { Err(Problem::Absent) }
}

#[cold]
fn push_byte_sequence(out: &mut Vec<u8>, line: &[u8]) {
    use base64::{Engine, engine::general_purpose::STANDARD};

    out.push(b':');
    out.extend(STANDARD.encode(line).into_bytes());
    out.push(b':');
}
