//! The files of one name: where they are, their state, and their content.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{identity::Identity, regular};
use crate::secret::{
    MAX_PREVIOUS_SECRETS, Secret, SecretEncoding, SecretSet,
    error::{SecretError, unusable},
};

/// The file of the current secret and those of the previous ones, the most recent first.
const SUFFIXES: [&str; 1 + MAX_PREVIOUS_SECRETS] = ["", ".previous", ".previous-2", ".previous-3"];

const REVOKED: &str = ".revoked";

/// The state of each file with a secret; `None` for a file that does not exist.
pub(super) type States = [Option<Identity>; 1 + MAX_PREVIOUS_SECRETS];

pub(super) struct Files<'a> {
    directory: &'a Path,
    name: &'a str,
    secrets: [PathBuf; 1 + MAX_PREVIOUS_SECRETS],
    marker: PathBuf,
}

/// What there is of the files of a name.
pub(super) enum Found<T> {
    /// The file of the current secret is there.
    Secret(T),
    /// The file of the current secret is there, but it or another one is not usable.
    Unusable(Unusable),
    /// The file of the current secret is not in its directory.
    Missing,
    /// There is a file that revokes the secret.
    Marker,
    /// There is no directory to look into.
    NoDirectory(SecretError),
}

/// Why files are not usable.
pub(super) struct Unusable {
    pub(super) error: SecretError,
    /// The current secret, if only another file is not usable.
    pub(super) current: Option<Secret>,
}

impl From<SecretError> for Unusable {
    fn from(error: SecretError) -> Self {
        Self {
            error,
            current: None,
        }
    }
}

impl<T> Found<T> {
    pub(super) fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, Unusable>) -> Found<U> {
        match self {
            Self::Secret(state) => read(state).map_or_else(Found::Unusable, Found::Secret),
            Self::Unusable(error) => Found::Unusable(error),
            Self::Missing => Found::Missing,
            Self::Marker => Found::Marker,
            Self::NoDirectory(error) => Found::NoDirectory(error),
        }
    }
}

impl<'a> Files<'a> {
    pub(super) fn new(directory: &'a Path, name: &'a str) -> Result<Self, SecretError> {
        if !is_name(name) {
            return Err(SecretError::InvalidName {
                name: name.to_owned(),
            });
        }
        let path = |suffix| directory.join(format!("{name}{suffix}"));
        Ok(Self {
            directory,
            name,
            secrets: SUFFIXES.map(path),
            marker: path(REVOKED),
        })
    }

    /// Asks for the state of each file, and opens none.
    pub(super) fn look(&self) -> Found<States> {
        match fs::symlink_metadata(&self.marker) {
            Ok(_) => return Found::Marker,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Found::Unusable(self.unreadable(&self.marker, error).into()),
        }
        let mut states = [None; 1 + MAX_PREVIOUS_SECRETS];
        for (state, path) in states.iter_mut().zip(&self.secrets) {
            *state = match Identity::of(path) {
                Ok(state) => state,
                Err(error) => return Found::Unusable(self.unreadable(path, error).into()),
            };
        }
        if states[0].is_some() {
            return Found::Secret(states);
        }
        match fs::read_dir(self.directory) {
            Ok(_) => Found::Missing,
            Err(source) => Found::NoDirectory(if source.kind() == io::ErrorKind::NotFound {
                SecretError::NotFound {
                    name: self.name.to_owned(),
                    place: format!("{}, nor its directory", file(&self.secrets[0])),
                }
            } else {
                SecretError::Unreadable {
                    name: self.name.to_owned(),
                    place: format!("directory {}", self.directory.display()),
                    source,
                }
            }),
        }
    }

    /// Reads the files that were there.
    pub(super) fn read(
        &self,
        states: &States,
        encoding: SecretEncoding,
    ) -> Result<SecretSet, Unusable> {
        let current = self.read_one(&self.secrets[0], encoding)?;
        let mut previous = Vec::with_capacity(MAX_PREVIOUS_SECRETS);
        let there = self.secrets.iter().zip(states).skip(1);
        for (path, _) in there.filter(|(_, state)| state.is_some()) {
            match self.read_one(path, encoding) {
                Ok(secret) => previous.push(secret),
                Err(error) => {
                    let current = Some(current);
                    return Err(Unusable { error, current });
                }
            }
        }
        Ok(SecretSet::with_previous(current, previous)?)
    }

    fn read_one(&self, path: &Path, encoding: SecretEncoding) -> Result<Secret, SecretError> {
        let content = regular::read(path).map_err(|error| self.unreadable(path, error))?;
        Secret::from_configured(&content, encoding).map_err(|source| {
            let is_previous = *path != self.secrets[0];
            unusable(self.name, &file(path), is_previous, source)
        })
    }

    /// The error about a secret that has no file.
    pub(super) fn missing(&self) -> SecretError {
        SecretError::NotFound {
            name: self.name.to_owned(),
            place: file(&self.secrets[0]),
        }
    }

    /// The error about a secret whose file was there, and is gone.
    pub(super) fn removed(&self) -> SecretError {
        SecretError::Revoked {
            name: self.name.to_owned(),
            reason: format!(
                "{} is gone; to accept it again, put the file back",
                file(&self.secrets[0])
            ),
        }
    }

    /// The error about a secret with a marker.
    pub(super) fn marked(&self) -> SecretError {
        SecretError::Revoked {
            name: self.name.to_owned(),
            reason: format!(
                "there is {}; to accept it again, remove that file",
                file(&self.marker)
            ),
        }
    }

    fn unreadable(&self, path: &Path, source: io::Error) -> SecretError {
        SecretError::Unreadable {
            name: self.name.to_owned(),
            place: file(path),
            source,
        }
    }
}

fn file(path: &Path) -> String {
    format!("file {}", path.display())
}

/// Whether a secret can have this name: a plain file name, and without an ending that has a
/// meaning here. Some file systems ignore the case of letters, and some a dot at the end.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !has_reserved_ending(name)
}

/// `.previous` and `.revoked`, and the first one with any number.
fn has_reserved_ending(name: &str) -> bool {
    let without_age = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let previous = without_age.strip_suffix('-').unwrap_or(without_age);
    let ends = |name: &str, ending: &str| {
        let start = name.len().checked_sub(ending.len());
        start.is_some_and(|start| name[start..].eq_ignore_ascii_case(ending))
    };
    ends(name, REVOKED) || ends(previous, SUFFIXES[1])
}
