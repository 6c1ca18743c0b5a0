//! Secrets from files.

use std::{collections::HashMap, fmt, path::PathBuf, sync::PoisonError, time::SystemTime};

use super::{SecretEncoding, error::SecretError, set::SecretSet, store::SecretStore};
use crate::{
    sync::{AtomicU64, Ordering, RwLock},
    time::Clock,
};

use self::{
    files::{Files, Found, States, Unusable},
    history::{Good, History, is_over},
    identity::SHOWS_EVERY_CHANGE,
};

mod files;
mod history;
mod identity;
mod regular;

/// How often files are read that change while they are read.
const MAX_ATTEMPTS: usize = 3;

/// Secrets from a directory with one file a name, as Docker and Kubernetes mount them.
///
/// Previous secrets are optional, in `name.previous`, `name.previous-2` and `name.previous-3`. A
/// file `name.revoked` revokes the secret. No secret has a name with such an ending. One line break
/// at the end of a text is not part of the secret; whatever else looks like an accident is an
/// error: quotation marks around the text, a blank at its end, a byte order mark.
///
/// # Changes
///
/// A look-up asks for the state of the files, and opens none that is unchanged: its length, its
/// times of modification and of change (ctime), its inode and its device. So the host uses a new
/// secret without a restart, whatever date its file has. Where files have no ctime, as on Windows,
/// they are also read again every 5 s.
///
/// | the file `name` | the store |
/// | --- | --- |
/// | was good, is there, and is unusable: unreadable, empty or malformed | gives the last good set for 5 s from the first failure, with an event (feature `tracing`); then an error, 503 |
/// | was good, and is missing from its directory | gives no set: for 5 s an error, 503; then the secret is revoked, 401 |
/// | has a `name.revoked` beside it | gives no set: the secret is revoked, 401, also after a restart |
/// | was missing from the start, or its directory is gone | gives no set: an error, 503 |
///
/// Replace a file by renaming another one to its name, so that nobody reads one half of it.
///
/// ```no_run
/// use hmac_auth::FileSecrets;
///
/// let secrets = FileSecrets::new("/run/secrets");
/// ```
pub struct FileSecrets {
    directory: PathBuf,
    encoding: SecretEncoding,
    clock: Clock,
    /// Names that had a good set once.
    known: RwLock<HashMap<String, Known>>,
    /// How often files were read, or begun to be read.
    reads: AtomicU64,
}

/// The history of a name, and the number of the reading that it comes from.
struct Known {
    number: u64,
    history: History,
}

