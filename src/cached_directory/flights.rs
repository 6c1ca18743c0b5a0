//! The look-ups that are in flight: one for an id, and not too many.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use crate::validate::{AuthError, Consumer};

/// What a directory has answered, for all who have asked.
pub(super) type Answer = Result<Option<Consumer>, Arc<AuthError>>;

pub(super) struct Flights {
    all: Mutex<All>,
    max: usize,
    /// For ids that were never seen: a peer without a secret chooses them.
    max_unseen: usize,
}

#[derive(Default)]
struct All {
    flights: HashMap<Arc<str>, Arc<Flight>>,
    unseen: usize,
}

struct Flight {
    key_id: Arc<str>,
    is_unseen: bool,
    answer: OnceCell<Answer>,
}

/// There is no room for another look-up.
pub(super) struct TooMany;

impl All {
    fn remove(&mut self, key_id: &str) {
        if let Some(flight) = self.flights.remove(key_id) {
            self.unseen -= usize::from(flight.is_unseen);
        }
    }

    fn has(&self, flight: &Arc<Flight>) -> bool {
        let found = self.flights.get(&flight.key_id);
        found.is_some_and(|found| Arc::ptr_eq(found, flight))
    }
}

impl Flights {
    pub(super) fn new(max: usize) -> Self {
        Self {
            all: Mutex::default(),
            max: max.max(1),
            max_unseen: (max / 4).max(1),
        }
    }

    /// Takes part in the look-up of an id, and begins one if there is none.
    pub(super) fn join(&self, key_id: &Arc<str>, is_seen: bool) -> Result<Passenger<'_>, TooMany> {
        let mut all = self.lock();
        if let Some(flight) = all.flights.get(key_id) {
            return Ok(Passenger {
                flights: self,
                flight: Arc::clone(flight),
            });
        }
        let has_room = all.flights.len() < self.max && (is_seen || all.unseen < self.max_unseen);
        if !has_room {
            return Err(TooMany);
        }
        let flight = Arc::new(Flight {
            key_id: Arc::clone(key_id),
            is_unseen: !is_seen,
            answer: OnceCell::new(),
        });
        all.unseen += usize::from(!is_seen);
        all.flights.insert(Arc::clone(key_id), Arc::clone(&flight));
        Ok(Passenger {
            flights: self,
            flight,
        })
    }

    /// Lets a look-up that is in flight count no more, and nothing be stored meanwhile.
    pub(super) fn forget(&self, key_id: &str, forget: impl FnOnce()) {
        let mut all = self.lock();
        all.remove(key_id);
        forget();
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for the answer of a look-up. If all of them give up, the look-up ends.
pub(super) struct Passenger<'a> {
    flights: &'a Flights,
    flight: Arc<Flight>,
}

impl Passenger<'_> {
    /// The one answer. If the passenger who asks gives up, the next one asks.
    pub(super) async fn answer<F>(&self, ask: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Result<Option<Consumer>, AuthError>>,
    {
        let ask = async || ask().await.map_err(Arc::new);
        self.flight.answer.get_or_init(ask).await.clone()
    }

    /// Ends the look-up and lets the first passenger store its answer, unless it was forgotten.
    /// Returns whether that was this one.
    pub(super) fn land(&self, store: impl FnOnce()) -> bool {
        let mut all = self.flights.lock();
        let is_first = all.has(&self.flight);
        if is_first {
            all.remove(&self.flight.key_id);
            store();
        }
        is_first
    }
}

impl Drop for Passenger<'_> {
    fn drop(&mut self) {
        let mut all = self.flights.lock();
        // The map and this passenger.
        let owners = 2;
        if Arc::strong_count(&self.flight) == owners && all.has(&self.flight) {
            all.remove(&self.flight.key_id);
        }
    }
}
