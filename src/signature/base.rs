//! The signature base (RFC 9421 section 2.5): the text that is signed.

use std::{fmt, ops::Range};

use super::{
    answered_request::AnsweredRequest,
    budget::Budget,
    component::{Component, ComponentName, Parameters},
    error::{BaseError, ValueError},
    input::SignatureInput,
    profile,
    query_param::QueryParams,
    value::{push_field, push_request_value, push_response_value},
};
use crate::{
    message::{RequestHead, ResponseHead},
    structured::{MAX_FIELD_LEN, text},
};

/// How many bytes a signature base may have: four times the largest field. Several signatures of a
/// request share them.
pub const MAX_BASE_LEN: usize = 4 * MAX_FIELD_LEN;

/// How many `@query-param` components a signature may cover, in a query of at most 8 KiB. Several
/// signatures of a request share them.
pub const MAX_QUERY_PARAMS: usize = 8;

/// How many parameters a query may have of which a signature covers some one by one. Several
/// signatures of a request share them.
pub const MAX_QUERY_PAIRS: usize = 128;

/// How the last line starts.
const SIGNATURE_PARAMS: &[u8] = b"\"@signature-params\": ";

/// The text that is signed: a line for each component, then the parameters of the signature itself.
///
/// Two messages have the same base only if all covered components are the same: values cannot
/// contain a line break, and a value that is not ASCII is refused.
///
/// # Security
///
/// `Display` and `Debug` redact. They show the values of the derived components without the query,
/// and those of the fields `content-digest`, `content-encoding`, `content-length`, `content-type`,
/// `date` and `host`. All other values may be secrets. [`as_str`](Self::as_str) shows everything.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureBase {
    text: Vec<u8>,
    /// Where the value of `@signature-params` starts.
    params_start: usize,
}

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
        Self::within(Budget::WHOLE, request, input)
    }

    /// The base of a request signature that is one of several.
    #[inline]
    pub(crate) fn within(
        budget: Budget,
        request: &RequestHead<'_>,
        input: &SignatureInput<'_>,
    ) -> Result<Self, BaseError> {
        let mut text = Vec::with_capacity(likely_len(request, input.value().len()));
        let mut lines = BaseLines::new(&mut text, budget);
        let components = match input.profile_start() {
            Some((start, others)) => {
                lines.push_always(request)?;
                for (index, is_there) in start.of_body.into_iter().enumerate() {
                    if is_there {
                        lines.push_of_body(index, request)?;
                    }
                }
                others
            }
            None => input.components(),
        };
        for component in components {
            lines.push_component(&component, request)?;
        }
        let params_start = lines.finish(input.value())?;
        Ok(Self { text, params_start })
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
        let mut text = Vec::new();
        let mut lines = BaseLines::new(&mut text, Budget::WHOLE);
        for component in input.components() {
            lines.push_with_parameters(&component, |out, name, parameters, query_params| {
                push_response_value(out, name, parameters, response, query_params)
            })?;
        }
        let params_start = lines.finish(input.value())?;
        Ok(Self { text, params_start })
    }

    /// The base of the signature of a response to a request that is known by its own base.
    pub(crate) fn of_answer(
        response: &ResponseHead<'_>,
        request: AnsweredRequest<'_>,
        input: &SignatureInput<'_>,
    ) -> Result<Self, BaseError> {
        let mut text = Vec::with_capacity(1024);
        let mut lines = BaseLines::new(&mut text, Budget::WHOLE);
        for component in input.components() {
            lines.push_with_parameters(&component, |out, name, parameters, query_params| {
                if parameters.of_request {
                    let value = request.value_of_copy(&component);
                    out.extend_from_slice(value.ok_or(ValueError::Absent)?.as_bytes());
                    return Ok(());
                }
                push_response_value(out, name, parameters, response, query_params)
            })?;
        }
        let params_start = lines.finish(input.value())?;
        Ok(Self { text, params_start })
    }

    /// The text, with all values.
    #[must_use]
    pub fn as_str(&self) -> &str {
        text(&self.text)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The text, and where the value of `@signature-params` starts in it.
    pub(crate) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.text, self.params_start)
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
pub(crate) fn is_public(identifier: &str) -> bool {
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

/// Most bases are the path, the query and about twice the list of components.
fn likely_len(request: &RequestHead<'_>, params_len: usize) -> usize {
    let query_len = request.query().map_or(0, str::len);
    (request.path().len() + query_len + 2 * params_len + 256).min(MAX_BASE_LEN)
}

/// The lines of a signature base while they are written to the end of a text.
pub(crate) struct BaseLines<'t, 'r> {
    text: &'t mut Vec<u8>,
    /// How long the whole text may get.
    max_end: usize,
    query_params: QueryParams<'r>,
}

impl<'t, 'r> BaseLines<'t, 'r> {
    pub(crate) fn new(text: &'t mut Vec<u8>, budget: Budget) -> Self {
        Self {
            max_end: text.len() + budget.base_len,
            text,
            query_params: QueryParams::new(budget),
        }
    }

    /// Writes the lines of the components that every request signature covers.
    pub(crate) fn push_always(&mut self, request: &RequestHead<'r>) -> Result<(), BaseError> {
        // One by one, so that the compiler knows each name, and misses none that joins the profile.
        let [method, authority, path, query] = profile::LINES_ALWAYS;
        self.push_one_of_always(method, request)?;
        self.push_one_of_always(authority, request)?;
        self.push_one_of_always(path, request)?;
        self.push_one_of_always(query, request)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "see `push_request_value`")]
    fn push_one_of_always(
        &mut self,
        (name, start): (ComponentName<&str>, &str),
        request: &RequestHead<'r>,
    ) -> Result<(), BaseError> {
        self.text.extend_from_slice(start.as_bytes());
        let (parameters, query_params) = (Parameters::default(), &mut self.query_params);
        let written = push_request_value(self.text, name, &parameters, request, query_params);
        self.end_line(written)
            .map_err(|error| error.of_plain(name.as_str()))
    }

    /// Writes the line of one of the fields of [`profile::OF_BODY`].
    pub(crate) fn push_of_body(
        &mut self,
        index: usize,
        request: &RequestHead<'_>,
    ) -> Result<(), BaseError> {
        let field = profile::OF_BODY[index];
        let lines = request.fields().lines(field);
        self.text
            .extend_from_slice(profile::LINES_OF_BODY[index].as_bytes());
        let written = push_field(self.text, field.as_str(), &Parameters::default(), lines);
        self.end_line(written)
            .map_err(|error| error.of_plain(field.as_str()))
    }

    /// Writes the line of a component of the request.
    pub(crate) fn push_component(
        &mut self,
        component: &Component<'_>,
        request: &RequestHead<'r>,
    ) -> Result<(), BaseError> {
        self.push_with_parameters(component, |out, name, parameters, query_params| {
            push_request_value(out, name, parameters, request, query_params)
        })
    }

    /// Writes the line of one of the fields of [`profile::OF_BODY`] whose value stands in the text
    /// already.
    pub(crate) fn push_copy_of_body(&mut self, index: usize, value: Range<usize>) {
        self.text
            .extend_from_slice(profile::LINES_OF_BODY[index].as_bytes());
        self.text.extend_from_within(value);
        self.text.push(b'\n');
    }

    fn push_with_parameters(
        &mut self,
        component: &Component<'_>,
        push_value: impl FnOnce(
            &mut Vec<u8>,
            ComponentName<&str>,
            &Parameters<'_>,
            &mut QueryParams<'r>,
        ) -> Result<(), ValueError>,
    ) -> Result<(), BaseError> {
        self.text.extend_from_slice(component.identifier());
        self.text.extend_from_slice(b": ");
        let name = component.name();
        let parameters = if component.is_plain() {
            Ok(Parameters::default())
        } else {
            supported_parameters(component, name)
        };
        let query_params = &mut self.query_params;
        let written = parameters
            .and_then(|parameters| push_value(self.text, name, &parameters, query_params));
        self.end_line(written)
            .map_err(|error| error.of(component.identifier()))
    }

    fn end_line(&mut self, written: Result<(), ValueError>) -> Result<(), ValueError> {
        written?;
        self.text.push(b'\n');
        if self.text.len() > self.max_end {
            return Err(ValueError::TooLarge);
        }
        Ok(())
    }

    /// Writes the last line, with the value of the `Signature-Input` member. Returns where that
    /// value starts.
    fn finish(&mut self, params: &[u8]) -> Result<usize, BaseError> {
        self.text.extend_from_slice(SIGNATURE_PARAMS);
        let params_start = self.text.len();
        self.text.extend_from_slice(params);
        self.check_end()?;
        Ok(params_start)
    }

    /// Writes the last line, with a value that stands in the text already.
    pub(crate) fn finish_copy(self, params: Range<usize>) -> Result<(), BaseError> {
        self.text.extend_from_slice(SIGNATURE_PARAMS);
        self.text.extend_from_within(params);
        self.check_end()
    }

    fn check_end(&self) -> Result<(), BaseError> {
        if self.text.len() > self.max_end {
            return Err(ValueError::TooLarge.of_plain("@signature-params"));
        }
        Ok(())
    }
}

/// The parameters, if they fit the name.
fn supported_parameters<'a>(
    component: &Component<'a>,
    name: ComponentName<&str>,
) -> Result<Parameters<'a>, ValueError> {
    let parameters = component.parameters().ok_or(ValueError::Unsupported)?;
    let is_query_param = name == ComponentName::QueryParam;
    let is_field = matches!(name, ComponentName::Field(_));
    if parameters.query_name.is_some() != is_query_param || parameters.byte_sequence && !is_field {
        return Err(ValueError::Unsupported);
    }
    Ok(parameters)
}
