//! A directory of consumers behind a cache, for one that is asked over a network.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use moka::sync::Cache;

use self::{
    flights::Flights,
    known::{Known, Limits},
    look_up::Recalled,
};
use crate::{
    time::{Clock, Moment},
    validate::{AuthErrorKind, ConsumerDirectory, FindConsumer},
};

mod flights;
mod known;
mod look_up;

/// How long an answer counts without being confirmed, unless configured: 30 s.
pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(30);

/// How long a consumer can at most be accepted after it was revoked, unless configured: 2 min.
pub const DEFAULT_REVOCATION_TIME: Duration = Duration::from_secs(120);

/// How many consumers are remembered, unless configured.
pub const DEFAULT_DIRECTORY_CAPACITY: u64 = 100_000;

/// How many look-ups are in flight at most, unless configured.
pub const DEFAULT_MAX_LOOK_UPS: usize = 64;

/// How many unknown ids are remembered: peers choose them.
const MAX_REFUSED: u64 = 1_024;

/// How long the directory is left alone about an id after it has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long no request waits for the directory about an id after the directory has failed; at most the
/// time to live.
const FAILURE_COUNTS: Duration = Duration::from_secs(10);

/// Longer than anything is remembered.
const FOR_EVER: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Remembers the answers of a [`ConsumerDirectory`], so that nearly every request finds its consumer
/// at once.
///
/// ```
/// use std::time::Duration;
///
/// use hmac_auth::{CachedDirectory, ConsumerDirectory};
///
/// fn cached(database: impl ConsumerDirectory + 'static) -> impl ConsumerDirectory {
///     CachedDirectory::new(database)
///         .time_to_live(Duration::from_secs(10))
///         .revocation_time(Duration::from_secs(60))
/// }
/// ```
///
/// | the id | the cache |
/// | --- | --- |
/// | is known for less than three quarters of the [`time_to_live`](Self::time_to_live) | answers at once |
/// | is known for less than the whole of it | answers at once. In a runtime of tokio, it asks the directory in the background. |
/// | is known for longer | asks the directory. If that fails, it gives the last good answer, until the [`revocation_time`](Self::revocation_time) is over. After a failure, nobody waits for 10 s, or the time to live if it is shorter: in a runtime of tokio, the cache asks in the background, once a second. |
/// | was unknown up to 1 s ago | answers at once |
/// | was never seen, or is forgotten | asks the directory |
///
/// So a consumer that was added is accepted after 1 s at the latest. One that was revoked is refused
/// after the time to live, and while the directory is down after the revocation time.
/// [`forget`](Self::forget) revokes it at once.
///
/// Requests for one id share one look-up. At most [`max_look_ups`](Self::max_look_ups) are in flight,
/// and ids that were never seen get a quarter of them: a peer without a secret keeps no consumer
/// waiting that was found before. Look-ups in the background leave a quarter free. What is beyond that
/// is refused with 503. The cache does not limit the time of a look-up: the directory does.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`time_to_live`](Self::time_to_live) | [`DEFAULT_TIME_TO_LIVE`], 30 s |
/// | [`revocation_time`](Self::revocation_time) | [`DEFAULT_REVOCATION_TIME`], 2 min |
/// | [`capacity`](Self::capacity) | [`DEFAULT_DIRECTORY_CAPACITY`], 100,000 |
/// | [`max_look_ups`](Self::max_look_ups) | [`DEFAULT_MAX_LOOK_UPS`], 64 |
/// | [`clock`](Self::clock) | the clock of the system |
///
/// # Rotation
///
/// Give the consumer's new secret to the host first, beside the previous one. Wait for the time to
/// live, then give it to the consumer. A wrong MAC never makes the cache ask: a peer could else make
/// the directory work.
///
/// A clone shares the cache.
pub struct CachedDirectory<D> {
    inner: Arc<Inner<D>>,
}

