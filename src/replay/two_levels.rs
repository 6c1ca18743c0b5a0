//! A guard in memory in front of a guard that several hosts share.

use std::fmt;

use super::{guard::ReplayGuard, memory::MemoryReplayGuard, use_once::UseOnce};
use crate::validate::{AuthError, ReplayId};

/// Asks the memory of this host first, and then a guard that all hosts share.
///
/// A replay to the same host costs no round trip, and is refused before its body is read. The shared
/// guard decides about each other request.
///
/// ```
/// use hmac_auth::{
///     MemoryReplayGuard, MemorySecrets, ReplayGuard, TwoLevelReplayGuard,
///     ValidateOptions, tower::ValidateAuthLayer,
/// };
///
/// fn layer(shared: impl ReplayGuard + 'static) -> ValidateAuthLayer {
///     let guard = TwoLevelReplayGuard::new(MemoryReplayGuard::new(), shared);
///     ValidateAuthLayer::new(MemorySecrets::new(), ValidateOptions::new())
///         .replay_guard(guard)
/// }
/// ```
///
/// # What each level does
///
/// - The memory refuses a signature that this host has seen, whatever became of it then. If the
///   shared guard failed, or the consumer hung up meanwhile, the signature stays used here. So the
///   consumer signs anew, and no request can be accepted twice.
/// - The memory has the quotas: [`capacity`](MemoryReplayGuard::capacity) and
///   [`capacity_per_consumer`](MemoryReplayGuard::capacity_per_consumer). If one of them is full,
///   the request is refused with 503, and the shared guard is not asked. So the quotas also limit
///   how fast one consumer can fill the shared guard. A place is free again when the window of its
///   signature is over, and the shared guard may remember for longer.
/// - The start of this process does not matter: the shared guard knows what was used before. So a
///   fresh process accepts at once what was signed before its start, such as the request that has
///   started it.
/// - A refusal that the shared guard [knows at once](ReplayGuard::known_refusal) comes first, such as
///   that of `RedisReplayGuard::distrust_before`.
///
/// # Security
///
/// The shared guard must remember across the starts of this process, and across its own. If it can
/// lose what it has accepted, as Redis can in a failover, tell it so: see the page *several hosts* of
/// the guide.
pub struct TwoLevelReplayGuard {
    memory: MemoryReplayGuard,
    shared: Box<dyn ReplayGuard>,
}

impl TwoLevelReplayGuard {
    /// A guard that asks `memory` first, and then `shared`.
    ///
    /// Of `memory`, only the capacities and the name count: its start does not. To change `shared`
    /// later, give an `Arc` or a clone of it.
    #[must_use]
    pub fn new(memory: MemoryReplayGuard, shared: impl ReplayGuard + 'static) -> Self {
        Self {
            // No replay is accepted by that: the shared guard remembers.
            memory: memory.accept_replays_across_restarts(),
            shared: Box::new(shared),
        }
    }

    /// The level in memory, to see how full it is.
    #[must_use]
    pub fn memory(&self) -> &MemoryReplayGuard {
        &self.memory
    }
}

impl ReplayGuard for TwoLevelReplayGuard {
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce {
        // It takes no place in memory.
        if let Some(refusal) = self.shared.known_refusal(id) {
            return UseOnce::ready(Err(refusal));
        }
        match self.memory.remember(id, consumer) {
            Ok(()) => self.shared.use_once(id, consumer),
            Err(refusal) => UseOnce::ready(Err(refusal)),
        }
    }

    fn known_refusal(&self, id: &ReplayId) -> Option<AuthError> {
        let known = self.shared.known_refusal(id);
        known.or_else(|| self.memory.known_refusal(id))
    }
}

impl fmt::Debug for TwoLevelReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoLevelReplayGuard")
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}
