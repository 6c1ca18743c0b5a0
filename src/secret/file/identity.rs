//! What tells a changed file from the one that was read.

use std::{
    fs::{self, Metadata},
    io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Whether a change of a file always shows in its identity.
///
/// A file system notes in the *ctime* when it last changed anything about a file. Nobody can set
/// it back, unlike the time of modification.
pub(super) const SHOWS_EVERY_CHANGE: bool = cfg!(unix);

/// The clocks of most file systems tick every 10 ms or faster, those of some only every two
/// seconds. A file that has just changed may change again in the same tick.
const TICK: Duration = Duration::from_millis(100);
const SLOW_TICK: Duration = Duration::from_secs(2);

/// The state of one file. Two states of one path are equal if it is the same file, unchanged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    len: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    node: Node,
}

/// What Unix knows beyond that.
#[cfg(unix)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Node {
    device: u64,
    inode: u64,
    /// Seconds since 1970, and nanoseconds.
    changed: (i64, i64),
}

impl Identity {
    /// The file at `path`, through links; `None` if there is neither a file nor a link.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => fs::metadata(path)?,
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self::from(&metadata)))
    }

    /// Whether the file cannot have changed after `now` without another identity.
    ///
    /// A file from the future is at rest too: its clock is not that of `now`, and whatever changes
    /// the file now gives it another time.
    pub(super) fn is_at_rest(&self, now: SystemTime) -> bool {
        let Some(changed) = self.changed() else {
            return true;
        };
        let in_whole_seconds = changed
            .duration_since(UNIX_EPOCH)
            .is_ok_and(|time| time.subsec_nanos() == 0);
        let tick = if in_whole_seconds { SLOW_TICK } else { TICK };
        let distance = now
            .duration_since(changed)
            .unwrap_or_else(|ahead| ahead.duration());
        distance > tick
    }

    /// The ctime, or the time of modification where there is none.
    fn changed(&self) -> Option<SystemTime> {
        #[cfg(unix)]
        {
            let (seconds, nanoseconds) = self.node.changed;
            let nanoseconds = Duration::from_nanos(nanoseconds.unsigned_abs());
            crate::time::system_time(seconds)?.checked_add(nanoseconds)
        }
        #[cfg(not(unix))]
        self.modified
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;

        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            node: Node {
                device: metadata.dev(),
                inode: metadata.ino(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
        }
    }
}

#[cfg(test)] // Alone, so that cargo-mutants knows the tests.
#[cfg(unix)]
mod tests {
    use super::*;

    /// Changed so many milliseconds after the second 1,000.
    fn changed_at(millis: i64) -> Identity {
        Identity {
            len: 1,
            modified: None,
            node: Node {
                device: 1,
                inode: 1,
                changed: (1_000, millis * 1_000_000),
            },
        }
    }

    #[test]
    fn a_file_is_at_rest_once_its_clock_has_ticked() {
        // A time in whole seconds may be that of a slow clock.
        for (millis, tick) in [(500, 100), (1, 100), (999, 100), (0, 2_000)] {
            let file = changed_at(millis);
            let changed = Duration::from_secs(1_000) + Duration::from_millis(millis.unsigned_abs());
            for (distance, is_at_rest) in [(0, false), (tick, false), (tick + 1, true)] {
                let distance = Duration::from_millis(distance);
                let after = UNIX_EPOCH + changed + distance;
                assert_eq!(file.is_at_rest(after), is_at_rest, "{millis}, {after:?}");
                let before = UNIX_EPOCH + changed - distance;
                assert_eq!(file.is_at_rest(before), is_at_rest, "{millis}, {before:?}");
            }
        }
    }
}
