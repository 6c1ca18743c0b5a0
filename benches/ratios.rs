//! Times and their ratios. All contenders take turns within each round, so that what else the machine does hits them alike; a
//! ratio is that of two medians of one run.

use std::{
    env,
    time::{Duration, Instant},
};

use crate::{
    contenders::{Contender, Job, Message, Operation},
    table::Row,
};

#[path = "common/contenders.rs"]
mod contenders;
#[path = "common/table.rs"]
mod table;
#[path = "common/turns.rs"]
mod turns;

/// How long the contenders take turns on one message.
const TIME: Duration = Duration::from_secs(3);

/// How long one turn is about: long against the resolution of the clock, short against the time slices of the system.
const TURN: Duration = Duration::from_micros(200);

/// How many requests are prepared for one turn at most: few, so that they stay in the caches.
const BATCH: usize = 64;

fn main() {
    // `cargo test --benches` only wants to see it run.
    let time = if env::args().any(|arg| arg == "--bench") {
        TIME
    } else {
        Duration::ZERO
    };
    let mut rows = Vec::new();
    for operation in [Operation::Validate, Operation::Sign] {
        for message in Message::all() {
            rows.push(Row {
                operation,
                costs: medians(operation, &message, time),
                message,
            });
        }
    }
    table::print("ns", &rows);
}

/// A contender, and how many operations one of its turns has.
struct Turns {
    contender: Contender,
    job: Box<dyn Job>,
    count: usize,
}

impl Turns {
    fn take_one(&mut self) -> Duration {
        // What the one before has left in the caches must not matter.
        self.job.prepare(1);
        self.job.run();
        self.job.prepare(self.count);
        let start = Instant::now();
        self.job.run();
        start.elapsed()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of at most 64")]
fn medians(operation: Operation, message: &Message, time: Duration) -> Vec<(Contender, f64)> {
    let mut all: Vec<_> = Contender::ALL
        .into_iter()
        .filter_map(|contender| {
            Some(Turns {
                contender,
                job: contender.job(operation, message)?,
                count: 1,
            })
        })
        .collect();
    for turns in &mut all {
        while turns.count < BATCH && turns.take_one() < TURN {
            turns.count *= 2;
        }
    }
    let medians = turns::medians(&mut all, time, Turns::take_one);
    all.iter()
        .zip(medians)
        .map(|(turns, median)| {
            (
                turns.contender,
                median.as_secs_f64() * 1e9 / turns.count as f64,
            )
        })
        .collect()
}
