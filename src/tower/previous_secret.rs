//! Which consumers still sign with a previous secret, told once a minute for each.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// In seconds.
const PERIOD: u64 = 60;

/// How many consumers are remembered at most. The events of further ones wait.
const MAX_CONSUMERS: usize = 1_000;

/// When the operator was last told about each consumer, in seconds since 1970.
#[derive(Default)]
pub(super) struct PreviousSecretReminder(Mutex<BTreeMap<Box<str>, i64>>);

impl PreviousSecretReminder {
    /// Whether to tell the operator about this consumer now.
    pub(super) fn is_due(&self, consumer: &str, now: i64) -> bool {
        let is_over = |told: i64| now.abs_diff(told) >= PERIOD;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = all.get_mut(consumer) {
            let is_due = is_over(*told);
            if is_due {
                *told = now;
            }
            return is_due;
        }
        if all.len() >= MAX_CONSUMERS {
            all.retain(|_, told| !is_over(*told));
        }
        let has_room = all.len() < MAX_CONSUMERS;
        if has_room {
            all.insert(consumer.into(), now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_consumer_is_told_once_a_minute() {
        let reminder = PreviousSecretReminder::default();
        for (consumer, now, is_due) in [
            ("a", 100, true),
            ("a", 100, false),
            ("b", 130, true),
            ("a", 159, false),
            ("a", 160, true),
            ("b", 161, false),
            ("a", 219, false),
            // The clock was set back.
            ("a", 100, true),
            ("a", i64::MIN, true),
            ("a", i64::MAX, true),
        ] {
            assert_eq!(
                reminder.is_due(consumer, now),
                is_due,
                "{consumer} at {now}"
            );
        }
    }

    #[test]
    fn at_most_so_many_consumers_are_remembered() {
        let reminder = PreviousSecretReminder::default();
        let tell_all = |from: usize, now| {
            let names = (from..from + MAX_CONSUMERS).map(|number| format!("site-{number}"));
            names.filter(|name| reminder.is_due(name, now)).count()
        };
        assert_eq!(tell_all(0, 0), MAX_CONSUMERS);
        assert_eq!(
            tell_all(MAX_CONSUMERS, 59),
            0,
            "there is no room for others"
        );
        assert_eq!(tell_all(MAX_CONSUMERS, 60), MAX_CONSUMERS, "now there is");
        assert_eq!(reminder.0.lock().unwrap().len(), MAX_CONSUMERS);
    }
}
