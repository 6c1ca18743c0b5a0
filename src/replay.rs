//! Accepting each signature once.

#[cfg(feature = "redis")]
pub use self::redis::{DEFAULT_REDIS_MARGIN, DEFAULT_REDIS_TIME_LIMIT, RedisReplayGuard};
pub use self::{
    guard::ReplayGuard,
    memory::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, MemoryReplayGuard},
    two_levels::TwoLevelReplayGuard,
    use_once::{AcceptOnce, UseOnce},
};

mod guard;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod two_levels;
mod use_once;
