//! A cache for tokens and for the answers of Token Info. Each value stays while it is usable.

use std::{
    future::Future,
    hash::Hash,
    time::{Duration, Instant, SystemTime},
};

use moka::{Expiry, future::Cache, ops::compute::Op};

use super::error::{ElevationError, ElevationErrorKind};
use crate::time::Clock;

/// The most values that one cache holds. Beyond that, the values that are used least are dropped.
const CAPACITY: u64 = 10_000;

/// Values that the first caller asks for, and that all callers use until they expire.
#[derive(Clone)]
pub(super) struct TokenCache<K, V> {
    cache: Cache<K, Cached<V>>,
    clock: Clock,
}

#[derive(Clone)]
pub(super) struct Cached<V> {
    pub(super) value: V,
    pub(super) usable_until: SystemTime,
}

impl<V> Cached<V> {
    fn is_usable(&self, now: SystemTime) -> bool {
        now < self.usable_until
    }
}

impl<K, V> TokenCache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(clock: Clock) -> Self {
        let cache = Cache::builder().max_capacity(CAPACITY);
        let cache = match clock {
            Clock::System => cache.expire_after(UntilUnusable).build(),
            // The cache measures the time that passes outside, not that of another clock.
            Clock::Given(_) | Clock::Fixed(_) => cache.build(),
        };
        Self { cache, clock }
    }

    /// The value of `key`. If the cache has no usable one, `ask` gets it.
    ///
    /// Concurrent calls with one key share one answer, and also one error. The cache keeps values
    /// and no errors. If the caller that asks gives up, the next caller asks.
    pub(super) async fn get<F>(&self, key: K, ask: impl Fn() -> F) -> Result<V, ElevationError>
    where
        F: Future<Output = Result<Cached<V>, ElevationError>>,
    {
        // The first attempt may find a value that is not usable any more.
        for _ in 0..2 {
            let cached = self
                .cache
                .try_get_with(key.clone(), ask())
                .await
                .map_err(|error| ElevationError::clone(&error))?;
            if cached.is_usable(self.clock.now()) {
                return Ok(cached.value);
            }
            self.remove_unusable(key.clone()).await;
        }
        Err(ElevationError::new(ElevationErrorKind::Unavailable)
            .detail("its answer had expired on arrival"))
    }

    /// The value of `key`, if the cache has a usable one.
    #[cfg(feature = "tower")]
    pub(super) async fn find(&self, key: &K) -> Option<V> {
        let cached = self.cache.get(key).await?;
        let is_usable = cached.is_usable(self.clock.now());
        is_usable.then_some(cached.value)
    }

    /// Keeps a value that nobody has asked for with [`get`](Self::get).
    #[cfg(feature = "tower")]
    pub(super) async fn keep(&self, key: K, value: Cached<V>) {
        self.cache.insert(key, value).await;
    }

    /// Removes a value that the cache still holds after its end.
    ///
    /// The cache measures time with another clock, which may stand still while the machine sleeps.
    /// Only the clock of `usable_until` counts.
    async fn remove_unusable(&self, key: K) {
        let now = self.clock.now();
        self.remove_if(key, |cached| !cached.is_usable(now)).await;
    }

    /// Removes the value of `key` if `is_meant` says so. The value of a later answer may stay.
    pub(super) async fn remove_if(&self, key: K, is_meant: impl Fn(&Cached<V>) -> bool) {
        let remove = async |entry: Option<moka::Entry<K, Cached<V>>>| match entry {
            Some(entry) if is_meant(entry.value()) => Op::Remove,
            _ => Op::Nop,
        };
        self.cache.entry(key).and_compute_with(remove).await;
    }
}

/// Drops each value when it is no longer usable by the clock of the system.
struct UntilUnusable;

impl UntilUnusable {
    fn remaining<V>(cached: &Cached<V>) -> Duration {
        cached
            .usable_until
            .duration_since(Clock::System.now())
            .unwrap_or_default()
    }
}

impl<K, V> Expiry<K, Cached<V>> for UntilUnusable {
    fn expire_after_create(&self, _: &K, cached: &Cached<V>, _: Instant) -> Option<Duration> {
        Some(Self::remaining(cached))
    }

    fn expire_after_update(
        &self,
        _: &K,
        cached: &Cached<V>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Self::remaining(cached))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_executor::block_on;

    use super::*;

    fn after(millis: u64) -> SystemTime {
        Clock::System.now() + Duration::from_millis(millis)
    }

    /// A cache that never expires anything by itself.
    fn forgetful() -> TokenCache<u8, u32> {
        TokenCache {
            cache: Cache::new(CAPACITY),
            clock: Clock::System,
        }
    }

    #[test]
    fn an_unusable_entry_is_replaced_even_if_the_cache_still_has_it() {
        let tokens = forgetful();
        block_on(tokens.cache.insert(
            1,
            Cached {
                value: 1,
                usable_until: after(0),
            },
        ));
        let asked = AtomicU32::new(1);
        let ask = || async {
            let value = asked.fetch_add(1, Ordering::Relaxed) + 1;
            Ok(Cached {
                value,
                usable_until: after(60_000),
            })
        };
        assert_eq!(block_on(tokens.get(1, ask)).unwrap(), 2);
        assert_eq!(block_on(tokens.get(1, ask)).unwrap(), 2);
    }

    #[test]
    fn a_usable_entry_is_not_removed() {
        let tokens = forgetful();
        block_on(tokens.cache.insert(
            1,
            Cached {
                value: 1,
                usable_until: after(60_000),
            },
        ));
        block_on(tokens.remove_unusable(1));
        assert!(block_on(tokens.cache.get(&1)).is_some());
    }

    #[test]
    fn what_is_never_usable_is_an_error_and_not_kept() {
        let tokens = TokenCache::new(Clock::System);
        let error = block_on(tokens.get(1, || async {
            Ok(Cached {
                value: (),
                usable_until: after(0),
            })
        }))
        .unwrap_err();
        assert_eq!(error.kind(), ElevationErrorKind::Unavailable);
        assert!(block_on(tokens.cache.get(&1)).is_none());
    }

    #[test]
    fn entries_do_not_stay() {
        let tokens = TokenCache::new(Clock::System);
        assert_eq!(tokens.cache.policy().max_capacity(), Some(CAPACITY));
        let insert = |key, millis| {
            let usable_until = after(millis);
            let value = ();
            block_on(tokens.cache.insert(
                key,
                Cached {
                    value,
                    usable_until,
                },
            ));
        };
        insert(1, 500);
        // Another answer takes the place of one that lasts longer.
        insert(2, 60_000);
        insert(2, 500);
        for key in [1, 2] {
            assert!(block_on(tokens.cache.get(&key)).is_some());
        }
        std::thread::sleep(Duration::from_millis(510));
        for key in [1, 2] {
            assert!(block_on(tokens.cache.get(&key)).is_none());
        }
    }
}
