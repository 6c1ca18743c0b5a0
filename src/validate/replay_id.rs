//! The identity of a validated request, for replay guards.

use std::fmt;

use crate::crypto::Mac;

/// The identity of a validated request among all that could be replayed: its decoded MAC, and how
/// long a guard has to remember it.
///
/// Two spellings of one signature have the same id. Two different requests have different ids.
/// `Debug` shows no part of the MAC.
#[derive(Clone)]
pub struct ReplayId {
    pub(super) mac: Mac,
    pub(super) created: i64,
    pub(super) fresh_until: i64,
    pub(super) validated_at: i64,
}

impl ReplayId {
    /// The 32 bytes, for a guard outside this crate.
    ///
    /// # Security
    ///
    /// This is the MAC. A reader of it can replay the request, while it is fresh, to a host without
    /// a guard.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.mac.as_bytes()
    }

    /// When the signature was made, in seconds since 1970: authenticated, and at most
    /// [`max_clock_skew`](crate::ValidateOptions::max_clock_skew) in the future.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.created
    }

    /// The last second, since 1970, in which the host could accept the signature again. A guard may
    /// forget the id afterwards, with a margin for its own latency.
    ///
    /// If you read the body between [`Claim::verify_head`](crate::Claim::verify_head) and the
    /// guard, do not ask the guard later than this. The layers of `tower` check that.
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
        f.debug_struct("ReplayId")
            .field("created", &self.created)
            .field("fresh_until", &self.fresh_until)
            .finish_non_exhaustive()
    }
}
