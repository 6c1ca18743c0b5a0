//! Times: windows, extremes, and where a time comes from.

pub(crate) mod extremes;
pub(crate) mod source;
pub(crate) mod window;
