//! HTTP Message Signatures, RFC 9421: the wire syntax, and the text that is signed.
//!
//! For advanced use: to see which components a peer has covered, and to find out where two sides disagree about a message.
//! Nothing in this module proves anything; [`validate_auth`](crate::validate_auth) does.
//!
//! # Finding a mismatch
//!
//! When a MAC does not match, one of the two sides has another secret or another message. The host's view of the message is its
//! *signature base*. Compare it with the base of the consumer, line by line:
//!
//! ```
//! use hmac_auth::signature::{RequestHead, SignatureBase, SignatureInputs};
//!
//! let request = http::Request::get("https://api.example.com/orders?page=2")
//!     .header("signature-input", r#"sig1=("@method" "@authority" "@path" "@query");created=1618884473"#)
//!     .body(())?;
//! let input = SignatureInputs::new(request.headers()).next().expect("one signature")?;
//! let base = SignatureBase::of_request(&RequestHead::from(&request), &input)?;
//! assert_eq!(
//!     base.as_str(),
//!     "\"@method\": GET\n\
//!      \"@authority\": api.example.com\n\
//!      \"@path\": /orders\n\
//!      \"@query\": ?page=2\n\
//!      \"@signature-params\": (\"@method\" \"@authority\" \"@path\" \"@query\");created=1618884473"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::HeaderName;

pub(crate) use self::{
    base::{ALWAYS_LIST, SIGNATURE_PARAMS, push_always, push_field_line},
    coverage::Coverage,
    dictionary::{ByteSequences, Bytes},
    fields::{Fields, Known, Lines},
    head::Authority,
    item::{QuotedString, is_printable_ascii, push_integer, push_quoted},
    syntax::{is_key, text},
};
pub use self::{
    base::{MAX_BASE_LEN, MAX_QUERY_PARAMS, SignatureBase},
    base_error::BaseError,
    component::{Component, ComponentName},
    dictionary::MAX_FIELD_LEN,
    head::{RequestHead, ResponseHead, Scheme},
    input::{Components, SignatureInput, SignatureInputs},
    items::MAX_COMPONENTS,
    syntax::SyntaxError,
};

mod base;
mod base64;
mod base_error;
mod class;
mod component;
mod coverage;
mod dictionary;
mod fields;
mod head;
mod input;
mod item;
mod items;
mod kind;
mod query;
mod syntax;

/// The field with the covered components and the parameters of each signature.
pub const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");

/// The field with the signatures themselves.
pub const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// The field in which a host says what to sign.
pub const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");

/// The field with the digests of the body (RFC 9530).
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
