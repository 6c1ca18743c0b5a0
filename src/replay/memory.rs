//! A replay guard in memory, for one process.

use std::{
    fmt,
    hash::BuildHasher,
    sync::PoisonError,
    time::{Duration, SystemTime},
};

use self::{quotas::Quotas, shard::Shard};
use super::{guard::ReplayGuard, use_once::UseOnce};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::{
    sync::{KeyedHash, Mutex, MutexGuard},
    time::{Clock, unix_seconds, whole_seconds},
    validate::{AuthError, AuthErrorKind, ReplayId, Validated},
};

mod ids;
mod quotas;
mod shard;

/// How many signatures a guard remembers at most, unless configured: about a million.
pub const DEFAULT_REPLAY_CAPACITY: usize = 1 << 20;

/// How many of them one consumer may take up, unless configured: half. With one secret for all
/// consumers, they are one here.
pub const DEFAULT_REPLAY_CAPACITY_PER_CONSUMER: usize = DEFAULT_REPLAY_CAPACITY / 2;

/// So many that two threads seldom meet in one, and few enough to look through when the guard is
/// full. In a model, any two or three signatures are to meet.
const SHARDS: usize = if cfg!(hmac_auth_model) { 2 } else { 64 };

/// Refuses the second use of a signature, within one process.
///
/// Remembers each signature for as long as the host would accept it again, in one set for each
/// second of `created`. The guard drops a set as a whole when its signatures are stale, and evicts
/// nothing before that: a full guard refuses with 503. Give routes with another
/// [`max_time_diff`](crate::ValidateOptions::max_time_diff) a guard of their own.
///
/// ```
/// # use hmac_auth::*;
/// # fn handle(
/// #     request: &http::Request<Vec<u8>>,
/// #     secrets: &MemorySecrets,
/// #     options: &ValidateOptions,
/// #     guard: &MemoryReplayGuard,
/// # ) -> Result<(), AuthError> {
/// let validated = validate_auth(request, secrets, options)
///     .and_then(|validated| guard.first_use(validated))?;
/// # Ok(()) }
/// ```
///
/// The MAC identifies a signature. A consumer without a `nonce` makes the same signature for two
/// equal requests within one second, and the guard refuses the second one. This crate always sends a
/// `nonce`. A request that carries two signatures for this host counts once for each.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`capacity`](Self::capacity) | [`DEFAULT_REPLAY_CAPACITY`], 1,048,576 |
/// | [`capacity_per_consumer`](Self::capacity_per_consumer) | [`DEFAULT_REPLAY_CAPACITY_PER_CONSUMER`], 524,288 |
/// | start | signatures made in a second before that of the start are refused |
/// | [`started_at`](Self::started_at) | the present, by the clock of the system or of [`with_clock`](Self::with_clock) |
///
/// # Memory
///
/// A remembered signature takes about 14 bytes at 50,000 a second, 17 at 10,000, and 53 at 1,000: the
/// guard has 64 parts, and each of them begins a table in each second. The first signature of a
/// further consumer there takes 16 bytes more. No claim waits for a large piece of memory, or clears
/// up after many consumers.
///
/// The guard keeps 64 bits of a signature, under a random key of its own, and compares them within
/// one second of `created`. So two different signatures of one second are taken for the same one
/// with odds of 1 in 2⁶⁴. At 50,000 requests a second, that refuses one honest request in about 470
/// years. Nobody can aim at it, because nobody outside knows the key.
///
/// # Restarts
///
/// A new guard does not know what the last one has seen. By default, it refuses every signature
/// made in a second before that of its own start. So honest consumers are served at once, if their
/// clocks do not run behind. Two kinds of requests can still be replayed after a restart: those
/// from earlier in the same second, and those of a consumer whose clock runs ahead of the host's.
/// [`refuse_until`](Self::refuse_until) closes the first gap with zero, and both gaps with the
/// skew.
///
/// If the clock of the host was ahead at the start, the guard refuses every signature until the
/// present has come to that start. The reason of such a refusal says so. Correct the clock, then
/// start the host again. What the host accepted while its clock was ahead can be replayed after
/// that, unless [`started_at`](Self::started_at) names the end of that time.
///
/// If several processes behind one load balancer each have a guard of their own, a request can be
/// replayed once to each of them. Let them share a guard, behind a
/// [`TwoLevelReplayGuard`](crate::TwoLevelReplayGuard).
pub struct MemoryReplayGuard {
    shards: Box<[OwnLines<Mutex<Shard>>]>,
    quotas: Quotas,
    /// The keyed hash function of the standard library, with a key that nobody outside knows.
    fingerprints: KeyedHash,
    /// In seconds since 1970.
    start: i64,
    early: Early,
    #[cfg(feature = "metrics")]
    name: Option<std::sync::Arc<str>>,
}

