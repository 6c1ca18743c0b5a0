//! A set of ids that grows by one small bucket at a time.

/// A bucket has four lines of the cache.
const ROOM: usize = 32;

/// So many buckets are allocated together.
const BLOCK: usize = 8;

/// A set by *extendible hashing*: the low bits of an id choose an entry in the directory, and the
/// entry says which bucket has the id. A full bucket is split in two by one more bit. So no claim
/// pays for a table that grows: all ids but those of one bucket stay where they are.
///
/// An id has to be random for everybody outside, or somebody could fill one bucket.
pub(super) struct Ids {
    /// The bucket for each value of the low bits. It doubles when a bucket needs one more bit than
    /// all others, and has an entry for some eight ids.
    directory: Vec<u32>,
    /// All are full but the last one.
    blocks: Vec<Vec<Bucket>>,
    /// What is in each bucket: apart, because it is read before the bucket has come from the memory.
    fills: Vec<Fill>,
}

#[repr(align(64))]
struct Bucket([u64; ROOM]);

#[derive(Clone, Copy)]
struct Fill {
    len: u8,
    /// How many low bits all ids of the bucket have in common.
    bits: u8,
}

impl Ids {
    pub(super) fn new() -> Self {
        let mut ids = Self {
            directory: vec![0],
            blocks: Vec::new(),
            fills: Vec::new(),
        };
        ids.add(0);
        ids
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        let (bucket, fill) = self.bucket_of(id);
        let ids = &self.blocks[bucket / BLOCK][bucket % BLOCK].0;
        ids[..fill.len.into()].contains(&id)
    }

    /// Whether the id was not in the set before.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        loop {
            let (bucket, fill) = self.bucket_of(id);
            let len = usize::from(fill.len);
            let ids = self.ids_mut(bucket);
            if ids[..len].contains(&id) {
                return false;
            }
            if len < ROOM {
                ids[len] = id;
                self.fills[bucket].len += 1;
                return true;
            }
            self.split(id);
        }
    }

    pub(super) fn remove(&mut self, id: u64) {
        let (bucket, fill) = self.bucket_of(id);
        let ids = &mut self.ids_mut(bucket)[..fill.len.into()];
        if let Some(place) = ids.iter().position(|other| *other == id) {
            ids[place..].rotate_left(1);
            self.fills[bucket].len -= 1;
        }
    }

    /// Frees so many blocks at most, and says whether none is left. What was in them is gone.
    pub(super) fn free(&mut self, blocks: usize) -> bool {
        let left = self.blocks.len().saturating_sub(blocks);
        self.blocks.truncate(left);
        left == 0
    }

    fn bucket_of(&self, id: u64) -> (usize, Fill) {
        let bucket = self.directory[low_bits(id, self.directory.len())] as usize;
        (bucket, self.fills[bucket])
    }

    fn ids_mut(&mut self, bucket: usize) -> &mut [u64; ROOM] {
        &mut self.blocks[bucket / BLOCK][bucket % BLOCK].0
    }

    /// Splits the bucket of this id, which is full.
    fn split(&mut self, id: u64) {
        let (bucket, Fill { bits, .. }) = self.bucket_of(id);
        let half = 1 << bits;
        let other = self.add(bits + 1);
        self.fills[bucket] = Fill {
            len: 0,
            bits: bits + 1,
        };
        for id in *self.ids_mut(bucket) {
            let bucket = if id >> bits & 1 == 0 { bucket } else { other };
            let len = usize::from(self.fills[bucket].len);
            self.ids_mut(bucket)[len] = id;
            self.fills[bucket].len += 1;
        }
        if self.directory.len() == half {
            self.directory.extend_from_within(..);
        }
        let first = half + low_bits(id, half);
        for entry in self.directory[first..].iter_mut().step_by(2 * half) {
            *entry = u32::try_from(other).expect("fewer buckets than memory has");
        }
    }

    /// Adds an empty bucket; says which one it is.
    fn add(&mut self, bits: u8) -> usize {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            // A second with few ids takes no whole block.
            let room = if self.blocks.is_empty() { 1 } else { BLOCK };
            self.blocks.push(Vec::with_capacity(room));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(Bucket([0; ROOM]));
        }
        self.fills.push(Fill { len: 0, bits });
        self.fills.len() - 1
    }
}

/// As many low bits of the id as this power of two has values for.
#[expect(clippy::cast_possible_truncation, reason = "only low bits count")]
fn low_bits(id: u64, power: usize) -> usize {
    id as usize & (power - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// By the finaliser of `MurmurHash3`: different for each number, and with all bits used.
    fn id(number: u64) -> u64 {
        let mixed = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ mixed >> 33
    }

    #[test]
    fn it_is_a_set() {
        let (mut ids, mut expected) = (Ids::new(), HashSet::new());
        for number in 0..20_000 {
            // Each is inserted twice, and each third one is removed for good.
            for id in [id(number), id(number / 2)] {
                assert_eq!(ids.insert(id), expected.insert(id), "{number}");
            }
            if number % 3 == 0 {
                ids.remove(id(number / 2));
                expected.remove(&id(number / 2));
            }
        }
        for number in 0..40_000 {
            let id = id(number);
            assert_eq!(ids.contains(id), expected.contains(&id), "{number}");
        }
    }

    #[test]
    fn it_grows_by_small_buckets() {
        let mut ids = Ids::new();
        for number in 0..20_000 {
            ids.insert(id(number));
        }
        let room = ids.fills.len() * ROOM;
        assert!((20_000..2 * 20_000).contains(&room), "{room}");
        assert!(ids.directory.len() <= 20_000, "{}", ids.directory.len());
    }

    #[test]
    fn blocks_are_freed_bit_by_bit() {
        let mut ids = Ids::new();
        for number in 0..20_000 {
            ids.insert(id(number));
        }
        let blocks = ids.blocks.len();
        assert!(!ids.free(blocks - 1));
        assert_eq!(ids.blocks.len(), 1);
        assert!(ids.free(1));
        assert!(ids.free(1), "nothing is left to free");
    }
}
