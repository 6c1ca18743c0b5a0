//! The answer to a refused request, for the peer.

use http::{HeaderValue, Response, StatusCode};

use super::{error::AuthError, options::ValidateOptions};
use crate::{
    answer::refusal_response,
    message::ACCEPT_SIGNATURE,
    signature::{ComponentName, Coverage, MemberWriter, profile::DEFAULT_LABEL},
};

impl AuthError {
    /// The JSON body for the peer, the same for all errors with the same [`status`](Self::status).
    #[must_use]
    pub fn public_body(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => r#"{"error":"Invalid authentication token"}"#,
            StatusCode::PAYLOAD_TOO_LARGE => r#"{"error":"Payload too large"}"#,
            StatusCode::BAD_REQUEST => r#"{"error":"Incomplete body"}"#,
            _ => r#"{"error":"Authentication unavailable"}"#,
        }
    }

    /// The response for the peer: the status, the JSON body, and how to do better.
    ///
    /// A 401 has `WWW-Authenticate`, and an `Accept-Signature` with what the `options` ask for. A
    /// 503 has `Retry-After`. `.map(Body::from)` makes the response one of axum or of any other
    /// server.
    ///
    /// `Accept-Signature` is the same for all requests. So it also lists `content-digest`, which a
    /// request without a body does not need, and the fields of
    /// [`require_if_present`](ValidateOptions::require_if_present), which a request may not have.
    #[must_use]
    pub fn to_response(&self, options: &ValidateOptions) -> Response<&'static str> {
        let mut response = refusal_response(self.status(), self.public_body(), "Signature");
        if self.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(ACCEPT_SIGNATURE, accept_signature(options));
        }
        response
    }
}

/// The components and parameters that a consumer should sign (RFC 9421 section 5.1).
fn accept_signature(options: &ValidateOptions) -> HeaderValue {
    let parts = Coverage::ALWAYS | options.required_parts() | Coverage::CONTENT_DIGEST;
    let mut text = Vec::with_capacity(256);
    let mut member = MemberWriter::new(&mut text, DEFAULT_LABEL);
    let mut names: Vec<&str> = parts.names().collect();
    let of_host = options.required_fields();
    for name in of_host.chain(options.fields_required_if_present()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        member.component(ComponentName::new(name));
    }
    member.end_components();
    member.flag("created");
    member.algorithm();
    if let Some(tag) = options.required_tag() {
        member.string("tag", tag);
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("sig1=()"))
}
