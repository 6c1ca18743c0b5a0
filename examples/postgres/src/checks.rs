//! What the example promises, and whether it holds.

use std::{process::ExitCode, time::Duration};

use crate::traffic::{Call, Outcome};

#[derive(Default)]
pub(crate) struct Checks {
    missed: u32,
}

impl Checks {
    pub(crate) fn check(&mut self, holds: bool, what: &str) {
        println!("- {} {what}", if holds { "holds " } else { "MISSED" });
        self.missed += u32::from(!holds);
    }

    /// All calls have this outcome, and there are some.
    pub(crate) fn all(&mut self, calls: &[Call], outcome: Outcome, whose: &str) {
        let others = calls.iter().filter(|call| !call.is(outcome)).count();
        let what = format!(
            "{whose}: {} requests, {} of them not {outcome:?}; the slowest took {} ms",
            calls.len(),
            others,
            millis(calls.iter().map(Call::time).max().unwrap_or_default()),
        );
        self.check(others == 0 && !calls.is_empty(), &what);
    }

    pub(crate) fn finish(self) -> ExitCode {
        println!("\n{} missed", self.missed);
        if self.missed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn scene(title: &str) {
    println!("\n# {title}\n");
}

pub(crate) fn millis(duration: Duration) -> u128 {
    duration.as_millis()
}
