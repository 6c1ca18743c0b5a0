//! The history of a name that had a good set once.

use std::time::{Duration, SystemTime};

use super::files::States;
use crate::secret::SecretSet;

/// How long the last good set outlives an unusable file, how long a file may be missing before that
/// is a revocation, and how long a file without a ctime is not read again.
const GRACE: Duration = Duration::from_secs(5);

pub(super) enum History {
    /// The files were good when they were read.
    Good(Box<Good>),
    /// The files are there, but not usable.
    Unusable {
        since: SystemTime,
        /// `None` if it must not be used again.
        last_good: Option<SecretSet>,
    },
    /// The file of the current secret is missing, or a marker revokes the secret.
    Lost { since: SystemTime },
}

/// A set, and the files that it was read from.
pub(super) struct Good {
    pub(super) set: SecretSet,
    pub(super) states: States,
    pub(super) read_at: SystemTime,
}

impl Good {
    /// Whether no file could change since it was read without showing the change.
    pub(super) fn is_at_rest(&self) -> bool {
        let mut states = self.states.iter().flatten();
        states.all(|state| state.is_at_rest(self.read_at))
    }
}

impl History {
    /// Takes note that the files are there and cannot be used. Gives the last good set until its
    /// time is over.
    pub(super) fn fail(&mut self, now: SystemTime) -> Option<SecretSet> {
        match self {
            Self::Good(good) => {
                let last_good = Some(good.set.clone());
                *self = Self::Unusable {
                    since: now,
                    last_good,
                };
            }
            // What was gone is accepted again only from a good file.
            Self::Lost { .. } => {
                *self = Self::Unusable {
                    since: now,
                    last_good: None,
                };
            }
            Self::Unusable { since, last_good } if is_over(*since, now) => *last_good = None,
            Self::Unusable { .. } => {}
        }
        match self {
            Self::Unusable { last_good, .. } => last_good.clone(),
            _ => None,
        }
    }

    /// Takes note that the current secret is missing or revoked, and forgets its set. Says since
    /// when.
    pub(super) fn lose(&mut self, now: SystemTime) -> SystemTime {
        if let Self::Lost { since } = self {
            return *since;
        }
        *self = Self::Lost { since: now };
        now
    }
}

/// Whether the time of grace is over. A clock that was set back ends it.
pub(super) fn is_over(since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).map_or(true, |time| time >= GRACE)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::secret::{MAX_PREVIOUS_SECRETS, Secret, file::identity::Identity};

    #[test]
    fn a_set_is_at_rest_when_all_its_files_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "just written").unwrap();
        let mut states = [None; 1 + MAX_PREVIOUS_SECRETS];
        let is_at_rest = |states, read_at| {
            let secret = Secret::from_text("a secret that only the tests know").unwrap();
            let set = SecretSet::new(secret);
            let good = Good {
                set,
                states,
                read_at,
            };
            good.is_at_rest()
        };
        let now = SystemTime::now();
        assert!(is_at_rest(states, now), "no file");
        states[1] = Identity::of(&path).unwrap();
        assert!(!is_at_rest(states, now));
        assert!(is_at_rest(states, now + Duration::from_secs(10)));
    }
}