struct Inner<D> {
    directory: Arc<D>,
    options: Options,
    known: Cache<Arc<str>, Arc<Known>>,
    /// The ids of consumers, also of those whose secrets have left the memory.
    seen: Cache<Arc<str>, ()>,
    /// Ids of nobody, or of somebody who was revoked.
    refused: Cache<Arc<str>, Refused>,
    flights: Flights,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Refused {
    since: Moment,
    /// `None` if nobody has the id.
    kind: Option<AuthErrorKind>,
}

#[derive(Clone)]
struct Options {
    time_to_live: Duration,
    revocation_time: Duration,
    capacity: u64,
    max_look_ups: usize,
    clock: Clock,
}

impl Options {
    /// How long an answer can count at most.
    fn longest(&self) -> Duration {
        self.revocation_time.max(self.time_to_live).min(FOR_EVER)
    }
}

impl<D: ConsumerDirectory + 'static> CachedDirectory<D> {
    /// A cache with the defaults in front of `directory`.
    #[must_use]
    pub fn new(directory: D) -> Self {
        Self::with(
            Arc::new(directory),
            Options {
                time_to_live: DEFAULT_TIME_TO_LIVE,
                revocation_time: DEFAULT_REVOCATION_TIME,
                capacity: DEFAULT_DIRECTORY_CAPACITY,
                max_look_ups: DEFAULT_MAX_LOOK_UPS,
                clock: Clock::default(),
            },
        )
    }

    fn with(directory: Arc<D>, options: Options) -> Self {
        let known = Cache::builder().max_capacity(options.capacity);
        let known = match options.clock {
            // Secrets do not stay in memory longer than they can be used.
            Clock::System => known.time_to_live(options.longest()).build(),
            // The cache measures the time that passes outside, not that of another clock.
            Clock::Given(_) | Clock::Fixed(_) => known.build(),
        };
        Self {
            inner: Arc::new(Inner {
                directory,
                known,
                seen: Cache::new(options.capacity),
                refused: Cache::new(MAX_REFUSED),
                flights: Flights::new(options.max_look_ups),
                limits: Limits::new(options.time_to_live, options.longest()),
                options,
            }),
        }
    }

    fn set(&self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = self.inner.options.clone();
        change(&mut options);
        Self::with(Arc::clone(&self.inner.directory), options)
    }

    /// How long an answer counts without being confirmed: the time after which a revoked consumer is
    /// refused, and a new secret accepted.
    #[must_use]
    pub fn time_to_live(self, duration: Duration) -> Self {
        self.set(|options| options.time_to_live = duration)
    }

    /// How long the last good answer counts while the directory cannot be asked, from the start of
    /// the look-up that gave it. At least the time to live.
    ///
    /// # Security
    ///
    /// A consumer that was revoked during such an outage is accepted for that long.
    #[must_use]
    pub fn revocation_time(self, duration: Duration) -> Self {
        self.set(|options| options.revocation_time = duration)
    }

    /// How many consumers are remembered at most.
    #[must_use]
    pub fn capacity(self, consumers: u64) -> Self {
        self.set(|options| options.capacity = consumers)
    }

    /// How many look-ups are in flight at most. Ids that were never seen get a quarter of them, and
    /// at least one.
    #[must_use]
    pub fn max_look_ups(self, look_ups: usize) -> Self {
        self.set(|options| options.max_look_ups = look_ups)
    }

    /// Takes the present from this clock, and never from the system. A clock that is set back makes
    /// no answer younger than it was when a request last needed it: what the clock cannot date is
    /// looked up anew.
    ///
    /// The default reads both clocks of the system: the one that somebody can set, and the one that
    /// nobody can set. The greater age counts.
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.set(|options| options.clock = options.clock.clone().given(clock))
    }

    /// Forgets what is known about a key id, at once: for a consumer that was revoked or changed.
    ///
    /// The answer of a look-up that began before is discarded, and the directory is asked again.
    pub fn forget(&self, key_id: &str) {
        self.inner.flights.forget(key_id, || {
            self.inner.known.invalidate(key_id);
            self.inner.refused.invalidate(key_id);
        });
    }
}

impl<D: ConsumerDirectory + 'static> ConsumerDirectory for CachedDirectory<D> {
    fn find(&self, key_id: &str) -> FindConsumer {
        let recalled = self.inner.recall(key_id);
        if let Recalled::Answer(found) = recalled {
            return FindConsumer::ready(found);
        }
        let (inner, key_id) = (Arc::clone(&self.inner), Arc::from(key_id));
        FindConsumer::pending(async move {
            if let Recalled::While(known) = recalled {
                inner.ask_without_waiting(key_id, &known).await
            } else {
                inner.ask(key_id).await
            }
        })
    }
}

impl<D> Clone for CachedDirectory<D> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<D> fmt::Debug for CachedDirectory<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedDirectory")
            .field("known", &self.inner.known.entry_count())
            .field("time_to_live", &self.inner.options.time_to_live)
            .field("revocation_time", &self.inner.options.revocation_time)
            .finish_non_exhaustive()
    }
}
