//! The answer about one id: from the memory, or from the directory behind it.

use std::{error::Error, fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use super::{
    Inner, Refused,
    flights::{For, Landing},
    known::{Known, State},
};
#[cfg(feature = "metrics")]
use crate::{metrics, validate::outcome_of};
use crate::{
    time::Moment,
    validate::{AuthError, Consumer, ConsumerDirectory},
};

/// How long an id is remembered as unknown. A consumer that was added is accepted after that.
const REFUSED_TIME: Duration = Duration::from_secs(1);

/// What the memory has about an id.
pub(super) enum Recalled {
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
    pub(super) fn recall(self: &Arc<Self>, key_id: &str) -> Recalled {
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
    pub(super) async fn ask_without_waiting(
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

    /// Asks the directory, and waits for its answer.
    pub(super) async fn ask(
        self: &Arc<Self>,
        key_id: Arc<str>,
    ) -> Result<Option<Consumer>, AuthError> {
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
