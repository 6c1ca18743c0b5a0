//! A directory of consumers behind a cache, for one that is asked over a network.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};

use moka::sync::Cache;

use self::{
    flights::{Flights, For, Landing},
    known::{Known, Limits, State},
};
#[cfg(feature = "metrics")]
use crate::{metrics, validate::outcome_of};
use crate::{
    time::{Clock, Moment},
    validate::{AuthError, AuthErrorKind, Consumer, ConsumerDirectory, FindConsumer},
};

mod flights;
mod known;

/// How long an answer counts without being confirmed, unless configured: 30 s.
pub const DEFAULT_TIME_TO_LIVE: Duration = Duration::from_secs(30);

/// How long a consumer can at most be accepted after it was revoked, unless configured: 2 min.
pub const DEFAULT_REVOCATION_TIME: Duration = Duration::from_secs(120);

/// How many consumers are remembered, unless configured.
pub const DEFAULT_DIRECTORY_CAPACITY: u64 = 100_000;

/// How many look-ups are in flight at most, unless configured.
pub const DEFAULT_MAX_LOOK_UPS: usize = 64;

/// How long an id is remembered as unknown. A consumer that was added is accepted after that.
const REFUSED_TIME: Duration = Duration::from_secs(1);

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

/// What the memory has about an id.
enum Recalled {
    Answer(Result<Option<Consumer>, AuthError>),
    /// The last good answer counts while the cache asks the directory once more, which has just failed.
    While(Arc<Known>),
    /// The directory has to be asked first.
    Nothing,
}

/// The end of a look-up.
struct Answered {
    found: Result<Option<Consumer>, AuthError>,
    source: Source,
}

/// Where an answer comes from.
#[derive(Clone, Copy)]
enum Source {
    Cache,
    CachedRefusal,
    Directory,
    /// The directory could not be asked.
    LastGood,
    /// As the last one, and nothing is known.
    Failed,
    /// There is no room for another look-up, and nothing is known.
    Limit,
}

#[cfg(feature = "metrics")]
fn count(source: Source) {
    let source = match source {
        Source::Cache => "cache",
        Source::CachedRefusal => "cached_refusal",
        Source::Directory => "directory",
        Source::LastGood => "last_good",
        Source::Failed => "failed",
        Source::Limit => "limit",
    };
    metrics::count_by(metrics::CACHE_ANSWERS, "source", source);
}

#[cfg(not(feature = "metrics"))]
fn count(_: Source) {}

