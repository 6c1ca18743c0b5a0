//! What these tests share: proofs, and a server of Redis.

pub(crate) mod proof;
pub(crate) mod server;
