//! Signing and sending with reqwest, against hosts that validate what arrives.

mod clock;
mod request;
mod response;
mod retry;
mod trace;
mod url;
