//! The places of a guard, and which consumer has taken how many.

use std::{collections::HashMap, hash::BuildHasher, mem, sync::PoisonError};

use super::{DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, SHARDS};
use crate::sync::{
    Arc, AtomicUsize, FastHash, Ordering, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

/// How many places a shard takes at once, at most, for a consumer that claims again and again.
const RESERVE: u32 = 64;

/// It is shared by the map and the quota of a consumer.
type Name = std::sync::Arc<str>;

type Consumers = HashMap<Name, Arc<Quota>, FastHash>;

/// All places of a guard.
pub(super) struct Quotas {
    pub(super) capacity: usize,
    pub(super) capacity_per_consumer: usize,
    /// With the places in reserve.
    taken: AtomicUsize,
    /// The consumers of whom a signature is remembered, in parts by the hash of the name: so a map
    /// that grows moves few of them.
    consumers: Box<[RwLock<Consumers>]>,
    names: FastHash,
}

/// The places that one consumer has taken, with those in reserve.
struct Quota {
    consumer: Name,
    taken: AtomicUsize,
}

/// The places that each consumer has taken in one second, by the hash of its name: nearly all have
/// few.
#[derive(Default)]
pub(super) struct Counts {
    by_name: Vec<Count>,
    /// Which of them took a place last.
    last: usize,
    /// Places that are taken for that consumer, and have nothing in them yet: so a thread seldom
    /// changes the counters that all threads share.
    reserve: u32,
}

struct Count {
    name_hash: u32,
    /// With the places in reserve.
    taken: u32,
    quota: Arc<Quota>,
}

impl Counts {
    #[cfg(feature = "metrics")]
    pub(super) fn is_one(&self) -> bool {
        matches!(self.by_name[..], [Count { taken: 1, .. }])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Where the count of this consumer is, or has to be.
    fn find(&self, name_hash: u32, consumer: &str) -> Result<usize, usize> {
        let first = self
            .by_name
            .partition_point(|count| count.name_hash < name_hash);
        let same_hash = self.by_name[first..]
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
            consumers: (0..SHARDS).map(|_| RwLock::default()).collect(),
            names: FastHash::default(),
        }
    }

    /// How many consumers have taken a place.
    pub(super) fn consumers(&self) -> usize {
        self.consumers.iter().map(|part| read(part).len()).sum()
    }

    /// Takes a place for this consumer; says whether there was one.
    ///
    /// A consumer that is known in this second is found without what all threads share.
    pub(super) fn take(&self, counts: &mut Counts, consumer: &str, may_reserve: bool) -> bool {
        let name_hash = self.name_hash(consumer);
        match counts.find(name_hash, consumer) {
            Ok(place) => self.take_again(counts, place, may_reserve),
            Err(place) => {
                let quota = self.quota_of(consumer);
                if self.reserve(&quota, 1) == 0 {
                    self.drop_unused(quota);
                    return false;
                }
                self.give_reserve_back(counts);
                let count = Count {
                    name_hash,
                    taken: 1,
                    quota,
                };
                counts.by_name.insert(place, count);
                counts.last = place;
                true
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a part of a hash")]
    fn name_hash(&self, consumer: &str) -> u32 {
        self.names.hash_one(consumer) as u32
    }

    /// Takes a place for a consumer that has one in this second.
    fn take_again(&self, counts: &mut Counts, place: usize, may_reserve: bool) -> bool {
        // Where consumers take turns, each takes one place.
        let wanted = if counts.last == place && may_reserve {
            RESERVE
        } else {
            1
        };
        if counts.last != place {
            self.give_reserve_back(counts);
            counts.last = place;
        }
        let count = &mut counts.by_name[place];
        if counts.reserve == 0 {
            counts.reserve = self.reserve(&count.quota, wanted);
            count.taken += counts.reserve;
        }
        let is_taken = counts.reserve > 0;
        if is_taken {
            counts.reserve -= 1;
        }
        is_taken
    }

    /// Gives the places back that nothing is in yet.
    pub(super) fn give_reserve_back(&self, counts: &mut Counts) {
        let reserve = mem::take(&mut counts.reserve);
        if reserve > 0 {
            let count = &mut counts.by_name[counts.last];
            count.taken -= reserve;
            self.free(&count.quota, reserve);
        }
    }

    /// Gives all places of a second back to the guard; says how many had something in them.
    ///
    /// Those of the consumers follow piece by piece, because there may be many consumers.
    pub(super) fn give_back(&self, counts: &mut Counts) -> usize {
        self.give_reserve_back(counts);
        let used = counts.by_name.iter().map(|count| count.taken as usize);
        let used = used.sum();
        self.taken.fetch_sub(used, Ordering::Relaxed);
        used
    }

    /// Gives this consumer its places of a second back that the guard has back already.
    pub(super) fn give_back_of(&self, counts: &mut Counts, consumer: &str) {
        if let Ok(place) = counts.find(self.name_hash(consumer), consumer) {
            let Count { taken, quota, .. } = &mut counts.by_name[place];
            let places = mem::take(taken) as usize;
            quota.taken.fetch_sub(places, Ordering::Relaxed);
        }
    }

    /// As [`give_back_of`](Self::give_back_of), for so many consumers at most, and forgets their
    /// counts; says how many they were.
    pub(super) fn give_back_some(&self, counts: &mut Counts, consumers: usize) -> usize {
        let left = counts.by_name.len().saturating_sub(consumers);
        let some = counts.by_name.drain(left..);
        let len = some.len();
        for Count { taken, quota, .. } in some {
            quota.taken.fetch_sub(taken as usize, Ordering::Relaxed);
            self.drop_unused(quota);
        }
        len
    }

    fn free(&self, quota: &Quota, places: u32) {
        let places = places as usize;
        quota.taken.fetch_sub(places, Ordering::Relaxed);
        self.taken.fetch_sub(places, Ordering::Relaxed);
    }

    /// Takes so many places at most, both in the guard and in the share of the consumer; says how
    /// many.
    fn reserve(&self, quota: &Quota, wanted: u32) -> u32 {
        // In this order, a consumer without a place of its own takes none from another, not even
        // for a moment.
        let own = take_of(&quota.taken, self.capacity_per_consumer, wanted);
        if own == 0 {
            return 0;
        }
        let taken = take_of(&self.taken, self.capacity, own);
        if taken < own {
            let too_many = (own - taken) as usize;
            quota.taken.fetch_sub(too_many, Ordering::Relaxed);
        }
        taken
    }

    /// The part that has this consumer, if any has.
    fn part_of(&self, consumer: &str) -> &RwLock<Consumers> {
        &self.consumers[self.name_hash(consumer) as usize % SHARDS]
    }

    fn quota_of(&self, consumer: &str) -> Arc<Quota> {
        let part = self.part_of(consumer);
        if let Some(quota) = read(part).get(consumer) {
            return Arc::clone(quota);
        }
        let mut consumers = write(part);
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
        let part = self.part_of(&consumer);
        if !read(part).get(&consumer).is_some_and(has_none) {
            return;
        }
        let mut consumers = write(part);
        // Another thread that has it may be about to take a place. Under the lock, none else gets
        // it.
        let is_unused = |quota: &Arc<Quota>| Arc::strong_count(quota) == 1 && has_none(quota);
        if consumers.get(&consumer).is_some_and(is_unused) {
            consumers.remove(&consumer);
        }
    }
}

fn read(part: &RwLock<Consumers>) -> RwLockReadGuard<'_, Consumers> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(part: &RwLock<Consumers>) -> RwLockWriteGuard<'_, Consumers> {
    part.write().unwrap_or_else(PoisonError::into_inner)
}

/// Takes so many places at most, and the fewer, the fewer are left: the last ones are taken one by
/// one. Says how many.
fn take_of(counter: &AtomicUsize, limit: usize, wanted: u32) -> u32 {
    let most = |taken: usize| {
        let left = limit.saturating_sub(taken);
        let share = u32::try_from(left / (2 * SHARDS)).unwrap_or(wanted);
        if left == 0 { 0 } else { share.clamp(1, wanted) }
    };
    let more = |taken| match most(taken) {
        0 => None,
        more => Some(taken + more as usize),
    };
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .map_or(0, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_has_one_count_in_a_second() {
        let (quotas, mut counts) = (Quotas::new(), Counts::default());
        for _ in 0..3 {
            for consumer in 0..100 {
                assert!(quotas.take(&mut counts, &format!("site-{consumer}"), false));
            }
        }
        assert_eq!(counts.by_name.len(), 100);
        assert!(counts.by_name.is_sorted_by_key(|count| count.name_hash));
        assert_eq!(quotas.give_back(&mut counts), 300);
    }
}
