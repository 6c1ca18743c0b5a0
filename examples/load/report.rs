//! Goals, and what to say of many measured values.

use std::process::ExitCode;

#[derive(Default)]
pub(crate) struct Report {
    goals: Vec<Goal>,
    wrong_answers: u64,
}

struct Goal {
    text: String,
    is_reached: bool,
}

impl Report {
    pub(crate) fn at_most(&mut self, what: &str, value: f64, limit: f64) {
        self.goal(format!("{what}: {value:.2}, at most {limit}"), value <= limit);
    }

    pub(crate) fn at_least(&mut self, what: &str, value: f64, limit: f64) {
        self.goal(format!("{what}: {value:.3}, at least {limit}"), value >= limit);
    }

    fn goal(&mut self, text: String, is_reached: bool) {
        self.goals.push(Goal { text, is_reached });
    }

    pub(crate) fn wrong_answers(&mut self, count: u64) {
        self.wrong_answers += count;
        self.goal(format!("wrong answers: {count}"), count == 0);
    }

    pub(crate) fn finish(self, check: bool) -> ExitCode {
        println!("\n# Goals\n");
        for Goal { text, is_reached } in &self.goals {
            println!("- {} {text}", if *is_reached { "reached" } else { "MISSED " });
        }
        let is_missed = check && self.goals.iter().any(|goal| !goal.is_reached);
        if self.wrong_answers > 0 || is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// The value that a share `q` of all values does not exceed.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}

/// The median, and between which values half of them are.
pub(crate) fn median_and_spread(mut values: Vec<f64>) -> (f64, String) {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|q| quantile(&mut values, q));
    (median, format!("{median:.3} ({low:.3} to {high:.3})"))
}
