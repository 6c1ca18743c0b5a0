//! Signing and validating: what is signed, what is refused, and what each error says.

pub(crate) mod authority;
pub(crate) mod base;
pub(crate) mod checks;
pub(crate) mod coverage;
pub(crate) mod debug;
pub(crate) mod defaults;
pub(crate) mod digest;
pub(crate) mod empty;
pub(crate) mod errors;
pub(crate) mod freshness;
pub(crate) mod head;
pub(crate) mod httpsig;
pub(crate) mod keyid;
pub(crate) mod limits;
pub(crate) mod mac;
pub(crate) mod mutation;
pub(crate) mod noise;
pub(crate) mod proof;
pub(crate) mod proxies;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod secrets;
pub(crate) mod setters;
pub(crate) mod strangers;
pub(crate) mod structured;
pub(crate) mod vectors;
