use std::{
    future::Future,
    hash::Hash,
    time::{Duration, Instant, SystemTime},
};

use moka::{Expiry, future::Cache, ops::compute::Op};

use crate::wix::{ElevationError, ElevationErrorKind};

/// How many answers are kept; of more, those that are used least are asked for again.
const CAPACITY: u64 = 10_000;

/// Values that are asked for once, by the first who needs them, and used until they expire.
#[derive(Clone)]
pub(super) struct Fresh<K, V>(Cache<K, Entry<V>>);

#[derive(Clone)]
pub(super) struct Entry<V> {
    pub(super) value: V,
    pub(super) until: SystemTime,
}

impl<V> Entry<V> {
    fn is_usable(&self) -> bool {
        crate::time::now() < self.until
    }
}

impl<K, V> Fresh<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(CAPACITY)
                .expire_after(UntilUnusable)
                .build(),
        )
    }

    /// The value of `key`, which is asked for if there is none that is usable. All who wait for one key share one answer, also if
    /// it is an error; only values are kept. If the one who asks gives up, the next one asks.
    pub(super) async fn get<F>(&self, key: K, ask: impl Fn() -> F) -> Result<V, ElevationError>
    where
        F: Future<Output = Result<Entry<V>, ElevationError>>,
    {
        // Twice, because the first may find an entry that is not usable any more.
        for _ in 0..2 {
            let entry = self
                .0
                .try_get_with(key.clone(), ask())
                .await
                .map_err(|error| ElevationError::clone(&error))?;
            if entry.is_usable() {
                return Ok(entry.value);
            }
            self.remove_unusable(key.clone()).await;
        }
        Err(ElevationError::new(ElevationErrorKind::Unavailable)
            .detail("its answer had expired on arrival"))
    }

    /// The cache measures time with another clock, which may stand still while the machine sleeps. It is the one of the token
    /// that counts.
    async fn remove_unusable(&self, key: K) {
        let remove = async |entry: Option<moka::Entry<K, Entry<V>>>| match entry {
            Some(entry) if !entry.value().is_usable() => Op::Remove,
            _ => Op::Nop,
        };
        self.0.entry(key).and_compute_with(remove).await;
    }
}

struct UntilUnusable;

impl UntilUnusable {
    fn remaining<V>(entry: &Entry<V>) -> Duration {
        entry
            .until
            .duration_since(crate::time::now())
            .unwrap_or_default()
    }
}

impl<K, V> Expiry<K, Entry<V>> for UntilUnusable {
    fn expire_after_create(&self, _: &K, entry: &Entry<V>, _: Instant) -> Option<Duration> {
        Some(Self::remaining(entry))
    }

    fn expire_after_update(
        &self,
        _: &K,
        entry: &Entry<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Self::remaining(entry))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_executor::block_on;

    use super::*;

    fn after(millis: u64) -> SystemTime {
        crate::time::now() + Duration::from_millis(millis)
    }

    /// A cache that never expires anything by itself.
    fn forgetful() -> Fresh<u8, u32> {
        Fresh(Cache::new(CAPACITY))
    }

    #[test]
    fn an_unusable_entry_is_replaced_even_if_the_cache_still_has_it() {
        let fresh = forgetful();
        block_on(fresh.0.insert(
            1,
            Entry {
                value: 1,
                until: after(0),
            },
        ));
        let asked = AtomicU32::new(1);
        let ask = || async {
            let value = asked.fetch_add(1, Ordering::Relaxed) + 1;
            Ok(Entry {
                value,
                until: after(60_000),
            })
        };
        assert_eq!(block_on(fresh.get(1, ask)).unwrap(), 2);
        assert_eq!(block_on(fresh.get(1, ask)).unwrap(), 2);
    }

    #[test]
    fn a_usable_entry_is_not_removed() {
        let fresh = forgetful();
        block_on(fresh.0.insert(
            1,
            Entry {
                value: 1,
                until: after(60_000),
            },
        ));
        block_on(fresh.remove_unusable(1));
        assert!(block_on(fresh.0.get(&1)).is_some());
    }

    #[test]
    fn what_is_never_usable_is_an_error_and_not_kept() {
        let fresh = Fresh::new();
        let error = block_on(fresh.get(1, || async {
            Ok(Entry {
                value: (),
                until: after(0),
            })
        }))
        .unwrap_err();
        assert_eq!(error.kind(), ElevationErrorKind::Unavailable);
        assert!(block_on(fresh.0.get(&1)).is_none());
    }

    #[test]
    fn entries_do_not_stay() {
        let fresh = Fresh::new();
        assert_eq!(fresh.0.policy().max_capacity(), Some(CAPACITY));
        block_on(fresh.0.insert(
            1,
            Entry {
                value: (),
                until: after(500),
            },
        ));
        assert!(block_on(fresh.0.get(&1)).is_some());
        std::thread::sleep(Duration::from_millis(510));
        assert!(block_on(fresh.0.get(&1)).is_none());
    }
}
