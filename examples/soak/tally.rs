//! What was sent of each kind, how it was answered, and how fast.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::traffic::Sort;

/// A bucket ends so much later than the one before.
const STEP: f64 = 1.02;

/// More wrong answers are counted, but not printed.
const SHOWN: u64 = 20;

pub(crate) struct Tally {
    rows: BTreeMap<Sort, Row>,
    is_measuring: bool,
}

#[derive(Default)]
struct Row {
    sent: u64,
    wrong: u64,
    /// By the logarithm of the time: as much memory for an hour as for a minute.
    latencies: Vec<u64>,
}

impl Tally {
    /// A row for each kind, so that one that never comes shows.
    pub(crate) fn new(sorts: impl Iterator<Item = Sort>) -> Self {
        Self {
            rows: sorts.map(|sort| (sort, Row::default())).collect(),
            is_measuring: false,
        }
    }

    /// From now on, times count. Answers always do.
    pub(crate) fn begin_measuring(&mut self) {
        self.is_measuring = true;
    }

    pub(crate) fn right(&mut self, sort: Sort, latency: Duration) {
        let is_measuring = self.is_measuring;
        let row = self.row(sort);
        row.sent += 1;
        if is_measuring {
            let bucket = bucket(latency);
            if row.latencies.len() <= bucket {
                row.latencies.resize(bucket + 1, 0);
            }
            row.latencies[bucket] += 1;
        }
    }

    pub(crate) fn wrong_answer(&mut self, sort: Sort, answer: &str) {
        if self.wrong() < SHOWN {
            println!("{sort}: {answer}");
        }
        let row = self.row(sort);
        row.sent += 1;
        row.wrong += 1;
    }

    fn row(&mut self, sort: Sort) -> &mut Row {
        self.rows.entry(sort).or_default()
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.rows.values().map(|row| row.wrong).sum()
    }

    /// How many kinds never came.
    pub(crate) fn missing(&self) -> f64 {
        count(self.rows.values().map(|row| u64::from(row.sent == 0)).sum())
    }

    /// How many right answers came after the warm-up.
    pub(crate) fn measured(&self) -> f64 {
        count(self.rows.values().map(Row::measured).sum())
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        self.rows
            .get(&Sort::GENUINE)
            .map_or(f64::INFINITY, Row::p99_ms)
    }
}

impl Row {
    fn measured(&self) -> u64 {
        self.latencies.iter().sum()
    }

    /// The end of the bucket that it is in.
    fn p99_ms(&self) -> f64 {
        let rank = count(self.measured()) * 0.99;
        let mut below = 0;
        let mut end = 1e-3;
        for bucket in &self.latencies {
            below += bucket;
            end *= STEP;
            if count(below) >= rank {
                break;
            }
        }
        end
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| kind | sent | answered wrongly | p99 ms |")?;
        writeln!(f, "| --- | ---: | ---: | ---: |")?;
        for (sort, row) in &self.rows {
            let Row { sent, wrong, .. } = row;
            writeln!(f, "| {sort} | {sent} | {wrong} | {:.2} |", row.p99_ms())?;
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index"
)]
fn bucket(latency: Duration) -> usize {
    let micros = (latency.as_secs_f64() * 1e6).max(1.0);
    (micros.ln() / STEP.ln()) as usize
}

#[expect(clippy::cast_precision_loss, reason = "less than 2⁵³ requests")]
fn count(count: u64) -> f64 {
    count as f64
}
