use std::hash::{BuildHasher, Hasher, RandomState};

/// The hash function for a set of MACs, each by 64 of its bits: two multiplications, with numbers that nobody outside knows.
///
/// MACs are random, but whoever holds a secret can choose among many, and must not be able to choose those that fall together in
/// the set. Nobody sees a hash, so it does not take a function that withstands being watched, such as that of the standard library,
/// which takes more than ten times the instructions.
#[derive(Clone, Copy)]
pub(super) struct MacHash {
    mask: u64,
    factor: u64,
}

impl MacHash {
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self {
            mask: random.hash_one(0),
            factor: random.hash_one(1) | 1,
        }
    }
}

impl BuildHasher for MacHash {
    type Hasher = MacHasher;

    fn build_hasher(&self) -> MacHasher {
        MacHasher {
            function: *self,
            hash: 0,
        }
    }
}

pub(super) struct MacHasher {
    function: MacHash,
    hash: u64,
}

impl Hasher for MacHasher {
    fn write_u64(&mut self, bits: u64) {
        let MacHash { mask, factor } = self.function;
        // After one multiplication, numbers in a row would still lie in a pattern.
        self.hash = folded_product(folded_product(self.hash ^ bits ^ mask, factor), factor);
    }

    /// Not called for a `u64`.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// Both halves of the product, one over the other, so that each bit depends on all bits of both factors.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half is over the low one"
)]
fn folded_product(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product ^ product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Whatever stands out in the bits of the MACs must not stand out in the hash, neither in its low bits, which say where in the set to
    /// look, nor in its high ones, which say whether to look closer.
    #[test]
    fn what_begins_or_ends_alike_is_spread() {
        const COUNT: u64 = 1 << 12;
        let function = MacHash::random();
        for shift in 0..=64 - 12 {
            let hashes: Vec<u64> = (0..COUNT)
                .map(|number| function.hash_one(number << shift))
                .collect();
            for of in [
                |hash: &u64| hash & (COUNT - 1),
                |hash: &u64| hash >> (64 - 12),
            ] {
                let distinct = hashes.iter().map(of).collect::<HashSet<_>>().len();
                // Of so many drawn at random, 2,589 are distinct.
                assert!(
                    distinct > 2_375,
                    "{distinct} of {COUNT}, shifted by {shift}"
                );
            }
        }
        for other in [
            MacHash::random(),
            MacHash {
                mask: 1,
                ..function
            },
            MacHash {
                factor: 3,
                ..function
            },
        ] {
            assert_ne!(function.hash_one(1_u64), other.hash_one(1_u64));
        }
    }
}
