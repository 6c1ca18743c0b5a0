//! Validating a response: the consumer's side.

use http::{Response, response};

use super::{
    error::ResponseError, validate_options::ValidateResponseOptions,
    validated_response::ValidatedResponse, verified_response::VerifiedResponse,
};
use crate::{message::ResponseHead, sign::SentRequest};

/// Validates the response to a signed request, before the consumer does anything with it.
///
/// The checks, in this order: the size and shape of the signature fields; that nonce, key id and tag
/// are those of the request; that the signature covers the status, what says what the body is and
/// means, and copies of all that the request has covered; that it is fresh; the MAC, under the
/// secret that has signed the request; the digest of the body.
///
/// [`sign_response`](crate::sign_response) has an example.
///
/// # Errors
///
/// [`ResponseError`]. A response without a signature is an error too: call this function only where
/// the host signs.
///
/// # Security
///
/// A host signs no refusal. [`ResponseErrorKind::UnsignedRefusal`] is therefore what a 401 or a 503
/// of the host looks like, and also what anybody on the way can write: retry, but believe nothing.
///
/// The body must be as it was sent. Switch off what decompresses it before this call.
///
/// If two sides share one secret and both are hosts, an attacker could send a request of a side back
/// to this side. Each of them must list its own
/// [`authorities`](crate::ValidateOptions::authorities), which refuses that.
///
/// [`ResponseErrorKind::UnsignedRefusal`]: crate::ResponseErrorKind::UnsignedRefusal
pub fn validate_response<B: AsRef<[u8]>>(
    response: &Response<B>,
    request: &SentRequest,
    options: &ValidateResponseOptions,
) -> Result<ValidatedResponse, ResponseError> {
    let head = ResponseHead::from(response);
    validate(head, response.body().as_ref(), request, options)
}

/// Validates a response whose body has another type: [`validate_response`] over the head and the
/// bytes that were received.
///
/// # Errors
///
/// [`ResponseError`].
pub fn validate_response_parts(
    parts: &response::Parts,
    body: &[u8],
    request: &SentRequest,
    options: &ValidateResponseOptions,
) -> Result<ValidatedResponse, ResponseError> {
    validate(ResponseHead::from(parts), body, request, options)
}

fn validate(
    head: ResponseHead<'_>,
    body: &[u8],
    request: &SentRequest,
    options: &ValidateResponseOptions,
) -> Result<ValidatedResponse, ResponseError> {
    let mut verified = VerifiedResponse::verify(&head, request, options)?;
    verified.update(body);
    verified.finish()
}
