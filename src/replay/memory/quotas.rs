//! The places of a guard, and which consumer has taken how many.

use std::{collections::HashMap, hash::BuildHasher, sync::PoisonError};

use super::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER};
use crate::sync::{Arc, AtomicUsize, FastHash, Ordering, RwLock, RwLockReadGuard};

/// It is shared by the map and the quota of a consumer.
type Name = std::sync::Arc<str>;

type Consumers = HashMap<Name, Arc<Quota>, FastHash>;

/// All places of a guard.
pub(super) struct Quotas {
    pub(super) capacity: usize,
    pub(super) capacity_per_consumer: usize,
    taken: AtomicUsize,
    /// The consumers of whom a signature is remembered.
    consumers: RwLock<Consumers>,
    names: FastHash,
}

/// The places that one consumer has taken.
struct Quota {
    consumer: Name,
    taken: AtomicUsize,
}

/// The places that each consumer has taken in one second, by the hash of its name: nearly all have
/// few.
#[derive(Default)]
pub(super) struct Counts(Vec<Count>);

struct Count {
    name_hash: u32,
    taken: u32,
    quota: Arc<Quota>,
}

impl Counts {
    /// Where the count of this consumer is, or has to be.
    fn find(&self, name_hash: u32, consumer: &str) -> Result<usize, usize> {
        let first = self.0.partition_point(|count| count.name_hash < name_hash);
        let same_hash = self.0[first..]
            .iter()
            .take_while(|count| count.name_hash == name_hash);
        let place = same_hash
            .zip(first..)
            .find(|(count, _)| *count.quota.consumer == *consumer);
        place.map(|(_, place)| place).ok_or(first)
    }
}

impl Quotas {
    pub(super) fn new() -> Self {
        Self {
            capacity: DEFAULT_REPLAY_CAPACITY,
            capacity_per_consumer: DEFAULT_REPLAY_CAPACITY_PER_CONSUMER,
            taken: AtomicUsize::new(0),
            consumers: RwLock::default(),
            names: FastHash::default(),
        }
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many consumers have taken a place.
    pub(super) fn consumers(&self) -> usize {
        self.read().len()
    }

    /// Takes a place for this consumer; says whether there was one.
    ///
    /// A consumer that is known in this second is found without what all threads share but the
    /// counters.
    pub(super) fn take(&self, counts: &mut Counts, consumer: &str) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "a part of a hash")]
        let name_hash = self.names.hash_one(consumer) as u32;
        match counts.find(name_hash, consumer) {
            Ok(place) => {
                let count = &mut counts.0[place];
                let taken = self.reserve(&count.quota);
                count.taken += u32::from(taken);
                taken
            }
            Err(place) => {
                let quota = self.quota_of(consumer);
                let taken = self.reserve(&quota);
                if taken {
                    let count = Count {
                        name_hash,
                        taken: 1,
                        quota,
                    };
                    counts.0.insert(place, count);
                } else {
                    self.drop_unused(quota);
                }
                taken
            }
        }
    }

    /// Gives all places of a second back.
    pub(super) fn give_back(&self, counts: Counts) {
        for Count { taken, quota, .. } in counts.0 {
            let taken = taken as usize;
            quota.taken.fetch_sub(taken, Ordering::Relaxed);
            self.taken.fetch_sub(taken, Ordering::Relaxed);
            self.drop_unused(quota);
        }
    }

    /// Takes one place in the guard and in the share of the consumer, or neither.
    fn reserve(&self, quota: &Quota) -> bool {
        let take = |counter: &AtomicUsize, limit| {
            counter
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                    (count < limit).then_some(count + 1)
                })
                .is_ok()
        };
        // In this order, a consumer without a place of its own takes none from another, not even
        // for a moment.
        if !take(&quota.taken, self.capacity_per_consumer) {
            return false;
        }
        let taken = take(&self.taken, self.capacity);
        if !taken {
            quota.taken.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    fn read(&self) -> RwLockReadGuard<'_, Consumers> {
        self.consumers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn quota_of(&self, consumer: &str) -> Arc<Quota> {
        if let Some(quota) = self.read().get(consumer) {
            return Arc::clone(quota);
        }
        let mut consumers = self
            .consumers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let consumer: Name = consumer.into();
        let quota = consumers.entry(Name::clone(&consumer)).or_insert_with(|| {
            Arc::new(Quota {
                consumer,
                taken: AtomicUsize::new(0),
            })
        });
        Arc::clone(quota)
    }

    /// Drops the quota of a consumer of whom nothing is remembered: consumers come and go.
    fn drop_unused(&self, quota: Arc<Quota>) {
        let consumer = Name::clone(&quota.consumer);
        // First, so that a thread which gives the last place back finds nobody else with it.
        drop(quota);
        let has_none = |quota: &Arc<Quota>| quota.taken.load(Ordering::Relaxed) == 0;
        if !self.read().get(&consumer).is_some_and(has_none) {
            return;
        }
        let mut consumers = self
            .consumers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Another thread that has it may be about to take a place. Under the lock, none else gets
        // it.
        let is_unused = |quota: &Arc<Quota>| Arc::strong_count(quota) == 1 && has_none(quota);
        if consumers.get(&consumer).is_some_and(is_unused) {
            consumers.remove(&consumer);
        }
    }
}
