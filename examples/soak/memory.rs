//! The memory of the host over time, and the line through it.

use std::{fmt, time::Duration};

/// So many rows show how it went, beside the rate: the guard remembers as many signatures as come.
const ROWS: usize = 10;

#[derive(Default)]
pub(crate) struct Memory {
    readings: Vec<Reading>,
}

struct Reading {
    /// In seconds.
    at: f64,
    mib: f64,
    /// How many requests were answered until then.
    answered: f64,
}

impl Memory {
    pub(crate) fn read(&mut self, at: Duration, kib: f64, answered: f64) {
        self.readings.push(Reading {
            at: at.as_secs_f64(),
            mib: kib / 1024.0,
            answered,
        });
    }

    /// MiB, by least squares. Without readings, nobody can say that memory is flat.
    pub(crate) fn slope_per_second(&self) -> f64 {
        let (second, mib) = (
            mean(&self.readings, |reading| reading.at),
            mean(&self.readings, |reading| reading.mib),
        );
        let (mut with_mib, mut alone) = (0.0, 0.0);
        for reading in &self.readings {
            with_mib += (reading.at - second) * (reading.mib - mib);
            alone += (reading.at - second) * (reading.at - second);
        }
        if alone > 0.0 {
            with_mib / alone
        } else {
            f64::INFINITY
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| minute | requests/s | MiB of the host |")?;
        writeln!(f, "| ---: | ---: | ---: |")?;
        for row in self
            .readings
            .chunks(self.readings.len().div_ceil(ROWS).max(2))
        {
            let [first, .., last] = row else { continue };
            writeln!(
                f,
                "| {:.1} | {:.0} | {:.1} |",
                first.at / 60.0,
                (last.answered - first.answered) / (last.at - first.at),
                mean(row, |reading| reading.mib)
            )?;
        }
        let values = self.readings.iter().map(|reading| reading.mib);
        let lowest = values.clone().fold(f64::INFINITY, f64::min);
        let highest = values.fold(0.0, f64::max);
        write!(
            f,
            "\nIts memory was {lowest:.1} to {highest:.1} MiB, with a slope of {:+.2} MiB per hour.",
            3600.0 * self.slope_per_second()
        )
    }
}

fn mean(readings: &[Reading], of: fn(&Reading) -> f64) -> f64 {
    readings.iter().map(of).sum::<f64>() / count(readings.len())
}

#[expect(clippy::cast_precision_loss, reason = "a reading a second")]
fn count(readings: usize) -> f64 {
    readings as f64
}
