//! Refusals in the words of gRPC.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Whether these are the headers of a gRPC call.
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Turns a refusal into a "Trailers-Only" response of the gRPC protocol, with one of its codes.
///
/// A client of gRPC would read the body as a message, so the head alone carries the refusal.
pub(super) fn to_trailers_only(response: &mut Response<Bytes>) {
    let code = match response.status() {
        StatusCode::UNAUTHORIZED => "16",     // UNAUTHENTICATED
        StatusCode::PAYLOAD_TOO_LARGE => "8", // RESOURCE_EXHAUSTED
        StatusCode::BAD_REQUEST => "13",      // INTERNAL
        _ => "14",                            // UNAVAILABLE
    };
    *response.body_mut() = Bytes::new();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from_static(code));
}
