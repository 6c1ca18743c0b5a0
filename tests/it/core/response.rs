//! Signed responses: what a host signs, and what a consumer refuses.

pub(crate) mod accept_signature;
pub(crate) mod accepted;
pub(crate) mod changed;
pub(crate) mod form;
pub(crate) mod signing;
