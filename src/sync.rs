//! Locks, counters and random hash functions: those of the standard library and of `foldhash`. In
//! `tests/model`, those of `loom`, and a function that is the same in each run.

#[cfg(not(hmac_auth_model))]
pub(crate) use {
    foldhash::fast::RandomState as FastHash,
    std::{
        collections::hash_map::RandomState as KeyedHash,
        sync::{
            Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
            atomic::{AtomicU64, AtomicUsize, Ordering},
        },
    },
};
#[cfg(hmac_auth_model)]
pub(crate) use {
    loom::sync::{
        Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    same_hash::{SameHash as KeyedHash, SameHash as FastHash},
};

#[cfg(hmac_auth_model)]
mod same_hash {
    use std::hash::{BuildHasherDefault, DefaultHasher};

    pub(crate) type SameHash = BuildHasherDefault<DefaultHasher>;
}
