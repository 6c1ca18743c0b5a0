//! What these tests share: proofs, a server of Redis, and what stands in for a broken one.

pub(crate) mod failing;
pub(crate) mod log;
pub(crate) mod proof;
pub(crate) mod proxy;
pub(crate) mod recording;
pub(crate) mod server;
pub(crate) mod stand_in;
