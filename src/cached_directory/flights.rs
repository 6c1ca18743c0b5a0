//! The look-ups that are in flight: one for an id, and not too many.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use crate::validate::{AuthError, Consumer};

/// The answer of a directory, for all who have asked.
pub(super) type Answer = Result<Option<Consumer>, Arc<AuthError>>;

pub(super) struct Flights {
    all: Mutex<All>,
    max: usize,
    /// For ids that were never seen: a peer without a secret chooses them.
    max_unseen: usize,
    /// For look-ups in the background: the rest is for ids that a request waits for.
    max_background: usize,
}

/// Who needs the answer of a look-up.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum For {
    Request,
    /// No request waits: the last good answer counts meanwhile.
    Background,
}

#[derive(Default)]
struct All {
    /// The ids about which somebody waits for an answer.
    gates: HashMap<Arc<str>, Gate>,
    in_flight: usize,
    unseen: usize,
    background: usize,
}

/// All who wait for an answer about one id.
#[derive(Default)]
struct Gate {
    passengers: usize,
    /// How often the id was forgotten meanwhile.
    forgotten: u64,
    /// `None` after the flight has landed, while a passenger does not know its answer yet.
    flight: Option<Arc<Flight>>,
    /// Those of the passengers who wait for this flight.
    aboard: usize,
}

struct Flight {
    key_id: Arc<str>,
    is_unseen: bool,
    is_background: bool,
    answer: OnceCell<Answer>,
}

/// There is no room for another look-up.
pub(super) struct TooMany;

/// Whose answer it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Landing {
    /// The look-up ends with this passenger.
    First,
    /// Another passenger has stored the answer.
    Later,
    /// The id was forgotten after the look-up began, so the answer does not count.
    Forgotten,
}

impl All {
    /// Ends the look-up of an id, if there is one.
    fn end(&mut self, key_id: &str) {
        let gate = self.gates.get_mut(key_id);
        if let Some(flight) = gate.and_then(|gate| gate.flight.take()) {
            self.in_flight -= 1;
            self.unseen -= usize::from(flight.is_unseen);
            self.background -= usize::from(flight.is_background);
        }
    }
}

impl Gate {
    fn awaits(&self, flight: &Arc<Flight>) -> bool {
        let awaited = self.flight.as_ref();
        awaited.is_some_and(|awaited| Arc::ptr_eq(awaited, flight))
    }
}

impl Flights {
    pub(super) fn new(max: usize) -> Self {
        let (max, quarter) = (max.max(1), (max / 4).max(1));
        Self {
            all: Mutex::default(),
            max,
            max_unseen: quarter,
            max_background: (max - quarter).max(1),
        }
    }

    /// Takes part in the look-up of an id, and begins one if there is none.
    pub(super) fn join(
        &self,
        key_id: &Arc<str>,
        is_seen: bool,
        needed: For,
    ) -> Result<Passenger<'_>, TooMany> {
        let all = &mut *self.lock();
        let is_background = needed == For::Background;
        let has_room = all.in_flight < self.max
            && (is_seen || all.unseen < self.max_unseen)
            && (!is_background || all.background < self.max_background);
        let gate = match all.gates.entry(Arc::clone(key_id)) {
            Entry::Occupied(gate) if has_room || gate.get().flight.is_some() => gate.into_mut(),
            Entry::Vacant(gate) if has_room => gate.insert(Gate::default()),
            _ => return Err(TooMany),
        };
        let flight = gate.flight.get_or_insert_with(|| {
            all.in_flight += 1;
            all.unseen += usize::from(!is_seen);
            all.background += usize::from(is_background);
            gate.aboard = 0;
            Arc::new(Flight {
                key_id: Arc::clone(key_id),
                is_unseen: !is_seen,
                is_background,
                answer: OnceCell::new(),
            })
        });
        gate.passengers += 1;
        gate.aboard += 1;
        Ok(Passenger {
            flights: self,
            flight: Arc::clone(flight),
            forgotten: gate.forgotten,
        })
    }

    /// Lets a look-up that is in flight count no more, and nothing be stored meanwhile.
    pub(super) fn forget(&self, key_id: &str, forget: impl FnOnce()) {
        let mut all = self.lock();
        all.end(key_id);
        if let Some(gate) = all.gates.get_mut(key_id) {
            gate.forgotten += 1;
        }
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
    /// How often the id was forgotten before.
    forgotten: u64,
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
    pub(super) fn land(&self, store: impl FnOnce()) -> Landing {
        let key_id = &self.flight.key_id;
        let mut all = self.flights.lock();
        match all.gates.get(key_id) {
            Some(gate) if gate.forgotten != self.forgotten => Landing::Forgotten,
            Some(gate) if gate.awaits(&self.flight) => {
                all.end(key_id);
                store();
                Landing::First
            }
            _ => Landing::Later,
        }
    }
}

impl Drop for Passenger<'_> {
    fn drop(&mut self) {
        let key_id = &self.flight.key_id;
        let mut all = self.flights.lock();
        let Some(gate) = all.gates.get_mut(key_id) else {
            return;
        };
        gate.passengers -= 1;
        let is_last = gate.passengers == 0;
        if gate.awaits(&self.flight) {
            gate.aboard -= 1;
            if gate.aboard == 0 {
                all.end(key_id);
            }
        }
        if is_last {
            all.gates.remove(key_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join<'f>(flights: &'f Flights, key_id: &Arc<str>) -> Passenger<'f> {
        let passenger = flights.join(key_id, false, For::Request);
        passenger.ok().expect("there is room")
    }

    /// A peer chooses the ids.
    #[test]
    fn nothing_is_kept_of_an_id_that_nobody_waits_for() {
        let flights = Flights::new(4);
        for is_answered in [true, false] {
            let key_id = Arc::from("site-a");
            let passengers = [join(&flights, &key_id), join(&flights, &key_id)];
            if is_answered {
                assert!(passengers[0].land(|| ()) == Landing::First);
            }
            drop(passengers);
            let all = flights.lock();
            assert!(all.gates.is_empty());
            assert_eq!((all.in_flight, all.unseen), (0, 0));
        }
    }

    #[test]
    fn an_old_answer_ends_no_later_look_up() {
        let flights = Flights::new(4);
        let key_id = Arc::from("site-a");
        let (first, late) = (join(&flights, &key_id), join(&flights, &key_id));
        assert!(first.land(|| ()) == Landing::First);
        let next = join(&flights, &key_id);
        let landing = late.land(|| panic!("an old answer is stored"));
        assert!(landing == Landing::Later);
        assert!(next.land(|| ()) == Landing::First);
    }
}
