//! The two texts of a refusal: one line for the operator, one HTTP answer for the peer.

use std::{error::Error as StdError, fmt};

use http::{HeaderValue, Response, StatusCode, header};

/// Makes the HTTP answer for the peer.
///
/// A 401 has a challenge of the `scheme`, as RFC 9110 section 15.5.2 asks. A 503 says when the peer
/// may try again. No cache stores a refusal, whatever its status.
pub(crate) fn refusal_response(
    status: StatusCode,
    body: &'static str,
    scheme: &'static str,
) -> Response<&'static str> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"))
        }
        _ => None,
    };
    response
}

/// Writes an error that has a source; `{:#}` writes the sources too, all in one line.
pub(crate) fn write_with_source(
    f: &mut fmt::Formatter<'_>,
    sentence: &str,
    source: &(dyn StdError + 'static),
) -> fmt::Result {
    write_error(f, sentence, None::<&str>, Some(source))
}

/// Writes an error for the operator; `{:#}` writes the sources too, all in one line.
pub(crate) fn write_error(
    f: &mut fmt::Formatter<'_>,
    sentence: &str,
    detail: Option<impl fmt::Display>,
    source: Option<&(dyn StdError + 'static)>,
) -> fmt::Result {
    f.write_str(sentence)?;
    if let Some(detail) = detail {
        write!(f, ": {detail}")?;
    }
    let mut source = source.filter(|_| f.alternate());
    while let Some(error) = source {
        write!(f, ": {error}")?;
        source = error.source();
    }
    Ok(())
}
