//! The heads of requests and responses, as they are signed. A host's own policy is not part of
//! them.

#[cfg(feature = "tracing")]
pub(crate) use self::authority::escape_authority;
pub(crate) use self::{
    authority::Authority,
    fields::{Fields, KnownField, Lines},
};
pub use self::{
    authority::{AuthorityError, Scheme},
    fields::{ACCEPT_SIGNATURE, CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    request::RequestHead,
    response::ResponseHead,
};

mod authority;
mod fields;
mod request;
mod response;
