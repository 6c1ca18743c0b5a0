//! The heads of requests and responses, as they are signed. A host's own policy is not part of
//! them.

pub(crate) use self::{
    authority::{Authority, escape_authority},
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
