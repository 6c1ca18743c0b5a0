//! HTTP Message Signatures, RFC 9421: the wire syntax, and the text that is signed.
//!
//! For advanced use: see which components a peer has covered, and find out where two sides disagree
//! about a message. Nothing in this module proves anything; [`validate_auth`](crate::validate_auth)
//! does.
//!
//! # Finding a mismatch
//!
//! When a MAC does not match, the two sides have different secrets or different messages. The
//! host's view of the message is its *signature base*. Compare it with the base of the consumer,
//! line by line:
//!
//! ```
//! use hmac_auth::signature::{RequestHead, SignatureBase, SignatureInputs};
//!
//! let url = "https://api.example.com/orders?page=2";
//! let input = "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\")\
//!              ;created=1618884473";
//! let request = http::Request::get(url)
//!     .header("signature-input", input)
//!     .body(())?;
//! let mut inputs = SignatureInputs::new(request.headers());
//! let input = inputs.next().expect("one signature")?;
//! let head = RequestHead::from(&request);
//! let base = SignatureBase::of_request(&head, &input)?;
//! assert_eq!(
//!     base.as_str(),
//!     "\"@method\": GET\n\
//!      \"@authority\": api.example.com\n\
//!      \"@path\": /orders\n\
//!      \"@query\": ?page=2\n\
//!      \"@signature-params\": \
//!      (\"@method\" \"@authority\" \"@path\" \"@query\");created=1618884473"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) use self::{
    accept_signature::AskedSignatures,
    answered_request::AnsweredRequest,
    base::{BaseLines, is_public},
    budget::Budget,
    coverage::Coverage,
    error::ascii_remedy,
    member::{MemberWriter, push_signature},
    span::Span,
    unchecked_input::SignedValue,
};
pub use self::{
    base::{MAX_BASE_LEN, MAX_QUERY_PAIRS, MAX_QUERY_PARAMS, SignatureBase},
    component::{Component, ComponentName},
    component_list::Components,
    error::BaseError,
    input::{SignatureInput, SignatureInputs},
    profile::MAX_COMPONENTS,
};
pub use crate::{
    message::{
        ACCEPT_SIGNATURE, AuthorityError, CONTENT_DIGEST, RequestHead, ResponseHead, SIGNATURE,
        SIGNATURE_INPUT, Scheme,
    },
    structured::{MAX_FIELD_LEN, SyntaxError},
};

mod accept_signature;
mod answered_request;
mod base;
mod budget;
mod component;
mod component_list;
mod coverage;
mod error;
mod input;
mod member;
pub(crate) mod profile;
mod query_param;
mod span;
mod unchecked_input;
mod value;
