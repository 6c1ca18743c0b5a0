//! The rest of a refused body: read and dropped, so that the refusal reaches the peer.
//!
//! A server that answers while the peer still writes closes the connection. Peers that write their
//! whole request before they read, and proxies above all, then lose the answer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use bytes::Buf;
use http_body::Body;
use tokio::runtime::Handle;

use super::pace::Pace;

/// How many refused bodies of a layer are read at the same time.
const MAX_AT_ONCE: usize = 64;

/// Time is counted in ticks, without a look at any clock.
const TICK: Duration = Duration::from_millis(250);

/// For so many ticks, at most 5 seconds, a refused body is read.
const TICKS: u32 = 20;

/// A peer that sends nothing for so many ticks, at most a second, is waiting for the answer.
const TICKS_UNTIL_FIRST_BYTE: u32 = 4;

/// The refused bodies of a layer and of its clones.
#[derive(Clone, Default)]
pub(super) struct Drains(Arc<Mutex<Places>>);

#[derive(Default)]
struct Places {
    all: Vec<Option<Waiting>>,
    /// Whether a thread counts the ticks.
    is_ticking: bool,
}

struct Waiting {
    ticks: u32,
    max_ticks: u32,
    waker: Option<Waker>,
}

impl Drains {
    /// Begins to read at most `max_len` bytes, unless too many bodies are being read already.
    ///
    /// Outside of a runtime, nothing is read: there is no connection that could be closed.
    pub(super) fn begin(&self, max_len: u64) -> Option<Drain> {
        if cfg!(target_family = "wasm") || Handle::try_current().is_err() {
            return None;
        }
        let waiting = Some(Waiting {
            ticks: 0,
            max_ticks: TICKS_UNTIL_FIRST_BYTE,
            waker: None,
        });
        let all = &mut self.lock().all;
        let place = match all.iter().position(Option::is_none) {
            Some(place) => {
                all[place] = waiting;
                place
            }
            None if all.len() < MAX_AT_ONCE => {
                all.push(waiting);
                all.len() - 1
            }
            None => return None,
        };
        Some(Drain {
            drains: self.clone(),
            place,
            left: max_len,
            has_come: false,
            pace: Pace::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that counts, if there is none. It ends when nobody waits any more.
    fn start_ticking(&self, places: &mut Places) -> bool {
        if !places.is_ticking {
            let drains = self.clone();
            let thread = thread::Builder::new().name("hmac-auth".to_owned());
            places.is_ticking = thread.spawn(move || while drains.tick() {}).is_ok();
        }
        places.is_ticking
    }

    /// Waits for the next tick; `false` at the end.
    fn tick(&self) -> bool {
        thread::sleep(TICK);
        let mut places = self.lock();
        let mut over = Vec::new();
        for waiting in places.all.iter_mut().flatten() {
            waiting.ticks += 1;
            if waiting.is_over() {
                over.extend(waiting.waker.take());
            }
        }
        places.is_ticking = places.all.iter().any(Option::is_some);
        let goes_on = places.is_ticking;
        drop(places);
        over.into_iter().for_each(Waker::wake);
        goes_on
    }
}

impl Waiting {
    fn is_over(&self) -> bool {
        self.ticks >= self.max_ticks
    }
}

/// One body that is read and dropped.
pub(super) struct Drain {
    drains: Drains,
    place: usize,
    /// How many bytes may still be read.
    left: u64,
    /// Whether a byte has come.
    has_come: bool,
    pace: Pace,
}

impl Drain {
    /// Ready at the end of the body or of the patience with it, with whether it was the former.
    pub(super) fn poll<B: Body>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        loop {
            if self.pace.poll_turn(cx).is_pending() {
                return self.wait(cx);
            }
            match body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let len = frame.data_ref().map_or(0, Buf::remaining);
                    self.pace.skip(len);
                    match self
                        .left
                        .checked_sub(u64::try_from(len).unwrap_or(u64::MAX))
                    {
                        Some(left) => self.left = left,
                        None => return Poll::Ready(false),
                    }
                    if len > 0 && !self.has_come {
                        self.wait_longer();
                    }
                }
                Poll::Ready(None) => return Poll::Ready(true),
                // The peer has gone away, or a layer outside of this one sets another limit.
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Pending => {
                    self.pace.others_had_their_turn();
                    return self.wait(cx);
                }
            }
        }
    }

    fn wait_longer(&mut self) {
        self.has_come = true;
        if let Some(waiting) = &mut self.drains.lock().all[self.place] {
            waiting.max_ticks = TICKS;
        }
    }

    /// Pending, as long as there is time and something that counts it.
    fn wait(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let places = &mut *self.drains.lock();
        let is_ticking = self.drains.start_ticking(places);
        match &mut places.all[self.place] {
            Some(waiting) if is_ticking && !waiting.is_over() => {
                waiting.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(false),
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.drains.lock().all[self.place] = None;
    }
}
