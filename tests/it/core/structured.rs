//! Structured fields: our strict parser against the crate `sfv` (RFC 8941).

mod digest;
mod input;
mod signature;
