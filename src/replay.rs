//! Accepting each signature once.

use std::fmt;

use crate::crypto::Mac;

pub use self::memory::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, MemoryReplayGuard};

mod memory;

/// What identifies a validated request among all that could be replayed: its MAC, decoded, and how long that is worth
/// remembering.
///
/// Two spellings of one signature have the same id, and no two requests have. `Debug` shows no part of the MAC.
#[derive(Clone)]
pub struct ReplayId {
    pub(crate) mac: Mac,
    pub(crate) created: i64,
    pub(crate) fresh_until: i64,
    pub(crate) validated_at: i64,
}

impl ReplayId {
    /// The 32 bytes, for a guard outside this crate.
    ///
    /// # Security
    ///
    /// This is the MAC: whoever reads it where no guard is used can replay the request while it is fresh.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.mac
    }

    /// When the signature was made, in seconds since 1970: authenticated, and at most
    /// [`max_clock_skew`](crate::ValidateOptions::max_clock_skew) in the future.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.created
    }

    /// The last second, since 1970, in which the host would accept the signature again: a guard may forget it afterwards.
    #[must_use]
    pub fn fresh_until(&self) -> i64 {
        self.fresh_until
    }

    /// The second, since 1970, for which the request was validated.
    #[must_use]
    pub fn validated_at(&self) -> i64 {
        self.validated_at
    }
}

impl fmt::Debug for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayId").field("created", &self.created).field("fresh_until", &self.fresh_until).finish_non_exhaustive()
    }
}
