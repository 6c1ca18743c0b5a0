//! Secrets: encodings, limits, stores, and rotation while others read.

pub(crate) mod absence;
pub(crate) mod accident;
pub(crate) mod change;
pub(crate) mod file;
pub(crate) mod fingerprint;
pub(crate) mod load;
pub(crate) mod name;
pub(crate) mod outage;
pub(crate) mod rotation;
pub(crate) mod text;
