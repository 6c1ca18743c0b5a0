//! Which responses have no content, whatever their fields say.

use http::StatusCode;

use crate::signature::AnsweredRequest;

/// Whether a response to this request ends with its head (RFC 9110 section 6.4.1). Its
/// `Content-Digest`, if it has one, is then that of another response.
pub(crate) fn is_without_content(request: AnsweredRequest<'_>, status: StatusCode) -> bool {
    match request.value("@method") {
        Some("HEAD") => true,
        Some("CONNECT") if status.is_success() => true,
        _ => {
            status.is_informational()
                || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        }
    }
}
