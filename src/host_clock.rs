//! What is known of the clocks of hosts: a consumer whose own clock is wrong can sign by theirs.
//!
//! The `Date` of a refusal is the only hint, and nobody has signed it. So it counts only for `https`,
//! within limits, for one more try, and is kept only if that try was a success.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub(crate) use self::request_time::RequestTime;

mod date;
#[cfg(feature = "tracing")]
mod events;
mod request_time;

/// How far an own clock may be wrong to be corrected, in seconds.
const MAX_OFFSET: i64 = 5 * 60;

/// How many hosts are remembered. Beyond that, the host that was corrected first is forgotten.
const MAX_HOSTS: usize = 64;

/// Corrections that were proven by a success, one for each authority. Shared by all who send.
pub(crate) struct HostClocks {
    allows_future: bool,
    known: Mutex<VecDeque<Known>>,
}

struct Known {
    authority: Arc<str>,
    /// In seconds, to add to the own clock; never zero.
    offset: i64,
}

impl HostClocks {
    /// Corrections into the past.
    pub(crate) fn into_the_past() -> Arc<Self> {
        Self::new(false)
    }

    /// Corrections in both directions.
    pub(crate) fn into_the_future() -> Arc<Self> {
        Self::new(true)
    }

    fn new(allows_future: bool) -> Arc<Self> {
        Arc::new(Self {
            allows_future,
            known: Mutex::default(),
        })
    }

    /// Zero if the clock of this host is not known to differ.
    fn offset(&self, authority: &str) -> i64 {
        let known = self.lock();
        let mut offsets = known.iter().filter(|known| *known.authority == *authority);
        offsets.next().map_or(0, |known| known.offset)
    }

    /// Says whether that is new.
    fn keep(&self, authority: &Arc<str>, offset: i64) -> bool {
        let mut all = self.lock();
        if let Some(known) = all.iter_mut().find(|known| known.authority == *authority) {
            let is_new = known.offset != offset;
            known.offset = offset;
            return is_new;
        }
        if all.len() == MAX_HOSTS {
            all.pop_front();
        }
        all.push_back(Known {
            authority: Arc::clone(authority),
            offset,
        });
        true
    }

    /// Forgets this correction, and no newer one. Says whether it was there.
    fn forget(&self, authority: &str, offset: i64) -> bool {
        let mut all = self.lock();
        let before = all.len();
        all.retain(|known| *known.authority != *authority || known.offset != offset);
        all.len() < before
    }

    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
