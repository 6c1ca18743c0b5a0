//! A file for a program that this one starts.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use hmac_auth::generate_secret;

use super::Failure;

/// A file that only this user can read. It ends with this value.
pub(super) struct TemporaryFile {
    path: PathBuf,
}

impl TemporaryFile {
    pub(super) fn with(content: &[u8]) -> Result<Self, Failure> {
        // Nobody can guess the name, and a file of this name that is there already is an error.
        let path = env::temp_dir().join(format!("hmac-auth-{}", generate_secret()?));
        // The configuration of curl is text, and names the file.
        if path.to_str().is_none() {
            return Err(
                "the name of the directory for temporary files is no text: set `TMPDIR`, or \
                        `TMP` on Windows, to another one"
                    .into(),
            );
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let cannot_write = |error| format!("cannot write {}: {error}", path.display());
        let mut file = options.open(&path).map_err(cannot_write)?;
        let written = file.write_all(content).map_err(cannot_write);
        let this = Self { path };
        written?;
        Ok(this)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
