//! Signed responses (RFC 9421 section 2.4): the host signs its answer to a validated request, and
//! the consumer validates that answer.
//!
//! Both sides know the request by the signature base that it was proven with. So a signature of a
//! response covers copies of all that the signature of the request covers, and nobody keeps the
//! request itself.

#[cfg(feature = "tower")]
pub(crate) use self::content::is_without_content;
#[cfg(any(feature = "client", feature = "tower"))]
pub(crate) use self::verified_response::VerifiedResponse;
pub use self::{
    error::{ResponseError, ResponseErrorKind},
    sign::{sign_response, sign_response_parts},
    sign_error::SignResponseError,
    sign_options::SignResponseOptions,
    validate::{validate_response, validate_response_parts},
    validate_options::ValidateResponseOptions,
    validated_response::ValidatedResponse,
};

mod content;
mod error;
mod sign;
mod sign_error;
mod sign_options;
mod validate;
mod validate_options;
mod validated_response;
mod verified_response;