impl FileSecrets {
    /// A store over the files of `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            encoding: SecretEncoding::Text,
            clock: Clock::default(),
            known: RwLock::default(),
            reads: AtomicU64::new(0),
        }
    }

    /// How the files spell their bytes. Default: [`SecretEncoding::Text`].
    #[must_use]
    pub fn encoding(mut self, encoding: SecretEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Takes the present from this clock, and never from the system. Default: the clock of the
    /// system.
    ///
    /// It measures the 5 s of an unusable or missing file. The store also compares it with the times
    /// of the files: one that has just changed is read again for each look-up, because it may change
    /// again in the same tick of its file system. A clock that is far from that of the files is no
    /// measure for this, so they are then read once.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// The set that was read from files in these states.
    fn kept(&self, name: &str, states: &States) -> Option<SecretSet> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match &known.get(name)?.history {
            History::Good(good) if good.states == *states => {
                let counts = good.is_at_rest()
                    && (SHOWS_EVERY_CHANGE || !is_over(good.read_at, self.clock.now()));
                counts.then(|| good.set.clone())
            }
            _ => None,
        }
    }

    /// Reads files until none has changed meanwhile: a rotation that is seen in part would leave
    /// out a secret.
    fn read(&self, files: &Files<'_>, mut found: Found<States>) -> (u64, Found<Good>) {
        let mut attempts = 0;
        loop {
            // Of this attempt: what it reads may have changed after the first one.
            let read_at = self.clock.now();
            let number = self.reads.fetch_add(1, Ordering::SeqCst);
            let Found::Secret(states) = found else {
                return (number, found.and_then(|_| Err(files.missing().into())));
            };
            let read = files.read(&states, self.encoding);
            attempts += 1;
            found = files.look();
            let is_unchanged = matches!(&found, Found::Secret(after) if *after == states);
            if is_unchanged || attempts == MAX_ATTEMPTS {
                let good = |set| Good {
                    set,
                    states,
                    read_at,
                };
                return (number, Found::Secret(read).and_then(|read| read.map(good)));
            }
        }
    }

    /// Takes note of what was found, and decides what it means for a name with this history. Returns
    /// `None` if a later reading has taken note before, so that this one counts no more.
    fn settle(
        &self,
        name: &str,
        files: &Files<'_>,
        (number, found): (u64, Found<Good>),
    ) -> Option<Result<SecretSet, SecretError>> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: no other thread takes note of a later time before this one.
        let now = self.clock.now();
        let mut history = known.get_mut(name);
        if let Some(known) = &mut history {
            if known.number > number {
                return None;
            }
            known.number = number;
        }
        let history = history.map(|known| &mut known.history);
        Some(match found {
            Found::Secret(good) => {
                let set = good.set.clone();
                let history = History::Good(Box::new(good));
                known.insert(name.to_owned(), Known { number, history });
                Ok(set)
            }
            Found::Unusable(Unusable { error, current }) => {
                let is_first = matches!(history, Some(History::Good(_)));
                let Some(last_good) = history.and_then(|history| history.fail(now)) else {
                    return Some(Err(error));
                };
                // Whoever listens may look up a secret.
                drop(known);
                if is_first {
                    report(name, &error);
                }
                Ok(match current {
                    // A consumer may have it already.
                    Some(current) if !last_good.begins_with(&current) => last_good.rotated(current),
                    _ => last_good,
                })
            }
            Found::Missing => match history.map(|history| history.lose(now)) {
                Some(since) if is_over(since, now) => Err(files.removed()),
                _ => Err(files.missing()),
            },
            Found::Marker => {
                if let Some(history) = history {
                    history.lose(now);
                }
                Err(files.marked())
            }
            Found::NoDirectory(error) => Err(error),
        })
    }
}

/// Says that a file is unusable, and that its last good content counts for now.
#[cfg(feature = "tracing")]
fn report(name: &str, error: &SecretError) {
    tracing::warn!(
        target: "hmac_auth",
        secret_name = name,
        reason = %error,
        source = std::error::Error::source(error).map(tracing::field::display),
        "a secret is unusable: its last good content counts for 5 s"
    );
}

#[cfg(not(feature = "tracing"))]
fn report(_: &str, _: &SecretError) {}

impl SecretStore for FileSecrets {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        let files = Files::new(&self.directory, name)?;
        loop {
            let found = files.look();
            if let Found::Secret(states) = &found {
                if let Some(set) = self.kept(name, states) {
                    return Ok(set);
                }
            }
            let found = self.read(&files, found);
            if let Some(settled) = self.settle(name, &files, found) {
                return settled;
            }
        }
    }
}

impl fmt::Debug for FileSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSecrets")
            .field("directory", &self.directory)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_thread_has_read_later_counts() {
        let directory = tempfile::tempdir().unwrap();
        let secrets = FileSecrets::new(directory.path());
        let files = Files::new(directory.path(), "a").unwrap();
        let read = |content: &str| {
            std::fs::write(directory.path().join("a"), content).unwrap();
            secrets.read(&files, files.look())
        };
        let earlier = read("a secret that was replaced");
        let later = read("the secret that is there now");
        let settled = secrets.settle("a", &files, later).unwrap().unwrap();
        assert!(secrets.settle("a", &files, earlier).is_none());
        let now = secrets.lookup("a").unwrap();
        assert!(now.fingerprints().eq(settled.fingerprints()));
    }
}
