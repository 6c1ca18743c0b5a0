//! When the next small request goes out.

use std::time::{Duration, Instant};

/// Of the rate that was reached: what is left over keeps the rate where it is when the machine has other work too.
const SHARE: f64 = 0.75;

/// More than this late, what was missed is not made up for: no burst follows a standstill.
const MAX_LATE: Duration = Duration::from_millis(100);

/// First as fast as it goes, then at one rate: the guard remembers as many signatures as come, so that memory can be flat
/// only if the rate is.
pub(crate) struct Pace {
    began: Instant,
    taken: u32,
    held: Option<Held>,
}

struct Held {
    next: Instant,
    interval: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            taken: 0,
            held: None,
        }
    }

    /// From now on, the rate is a share of what it has been so far. The first call counts.
    pub(crate) fn hold(&mut self) {
        let fastest = self.began.elapsed() / self.taken.max(1);
        self.held.get_or_insert(Held {
            next: Instant::now(),
            interval: fastest.div_f64(SHARE),
        });
    }

    /// When the request that asks may go.
    pub(crate) fn turn(&mut self) -> Option<Instant> {
        let Some(held) = &mut self.held else {
            self.taken += 1;
            return None;
        };
        let now = Instant::now();
        let turn = held.next.max(now.checked_sub(MAX_LATE).unwrap_or(now));
        held.next = turn + held.interval;
        Some(turn)
    }
}