impl<D: ConsumerDirectory + 'static> Inner<D> {
    /// What can be said about an id without asking the directory.
    fn recall(self: &Arc<Self>, key_id: &str) -> Recalled {
        let now = self.options.clock.moment();
        if let Some(known) = self.known.get(key_id) {
            match self.state_of(&known, now) {
                State::Usable => {}
                State::Due => self.refresh_in_background(key_id),
                State::Down => return Recalled::While(known),
                State::Old | State::Over => return Recalled::Nothing,
            }
            count(Source::Cache);
            return Recalled::Answer(Ok(Some(known.consumer().clone())));
        }
        let refused = self.refused.get(key_id);
        let refused = refused.filter(|refused| {
            let age = now.since(refused.since);
            age.is_some_and(|age| age < REFUSED_TIME)
        });
        let Some(Refused { kind, .. }) = refused else {
            return Recalled::Nothing;
        };
        count(Source::CachedRefusal);
        // There is no such consumer, or it must not be accepted.
        Recalled::Answer(kind.map_or(Ok(None), |kind| Err(kind.into())))
    }

    /// Asks the directory without anybody who waits. Outside of a runtime of tokio, the first request
    /// after the time to live does that.
    fn refresh_in_background(self: &Arc<Self>, key_id: &str) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (inner, key_id) = (Arc::clone(self), Arc::from(key_id));
        runtime.spawn(async move {
            // A failure has left its event, and the next request tries again.
            let _ = inner.look_up(&key_id, For::Background).await;
        });
    }

    /// Asks the directory, which has just failed. If the directory does not answer at once, the last
    /// good answer counts, and the look-up goes on in the background. Outside of a runtime of tokio,
    /// the request waits.
    async fn ask_without_waiting(
        self: Arc<Self>,
        key_id: Arc<str>,
        known: &Known,
    ) -> Result<Option<Consumer>, AuthError> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return self.ask(key_id).await;
        };
        let (inner, asked) = (Arc::clone(&self), Arc::clone(&key_id));
        let mut look_up = Box::pin(async move { inner.look_up(&asked, For::Background).await });
        match poll_fn(|cx| Poll::Ready(look_up.as_mut().poll(cx))).await {
            Poll::Ready(Some(answer)) => {
                count(answer.source);
                answer.found
            }
            // Somebody has called `forget` for the id meanwhile.
            Poll::Ready(None) => self.ask(key_id).await,
            Poll::Pending => {
                runtime.spawn(look_up);
                count(Source::LastGood);
                Ok(Some(known.consumer().clone()))
            }
        }
    }

    async fn ask(self: &Arc<Self>, key_id: Arc<str>) -> Result<Option<Consumer>, AuthError> {
        loop {
            if let Some(answer) = self.look_up(&key_id, For::Request).await {
                count(answer.source);
                return answer.found;
            }
            // The id was forgotten. Another request may have an answer from after that.
            if let Recalled::Answer(found) = self.recall(&key_id) {
                return found;
            }
        }
    }

    /// The answer of the directory. All who ask for one id share it. `None` if the id was forgotten
    /// meanwhile.
    async fn look_up(&self, key_id: &Arc<str>, needed: For) -> Option<Answered> {
        let is_seen = self.known.contains_key(key_id) || self.seen.contains_key(key_id);
        let flight = self.flights.join(key_id, is_seen, needed);
        // From here on, only this look-up changes what is known.
        let known = self.known.get(key_id);
        let Ok(flight) = flight else {
            let error = "too many look-ups are in flight: raise `max_look_ups`";
            let error = AuthError::directory_unavailable(error);
            return Some(self.last_good(known.as_deref(), error, Source::Limit));
        };
        let began = self.options.clock.moment();
        let answer = flight.answer(|| self.directory.find(key_id)).await;
        let landing = flight.land(|| match &answer {
            Ok(Some(consumer)) => {
                self.refused.invalidate(key_id);
                let known = Known::new(consumer.clone(), began, self.options.time_to_live);
                self.known.insert(Arc::clone(key_id), Arc::new(known));
                self.seen.insert(Arc::clone(key_id), ());
            }
            Err(error) if is_failure(error) => {
                if let Some(known) = &known {
                    known.put_off(self.options.clock.moment());
                }
            }
            refusal => {
                self.known.invalidate(key_id);
                self.seen.invalidate(key_id);
                let kind = refusal.as_ref().err().map(|error| error.kind());
                let refused = Refused { since: began, kind };
                self.refused.insert(Arc::clone(key_id), refused);
            }
        });
        if landing == Landing::Forgotten {
            return None;
        }
        #[cfg(feature = "metrics")]
        if landing == Landing::First {
            metrics::count_by(metrics::LOOK_UPS, "outcome", outcome_of(&answer));
        }
        let found = match answer {
            Ok(consumer) => Ok(consumer),
            Err(error) if is_failure(&error) => {
                if landing == Landing::First {
                    report(key_id, &error);
                }
                let error = shared(error);
                return Some(self.last_good(known.as_deref(), error, Source::Failed));
            }
            Err(error) => Err(shared(error)),
        };
        Some(Answered {
            found,
            source: Source::Directory,
        })
    }

    /// What counts if the directory cannot be asked.
    fn last_good(&self, known: Option<&Known>, error: AuthError, otherwise: Source) -> Answered {
        let now = self.options.clock.moment();
        let known = known.filter(|known| !matches!(self.state_of(known, now), State::Over));
        match known {
            Some(known) => Answered {
                found: Ok(Some(known.consumer().clone())),
                source: Source::LastGood,
            },
            None => Answered {
                found: Err(error),
                source: otherwise,
            },
        }
    }

    fn state_of(&self, known: &Known, now: Moment) -> State {
        known.state(now, self.limits)
    }
}

/// Whether the directory could not answer. Other errors are answers, such as a revocation.
fn is_failure(error: &AuthError) -> bool {
    error.status().is_server_error()
}

/// The error for one of several who have asked.
fn shared(error: Arc<AuthError>) -> AuthError {
    AuthError::new(error.kind()).caused_by(Shared(error))
}

#[derive(Debug)]
struct Shared(Arc<AuthError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kind has its sentence already.
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}

/// Says that the directory cannot be asked.
#[cfg(feature = "tracing")]
fn report(key_id: &str, error: &AuthError) {
    tracing::warn!(
        target: "hmac_auth",
        key_id = crate::escape::escape(key_id),
        reason = %format_args!("{error:#}"),
        "the directory of consumers cannot be asked: what is known counts for the revocation time"
    );
}

#[cfg(not(feature = "tracing"))]
fn report(_: &str, _: &AuthError) {}

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
