//! The memory of the host over time, and the line through it.

use std::{fmt, time::Duration};

#[derive(Default)]
pub(crate) struct Memory {
    /// Seconds, and MiB.
    readings: Vec<(f64, f64)>,
}

impl Memory {
    pub(crate) fn read(&mut self, at: Duration, kib: f64) {
        self.readings.push((at.as_secs_f64(), kib / 1024.0));
    }

    /// MiB, by least squares. Without readings, nobody can say that memory is flat.
    pub(crate) fn slope_per_second(&self) -> f64 {
        let mean = |of: fn(&(f64, f64)) -> f64| {
            self.readings.iter().map(of).sum::<f64>() / count(self.readings.len())
        };
        let (second, mib) = (mean(|(second, _)| *second), mean(|(_, mib)| *mib));
        let (mut with_mib, mut alone) = (0.0, 0.0);
        for (at, value) in &self.readings {
            with_mib += (at - second) * (value - mib);
            alone += (at - second) * (at - second);
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
        let values = self.readings.iter().map(|(_, mib)| *mib);
        let lowest = values.clone().fold(f64::INFINITY, f64::min);
        let highest = values.fold(0.0, f64::max);
        write!(
            f,
            "Its memory was {lowest:.1} to {highest:.1} MiB, with a slope of {:+.2} MiB per hour.",
            3600.0 * self.slope_per_second()
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "a reading a second")]
fn count(readings: usize) -> f64 {
    readings as f64
}