/// Has its lines of the cache to itself, also where the processor reads two at once.
#[derive(Default)]
#[repr(align(128))]
struct OwnLines<T>(T);

/// What becomes of signatures that could have been used before the start.
#[derive(Clone, Copy)]
enum Early {
    /// Those made in a second before that of the start are refused.
    RefusedBeforeStart,
    /// Those made up to so many seconds after the start are refused.
    RefusedUntil(i64),
    Accepted,
}

impl Default for MemoryReplayGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryReplayGuard {
    /// A guard that starts now, by the clock of the system.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(|| Clock::default().now())
    }

    /// A guard that starts now, by this clock. It never reads that of the system.
    ///
    /// Take the [clock of the options](crate::ValidateOptions::clock). The guard reads it once, here:
    /// afterwards, each proof has the time of its validation. The guard that a layer makes for
    /// itself starts by the clock of its options.
    #[must_use]
    pub fn with_clock(clock: impl FnOnce() -> SystemTime) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| OwnLines::default()).collect(),
            quotas: Quotas::new(),
            fingerprints: KeyedHash::default(),
            start: unix_seconds(clock()),
            early: Early::RefusedBeforeStart,
            #[cfg(feature = "metrics")]
            name: None,
        }
    }

    /// How many signatures are remembered at most; more are refused with 503.
    #[must_use]
    pub fn capacity(mut self, signatures: usize) -> Self {
        self.quotas.capacity = signatures;
        self
    }

    /// How many signatures of one [consumer](Validated::consumer) are remembered at most, so that
    /// one cannot take the room of all others.
    #[must_use]
    pub fn capacity_per_consumer(mut self, signatures: usize) -> Self {
        self.quotas.capacity_per_consumer = signatures;
        self
    }

    /// Starts as if at this time.
    #[must_use]
    pub fn started_at(mut self, time: SystemTime) -> Self {
        self.start = unix_seconds(time);
        self
    }

    /// Strict: also refuses signatures whose `created` is up to `max_clock_skew` after the start.
    /// They could have been used before the start.
    ///
    /// The cost: for that long after each start, every consumer with a right clock is refused with
    /// 401.
    #[must_use]
    pub fn refuse_until(mut self, max_clock_skew: Duration) -> Self {
        self.early = Early::RefusedUntil(whole_seconds(max_clock_skew));
        self
    }

    /// Also accepts signatures made before the start, each once.
    ///
    /// # Security
    ///
    /// Every request of the last [`max_time_diff`](crate::ValidateOptions::max_time_diff) can be
    /// replayed after a restart.
    #[must_use]
    pub fn accept_replays_across_restarts(mut self) -> Self {
        self.early = Early::Accepted;
        self
    }

    /// Names the guard in the metrics, as the value of the label `guard`: for a process that has
    /// several guards.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn metrics_name(mut self, name: impl Into<std::sync::Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Records how full the guard is.
    ///
    /// The guard itself does that at the first signature of each second, and when it is full. Call
    /// this method at the start, so that the values are there before the first request.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        metrics::record_guard(self.name.as_ref(), self.len(), self.max_len());
    }

    /// Gives the proof back if this is the first use of its signature, and remembers it.
    ///
    /// If several threads call this with the same signature, exactly one call succeeds.
    ///
    /// # Errors
    ///
    /// - [`AuthErrorKind::Replayed`] if the signature was used before.
    /// - [`AuthErrorKind::BeforeGuardStart`] if it was made when this guard did not yet remember,
    ///   or no longer.
    /// - [`AuthErrorKind::ReplayGuardFull`] if it cannot be remembered.
    pub fn first_use(&self, validated: Validated) -> Result<Validated, AuthError> {
        self.remember(validated.replay_id(), validated.consumer())
            .map(|()| validated)
    }

    pub(super) fn remember(&self, id: &ReplayId, consumer: &str) -> Result<(), AuthError> {
        if id.created() <= self.last_refused() {
            return Err(self.before_start(id));
        }
        let fingerprint = self.fingerprint(id);
        // Only a guard that seems full looks for places in the other shards, and then tries again.
        for last_try in [false, true] {
            let mut shard = self.shard_of(fingerprint);
            if shard.claim(id, fingerprint, consumer, &self.quotas)? {
                #[cfg(feature = "metrics")]
                if shard.has_one_of(id.created()) {
                    drop(shard);
                    self.record_metrics();
                }
                return Ok(());
            }
            drop(shard);
            if !last_try {
                for shard in &self.shards {
                    lock(shard).give_back(id.validated_at(), consumer, &self.quotas);
                }
            }
        }
        #[cfg(feature = "metrics")]
        self.record_metrics();
        Err(AuthErrorKind::ReplayGuardFull.into())
    }

    /// The error of [`remember`](Self::remember), as far as it is known without remembering.
    fn known_error(&self, id: &ReplayId) -> Option<AuthError> {
        if id.created() <= self.last_refused() {
            return Some(self.before_start(id));
        }
        let fingerprint = self.fingerprint(id);
        self.shard_of(fingerprint).known_error(id, fingerprint)
    }

    /// 64 bits for a signature, of 128 bits of its MAC. Nobody outside can foretell them.
    fn fingerprint(&self, id: &ReplayId) -> u64 {
        let half = id.as_bytes().first_chunk().copied();
        self.fingerprints
            .hash_one(u128::from_le_bytes(half.unwrap_or_default()))
    }

    /// High bits choose the shard, and low ones the place in it.
    fn shard_of(&self, fingerprint: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(fingerprint >> 56) as usize % SHARDS])
    }

    /// The last second whose signatures could have been used before the start.
    fn last_refused(&self) -> i64 {
        match self.early {
            Early::RefusedBeforeStart => self.start.saturating_sub(1),
            Early::RefusedUntil(seconds) => self.start.saturating_add(seconds),
            Early::Accepted => i64::MIN,
        }
    }

    /// Names whose clock it is, and what helps.
    ///
    /// A start in the future stays where it is. While its clock was ahead, the host may have
    /// accepted signatures of any second up to the start, which an earlier start would accept again.
    fn before_start(&self, id: &ReplayId) -> AuthError {
        let ahead = self.start.saturating_sub(id.validated_at());
        let early = self.start.saturating_sub(id.created());
        let detail = match self.early {
            _ if ahead > 0 => format!(
                "the guard was started {ahead} s in the future: the clock of this host was ahead \
                 then, or is behind now; correct it, then restart the host"
            ),
            Early::RefusedUntil(seconds) if early <= 0 => format!(
                "`refuse_until` refuses what was made up to {seconds} s after the start: sign anew"
            ),
            _ => format!(
                "made {early} s before the start of the guard: sign anew; if this stays, the clock \
                 of the consumer is behind"
            ),
        };
        AuthError::new(AuthErrorKind::BeforeGuardStart).detail(detail)
    }

    /// How many signatures are remembered. Those whose time is over count until a further request
    /// comes to their part of the guard, or until the guard needs their places.
    ///
    /// To watch the guard of a layer, give the layer a clone of an `Arc` of the guard:
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
    /// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
    /// use std::sync::Arc;
    ///
    /// use hmac_auth::MemoryReplayGuard;
    ///
    /// let guard = Arc::new(MemoryReplayGuard::new());
    /// let layer = ValidateAuthLayer::new(secrets, options)
    ///     .replay_guard(Arc::clone(&guard));
    /// println!("{} of {} places taken", guard.len(), guard.max_len());
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// How many signatures are remembered at most: the [`capacity`](Self::capacity).
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.quotas.capacity
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn lock(shard: &OwnLines<Mutex<Shard>>) -> MutexGuard<'_, Shard> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReplayGuard for MemoryReplayGuard {
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce {
        UseOnce::ready(self.remember(id, consumer))
    }

    fn known_refusal(&self, id: &ReplayId) -> Option<AuthError> {
        self.known_error(id)
    }
}

impl fmt::Debug for MemoryReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayGuard")
            .field("len", &self.len())
            .field("consumers", &self.quotas.consumers())
            .field("capacity", &self.quotas.capacity)
            .field("capacity_per_consumer", &self.quotas.capacity_per_consumer)
            .finish_non_exhaustive()
    }
}
