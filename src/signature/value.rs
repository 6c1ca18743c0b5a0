//! The values of components (RFC 9421 section 2): what stands behind the colon of a line.

use super::{
    component::{ComponentName, Parameters},
    error::ValueError,
    query_param::QueryParams,
};
use crate::{
    message::{Lines, RequestHead, ResponseHead},
    structured::{MAX_FIELD_LEN, push_byte_sequence},
};

/// Writes the value of a component of a request.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "for a name that the compiler knows, 190 instructions less for each request"
)]
pub(super) fn push_request_value<'r>(
    out: &mut Vec<u8>,
    name: ComponentName<&str>,
    parameters: &Parameters<'_>,
    request: &RequestHead<'r>,
    query_params: &mut QueryParams<'r>,
) -> Result<(), ValueError> {
    // RFC 9421 section 2.4: a request has no other request.
    if parameters.of_request {
        return Err(ValueError::Unsupported);
    }
    match name {
        ComponentName::Method => out.extend_from_slice(request.method().as_bytes()),
        ComponentName::Authority => request.authority()?.push_lower_case(out),
        ComponentName::Scheme => out.extend_from_slice(request.external_scheme().as_bytes()),
        ComponentName::Path => push_ascii(out, request.path().as_bytes())?,
        ComponentName::Query => {
            out.push(b'?');
            push_ascii(out, request.query().unwrap_or_default().as_bytes())?;
        }
        ComponentName::TargetUri => {
            out.extend_from_slice(request.external_scheme().as_bytes());
            out.extend_from_slice(b"://");
            request.authority()?.push_lower_case(out);
            push_path_and_query(out, request)?;
        }
        ComponentName::RequestTarget => push_request_target(out, request)?,
        ComponentName::QueryParam => {
            let name = parameters.query_name.ok_or(ValueError::Unsupported)?;
            let query = request.query().unwrap_or_default();
            query_params.push_value(out, query, &name.text())?;
        }
        ComponentName::Field(name) => {
            push_field(out, name, parameters, request.fields().named(name))?;
        }
        ComponentName::Status | ComponentName::Unknown(_) => return Err(ValueError::Unsupported),
    }
    Ok(())
}

/// Writes the value of a component of a response, or with the parameter `req` of the request that
/// the response answers (RFC 9421 section 2.4).
pub(super) fn push_response_value<'r>(
    out: &mut Vec<u8>,
    name: ComponentName<&str>,
    parameters: &Parameters<'_>,
    response: &ResponseHead<'r>,
    query_params: &mut QueryParams<'r>,
) -> Result<(), ValueError> {
    match name {
        _ if parameters.of_request => {
            let request = response.answered_request().ok_or(ValueError::Absent)?;
            let parameters = Parameters {
                of_request: false,
                ..*parameters
            };
            push_request_value(out, name, &parameters, request, query_params)
        }
        ComponentName::Status => {
            out.extend_from_slice(response.status().as_str().as_bytes());
            Ok(())
        }
        ComponentName::Field(name) => push_field(out, name, parameters, response.lines(name)),
        _ => Err(ValueError::Unsupported),
    }
}

/// `@request-target` (RFC 9421 section 2.2.5).
fn push_request_target(out: &mut Vec<u8>, request: &RequestHead<'_>) -> Result<(), ValueError> {
    match request.target_start() {
        (None, Some(authority)) => {
            out.extend_from_slice(authority.as_bytes());
            return Ok(());
        }
        (Some(scheme), Some(authority)) => {
            out.extend_from_slice(scheme.as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(authority.as_bytes());
        }
        (_, None) => {}
    }
    push_path_and_query(out, request)
}

fn push_path_and_query(out: &mut Vec<u8>, request: &RequestHead<'_>) -> Result<(), ValueError> {
    push_ascii(out, request.path().as_bytes())?;
    if let Some(query) = request.query() {
        out.push(b'?');
        push_ascii(out, query.as_bytes())?;
    }
    Ok(())
}

/// The lines of a field, each trimmed, joined with a comma and a space (RFC 9421 section 2.1). With
/// `bs`, each line is a byte sequence of its own (section 2.1.3).
///
/// HTTP/2 may split `Cookie` into several lines, which are one line elsewhere (RFC 9113 section
/// 8.2.3). Those are joined as they were.
pub(super) fn push_field(
    out: &mut Vec<u8>,
    name: &str,
    parameters: &Parameters<'_>,
    lines: Lines<'_>,
) -> Result<(), ValueError> {
    let start = out.len();
    let mut found = false;
    for line in lines {
        if found {
            let is_split = name == "cookie" && !parameters.byte_sequence;
            out.extend_from_slice(if is_split { b"; " } else { b", " });
        }
        found = true;
        let line = line.trim_ascii();
        if out.len() - start + line.len() > MAX_FIELD_LEN {
            return Err(ValueError::TooLarge);
        }
        if parameters.byte_sequence {
            push_byte_sequence(out, line);
        } else {
            push_ascii(out, line)?;
        }
    }
    if found {
        Ok(())
    } else {
        Err(ValueError::Absent)
    }
}

fn push_ascii(out: &mut Vec<u8>, text: &[u8]) -> Result<(), ValueError> {
    if !text.is_ascii() {
        return Err(ValueError::NotAscii);
    }
    out.extend_from_slice(text);
    Ok(())
}
