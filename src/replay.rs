//! Accepting each signature once.

pub use self::{
    guard::ReplayGuard,
    memory::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, MemoryReplayGuard},
    use_once::{AcceptOnce, UseOnce},
};

mod guard;
mod memory;
mod use_once;
