//! A set of ids that grows in small steps.

use std::mem;

/// How many ids a bucket has on average, at most. A claim looks through one bucket.
const MEAN: usize = 16;

/// For how many more ids a bucket gets room at once.
const ROOM: usize = 8;

/// A set by *linear hashing*: when the buckets are full on average, one of them is split in two, in
/// turn. So no claim pays for a table that grows, and a bucket has little more room than ids.
///
/// An id has to be random for everybody outside, or somebody could fill one bucket.
#[derive(Default)]
pub(super) struct Ids {
    buckets: Vec<Vec<u64>>,
    len: usize,
}

impl Ids {
    pub(super) fn contains(&self, id: u64) -> bool {
        !self.buckets.is_empty() && self.buckets[self.bucket_of(id)].contains(&id)
    }

    /// Whether the id was not in the set before.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        if self.len >= MEAN * self.buckets.len() {
            self.split_one();
        }
        let index = self.bucket_of(id);
        let bucket = &mut self.buckets[index];
        if bucket.contains(&id) {
            return false;
        }
        if bucket.len() == bucket.capacity() {
            bucket.reserve_exact(ROOM);
        }
        bucket.push(id);
        self.len += 1;
        true
    }

    pub(super) fn remove(&mut self, id: u64) {
        let index = self.bucket_of(id);
        let bucket = &mut self.buckets[index];
        if let Some(place) = bucket.iter().position(|other| *other == id) {
            bucket.swap_remove(place);
            self.len -= 1;
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Frees so many buckets at most, and says whether none is left. What was in them is gone.
    pub(super) fn free(&mut self, buckets: usize) -> bool {
        let left = self.buckets.len().saturating_sub(buckets);
        self.buckets.truncate(left);
        left == 0
    }

    /// As many low bits of the id count as number the buckets. One fewer counts where the bucket
    /// with all of them is not there yet.
    fn bucket_of(&self, id: u64) -> usize {
        let mask = self.buckets.len().next_power_of_two() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "only low bits count")]
        let index = id as usize & mask;
        if index < self.buckets.len() {
            index
        } else {
            index & (mask >> 1)
        }
    }

    /// Adds a bucket, with the ids of an earlier one that have one more bit.
    fn split_one(&mut self) {
        let added = self.buckets.len();
        let Some(bit) = added.checked_ilog2() else {
            self.buckets.push(Vec::new());
            return;
        };
        let half = 1 << bit;
        let bucket = &mut self.buckets[added - half];
        let (moved, mut kept): (Vec<u64>, Vec<u64>) = mem::take(bucket)
            .into_iter()
            .partition(|id| (id >> bit) & 1 == 1);
        kept.shrink_to(kept.len() + ROOM);
        *bucket = kept;
        self.buckets.push(moved);
    }
}
