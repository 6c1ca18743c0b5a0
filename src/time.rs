//! Unix time in whole seconds, with arithmetic that saturates, and the clock: this file is the only
//! reader of the system's clock in this crate.

#[cfg(feature = "directory-cache")]
use std::time::Instant;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where the present comes from.
#[derive(Clone, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    Given(Arc<dyn Fn() -> SystemTime + Send + Sync>),
    /// One time for ever. It wins over a given clock, whichever was set first.
    Fixed(SystemTime),
}

impl Clock {
    #[must_use]
    pub(crate) fn given(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        match self {
            Self::Fixed(_) => self,
            Self::System | Self::Given(_) => Self::Given(Arc::new(clock)),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        match self {
            Self::System => system_now(),
            Self::Given(clock) => clock(),
            Self::Fixed(time) => *time,
        }
    }

    /// The present, moved by some seconds, as far as the platform can represent it.
    #[cfg(any(feature = "client", feature = "tower"))]
    pub(crate) fn moved(&self, seconds: i64) -> SystemTime {
        let now = self.now();
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let moved = if seconds >= 0 {
            now.checked_add(distance)
        } else {
            now.checked_sub(distance)
        };
        moved.unwrap_or(now)
    }

    /// The present, to measure from it.
    #[cfg(feature = "directory-cache")]
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            time: self.now(),
            tick: matches!(self, Self::System).then(system_tick).flatten(),
        }
    }

    /// What to do if there is no clock at all.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if SYSTEM_HAS_CLOCK || !matches!(self, Self::System) {
            return Ok(());
        }
        Err("this system has no clock: give one with `clock`, or enable the feature `js`")
    }

    /// The present in seconds since 1970, rounded down.
    pub(crate) fn unix_seconds(&self) -> i64 {
        unix_seconds(self.now())
    }
}

/// A point in time to measure from.
///
/// Somebody can set the clock of the system, and its other clock may stand still while the machine
/// sleeps. So both count, and the one that says more is right.
#[cfg(feature = "directory-cache")]
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    time: SystemTime,
    /// Of the clock that cannot be set, if there is one.
    tick: Option<Instant>,
}

#[cfg(feature = "directory-cache")]
impl Moment {
    /// How long it is since `earlier`; `None` if the clock was set back.
    pub(crate) fn since(self, earlier: Self) -> Option<Duration> {
        let time = self.time.duration_since(earlier.time).ok();
        let ticks = self.tick.zip(earlier.tick);
        let ticked = ticks.map(|(now, then)| now.saturating_duration_since(then));
        // `None` is less than each duration.
        time.max(ticked)
    }
}

/// `wasm32-unknown-unknown` has no such clock.
#[cfg(feature = "directory-cache")]
fn system_tick() -> Option<Instant> {
    let has_ticks = cfg!(not(all(target_family = "wasm", target_os = "unknown")));
    has_ticks.then(Instant::now)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Given(_) => f.write_str("Given"),
            Self::Fixed(time) => f.debug_tuple("Fixed").field(time).finish(),
        }
    }
}

/// Outside of JavaScript, `wasm32-unknown-unknown` has no clock.
const SYSTEM_HAS_CLOCK: bool = cfg!(not(all(
    target_family = "wasm",
    target_os = "unknown",
    not(feature = "js")
)));

/// For the test that nothing asks the system if a clock is given.
#[cfg(hmac_auth_no_system_clock)]
fn system_now() -> SystemTime {
    panic!("the clock of the system was read")
}

/// At the end of time, every signature is too old: without a clock, nothing is accepted.
#[cfg(not(hmac_auth_no_system_clock))]
fn system_now() -> SystemTime {
    #[cfg(all(target_family = "wasm", target_os = "unknown", feature = "js"))]
    {
        web_time::web::SystemTimeExt::to_std(web_time::SystemTime::now())
    }
    #[cfg(not(all(target_family = "wasm", target_os = "unknown", feature = "js")))]
    if SYSTEM_HAS_CLOCK {
        SystemTime::now()
    } else {
        UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs())
    }
}

/// Seconds since 1970, rounded down.
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -whole_seconds(before.duration()),
    }
}

/// Seconds since 1970, rounded up.
#[cfg(feature = "redis")]
pub(crate) fn unix_seconds_up(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => whole_seconds(after),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// A time as an integer of RFC 9651, which has at most 15 digits (section 3.3.1).
pub(crate) fn in_range(seconds: Option<i64>) -> Option<i64> {
    const MAX: u64 = 999_999_999_999_999;
    seconds.filter(|seconds| seconds.unsigned_abs() <= MAX)
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

/// Does the work, and says how long it took. WebAssembly has no such clock everywhere, so nothing is
/// measured there.
#[cfg(feature = "metrics")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Option<Duration>) {
    if cfg!(target_family = "wasm") {
        return (work(), None);
    }
    let start = std::time::Instant::now();
    let result = work();
    (result, Some(start.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_on_both_sides_of_1970() {
        assert_eq!(unix_seconds(UNIX_EPOCH), 0);
        assert_eq!(unix_seconds(UNIX_EPOCH + Duration::from_millis(1_999)), 1);
        assert_eq!(unix_seconds(UNIX_EPOCH - Duration::from_millis(1)), -1);
        assert_eq!(unix_seconds(UNIX_EPOCH - Duration::from_secs(1)), -1);
    }

    #[cfg(feature = "redis")]
    #[test]
    fn seconds_round_up_on_both_sides_of_1970() {
        assert_eq!(unix_seconds_up(UNIX_EPOCH), 0);
        assert_eq!(unix_seconds_up(UNIX_EPOCH + Duration::from_millis(1)), 1);
        assert_eq!(
            unix_seconds_up(UNIX_EPOCH - Duration::from_millis(1_999)),
            -1
        );
        assert_eq!(unix_seconds_up(UNIX_EPOCH - Duration::from_millis(999)), 0);
    }

    #[test]
    fn durations_round_up_and_saturate() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(60)), 60);
        assert_eq!(whole_seconds(Duration::MAX), i64::MAX);
    }

    #[cfg(feature = "directory-cache")]
    #[test]
    fn the_system_counts_ticks() {
        assert!(system_tick().is_some());
    }

    #[test]
    fn times_survive_the_round_trip() {
        for seconds in [0, 1, -1, 1_618_884_473, -62_135_596_800] {
            assert_eq!(system_time(seconds).map(unix_seconds), Some(seconds));
        }
    }
}
