//! Unix time in whole seconds, with arithmetic that saturates. The only reader of the clock in this
//! crate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// `at`, or the present if nothing is given, as seconds since 1970, rounded down.
pub(crate) fn unix_seconds(at: Option<SystemTime>) -> i64 {
    let at = at.unwrap_or_else(now);
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -whole_seconds(before.duration()),
    }
}

/// A duration in seconds, rounded up: a limit of 1.5 s admits what is 2 s old, because `created`
/// itself is rounded down.
pub(crate) fn whole_seconds(duration: Duration) -> i64 {
    let seconds = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Seconds since 1970 as a `SystemTime`, or `None` where the platform cannot represent it.
pub(crate) fn system_time(unix_seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(unix_seconds.unsigned_abs());
    if unix_seconds >= 0 {
        UNIX_EPOCH.checked_add(distance)
    } else {
        UNIX_EPOCH.checked_sub(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_on_both_sides_of_1970() {
        let at = |time| unix_seconds(Some(time));
        assert_eq!(at(UNIX_EPOCH), 0);
        assert_eq!(at(UNIX_EPOCH + Duration::from_millis(1_999)), 1);
        assert_eq!(at(UNIX_EPOCH - Duration::from_millis(1)), -1);
        assert_eq!(at(UNIX_EPOCH - Duration::from_secs(1)), -1);
    }

    #[test]
    fn durations_round_up_and_saturate() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(60)), 60);
        assert_eq!(whole_seconds(Duration::MAX), i64::MAX);
    }

    #[test]
    fn times_survive_the_round_trip() {
        for seconds in [0, 1, -1, 1_618_884_473, -62_135_596_800] {
            assert_eq!(
                system_time(seconds).map(|time| unix_seconds(Some(time))),
                Some(seconds)
            );
        }
    }
}
