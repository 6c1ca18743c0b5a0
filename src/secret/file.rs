//! Secrets from files.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use zeroize::Zeroizing;

use crate::time::Clock;

use super::{
    MAX_PREVIOUS_SECRETS, Secret, SecretEncoding, error::SecretError, set::SecretSet,
    store::SecretStore,
};

/// Larger than any secret; a mistaken path is not read into memory.
const MAX_FILE_LEN: u64 = 64 * 1024;

/// A file that changed less than this before it was read may change again without showing it: the
/// clock of a file system ticks in steps of up to two seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Secrets from a directory with one file a name, as Docker and Kubernetes mount them.
///
/// Previous secrets are optional, in `name.previous`, `name.previous-2` and `name.previous-3`. One
/// trailing newline is not part of the secret. A look-up asks for the state of the files (four
/// `stat` calls), and reads a changed file again. So the host uses a new secret without a restart.
/// While a file is unusable, look-ups fail.
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
    read: RwLock<HashMap<String, Loaded>>,
}

struct Loaded {
    states: [FileState; 1 + MAX_PREVIOUS_SECRETS],
    set: SecretSet,
}

/// What tells a changed file from the one that was read; `None` for a file that does not exist.
type FileState = Option<(SystemTime, u64, u64)>;

impl FileSecrets {
    /// A store over the files of `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            encoding: SecretEncoding::Text,
            clock: Clock::default(),
            read: RwLock::default(),
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
    /// The store compares this clock with the times of the files. A file that is not two seconds old
    /// is read again for each look-up, because it may still change. So a clock that is behind costs
    /// time, and a clock that is ahead could hide a change in the same tick of the file system.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = self.clock.given(clock);
        self
    }

    /// The file of the current secret and those of the previous ones, the most recent first.
    fn paths(&self, name: &str) -> Result<[PathBuf; 1 + MAX_PREVIOUS_SECRETS], SecretError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(SecretError::InvalidName {
                name: name.to_owned(),
            });
        }
        Ok(["", ".previous", ".previous-2", ".previous-3"]
            .map(|suffix| self.directory.join(format!("{name}{suffix}"))))
    }

    fn load(&self, name: &str, paths: &[PathBuf]) -> Result<SecretSet, SecretError> {
        let mut found = Vec::with_capacity(paths.len());
        for path in paths {
            found.push(self.load_file(name, path)?);
        }
        let mut found = found.into_iter();
        let current = found
            .next()
            .flatten()
            .ok_or_else(|| SecretError::NotFound {
                name: name.to_owned(),
                place: format!("file {}", paths[0].display()),
            })?;
        SecretSet::with_previous(current, found.flatten())
    }

    /// The secret in the file at `path`, `None` if there is no such file.
    fn load_file(&self, name: &str, path: &Path) -> Result<Option<Secret>, SecretError> {
        let place = || format!("file {}", path.display());
        let content = match read_limited(path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(SecretError::Unreadable {
                    name: name.to_owned(),
                    place: place(),
                    source,
                });
            }
        };
        std::str::from_utf8(&content)
            .map_err(|_| SecretError::Encoding {
                expected: SecretEncoding::Text,
            })
            .and_then(|text| Secret::decode(without_newline(text), self.encoding))
            .map(Some)
            .map_err(|source| SecretError::Unusable {
                name: name.to_owned(),
                place: place(),
                source: Box::new(source),
            })
    }
}

impl SecretStore for FileSecrets {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        let paths = self.paths(name)?;
        let states = paths.each_ref().map(|path| file_state(path));
        if let Some(loaded) = self
            .read
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
        {
            if loaded.states == states {
                return Ok(loaded.set.clone());
            }
        }
        let read_at = self.clock.now();
        let set = self.load(name, &paths)?;
        // What was read is kept only if it was taken from files at rest: the state from before the
        // reading stands for it.
        let settled = |state: &FileState| {
            state.is_none_or(|(modified, ..)| {
                modified
                    .checked_add(SETTLED_AFTER)
                    .is_some_and(|at| at < read_at)
            })
        };
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if states.iter().all(settled) {
            read.insert(
                name.to_owned(),
                Loaded {
                    states,
                    set: set.clone(),
                },
            );
        } else {
            read.remove(name);
        }
        Ok(set)
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

fn read_limited(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // Room for the whole file at once: a growing buffer would leave copies of the secret behind.
    let len = file.metadata()?.len();
    if len > MAX_FILE_LEN {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it has more than 64 KiB",
        ));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(
        usize::try_from(len).unwrap_or_default() + 1,
    ));
    file.take(MAX_FILE_LEN).read_to_end(&mut content)?;
    Ok(content)
}

fn without_newline(text: &str) -> &str {
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text)
}

fn file_state(path: &Path) -> FileState {
    let metadata = fs::metadata(path).ok()?;
    Some((
        metadata.modified().ok()?,
        metadata.len(),
        file_id(&metadata),
    ))
}

/// Kubernetes replaces a file by switching a link, perhaps to one of the same age and length.
#[cfg(unix)]
fn file_id(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_id(_: &fs::Metadata) -> u64 {
    0
}
