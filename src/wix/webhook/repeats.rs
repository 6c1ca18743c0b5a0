//! The events that the queue has taken: each goes there once, however often Wix sends it.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use super::{
    event::WebhookEvent,
    webhook_queue::{NotQueued, WebhookQueue},
};
use crate::crypto::Sha256;

/// The default number of events that are remembered: 65,536, in about 6 MiB.
pub const DEFAULT_REMEMBERED_WEBHOOKS: usize = 65_536;

/// Remembers the latest events, up to the capacity.
pub(super) struct Repeats {
    taken: Mutex<Taken>,
    capacity: usize,
}

/// The keys of the events.
#[derive(Default)]
struct Taken {
    ids: HashSet<[u8; 32]>,
    /// The oldest one first.
    order: VecDeque<[u8; 32]>,
}

/// What became of an event.
#[derive(Debug)]
pub(super) enum Outcome {
    Queued,
    Repeated,
}

impl Repeats {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            taken: Mutex::default(),
            capacity: capacity.max(1),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Hands the event to the queue, unless the queue has taken the same event before.
    ///
    /// The lock is held while the queue decides: of two equal events at the same time, the second
    /// one waits until it is known whether the queue has taken the first one.
    pub(super) fn queue_once(
        &self,
        event: WebhookEvent,
        queue: &dyn WebhookQueue,
    ) -> Result<Outcome, NotQueued> {
        let id = key(&event);
        // After a panic of a queue, its event is not among those that were taken.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.ids.contains(&id) {
            return Ok(Outcome::Repeated);
        }
        queue.try_queue(event)?;
        taken.ids.insert(id);
        taken.order.push_back(id);
        if taken.order.len() > self.capacity {
            if let Some(oldest) = taken.order.pop_front() {
                taken.ids.remove(&oldest);
            }
        }
        Ok(Outcome::Queued)
    }
}

/// The hash of the ids of an event and of its installation: it has one length, whatever Wix sends.
///
/// Several apps may share an endpoint. Each of their installations on a site gets the same event.
fn key(event: &WebhookEvent) -> [u8; 32] {
    let mut hash = Sha256::new();
    let installation = event.instance_id().unwrap_or_default();
    // With its length, no text can move into its neighbour.
    hash.update(&(installation.len() as u64).to_be_bytes());
    hash.update(installation.as_bytes());
    hash.update(event.id().as_bytes());
    hash.finish()
}
