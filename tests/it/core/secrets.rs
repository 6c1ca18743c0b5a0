//! Secrets: encodings, limits, stores, and rotation while others read.

pub(crate) mod absence;
pub(crate) mod file;
pub(crate) mod rotation;
pub(crate) mod text;
