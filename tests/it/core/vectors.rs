//! Known answers of others. A failure names the step, the base or the MAC.

pub(crate) mod base;
pub(crate) mod digest;
pub(crate) mod mac;
