//! The pace of hashing: other tasks have their turn after each 64 KiB.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How many bytes are hashed in one turn.
///
/// Hyper hands over frames of up to 480 KiB. When such frames were hashed whole, a few uploads on
/// one thread made small requests wait 16 times as long.
const MAX_HASHED_AT_ONCE: usize = 64 * 1024;

/// A frame costs time even if it is short, so it counts for at least this many bytes.
const MIN_FRAME_LEN: usize = 256;

#[derive(Default)]
pub(super) struct Pace {
    hashed: usize,
    turn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Pace {
    /// Ready when this task may go on hashing.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hashed < MAX_HASHED_AT_ONCE {
            return Poll::Ready(());
        }
        // A task that only wakes itself would run again before the runtime looks at its sockets.
        // `yield_now` lets the runtime look first.
        let turn = self
            .turn
            .get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
        ready!(turn.as_mut().poll(cx));
        self.turn = None;
        self.others_had_their_turn();
        Poll::Ready(())
    }

    pub(super) fn others_had_their_turn(&mut self) {
        self.hashed = 0;
    }

    pub(super) fn count_frame(&mut self, len: usize) {
        self.hashed += MIN_FRAME_LEN.saturating_sub(len);
    }

    /// Counts a frame that is dropped.
    pub(super) fn skip(&mut self, len: usize) {
        self.hashed += len.max(MIN_FRAME_LEN);
    }

    /// How many of `len` bytes this task may hash now; at least one.
    pub(super) fn take(&mut self, len: usize) -> usize {
        let len = len.min(MAX_HASHED_AT_ONCE.saturating_sub(self.hashed).max(1));
        self.hashed += len;
        len
    }
}
