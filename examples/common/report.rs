//! Goals, and whether they are reached.

use std::process::ExitCode;

#[derive(Default)]
pub(crate) struct Report {
    goals: Vec<Goal>,
    wrong_answers: u64,
}

struct Goal {
    text: String,
    is_reached: bool,
    /// A busy machine can miss it.
    is_time: bool,
}

impl Report {
    pub(crate) fn count_at_most(&mut self, what: &str, value: f64, limit: f64) {
        let text = format!("{what}: {value:.2}, at most {limit}");
        self.goals.push(Goal {
            text,
            is_reached: value <= limit,
            is_time: false,
        });
    }

    pub(crate) fn time_at_most(&mut self, what: &str, value: f64, limit: f64) {
        let text = format!("{what}: {value:.2}, at most {limit}");
        self.goals.push(Goal {
            text,
            is_reached: value <= limit,
            is_time: true,
        });
    }

    pub(crate) fn rate_at_least(&mut self, what: &str, value: f64, limit: f64) {
        let text = format!("{what}: {value:.3}, at least {limit}");
        self.goals.push(Goal {
            text,
            is_reached: value >= limit,
            is_time: true,
        });
    }

    pub(crate) fn wrong_answers(&mut self, count: u64) {
        self.wrong_answers += count;
        self.goals.push(Goal {
            text: format!("wrong answers: {count}"),
            is_reached: count == 0,
            is_time: false,
        });
    }

    pub(crate) fn finish(self, check: bool) -> ExitCode {
        println!("\n# Goals\n");
        for Goal {
            text, is_reached, ..
        } in &self.goals
        {
            println!(
                "- {} {text}",
                if *is_reached { "reached" } else { "MISSED " }
            );
        }
        let is_missed = check
            && self
                .goals
                .iter()
                .any(|goal| !goal.is_reached && !goal.is_time);
        if self.wrong_answers > 0 || is_missed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}
