//! Where the secret comes from: a file, an environment variable or standard input.

use std::{
    env,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use hmac_auth::{
    EnvSecrets, FileSecrets, MemorySecrets, Secret, SecretEncoding, SecretError, SecretStore,
};
use zeroize::Zeroizing;

use super::Failure;

const DEFAULT_VARIABLE: &str = "HMAC_AUTH_SECRET";

/// The name of a secret that has neither a file nor a variable.
const NAME: &str = "standard-input";

/// How long a secret on standard input may be, in bytes.
const MAX_LEN: usize = 4096;

#[derive(Args)]
#[group(id = "source", multiple = true)]
pub(super) struct SecretSource {
    /// The file of the secret; beside it, `FILE.previous` is the one before the last rotation
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_env", "secret_stdin"])]
    secret_file: Option<PathBuf>,
    /// The environment variable of the secret, in upper case [default: `HMAC_AUTH_SECRET`]
    #[arg(long, value_name = "NAME", value_parser = parse_variable, conflicts_with = "secret_stdin")]
    secret_env: Option<String>,
    /// Read the secret from standard input
    #[arg(long)]
    secret_stdin: bool,
    /// How the secret is written [default: text]
    #[arg(long, value_enum, conflicts_with = "hex")]
    encoding: Option<Encoding>,
    /// The secret is hexadecimal: `--encoding hex`
    #[arg(long)]
    hex: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Encoding {
    /// The UTF-8 text is the secret
    Text,
    /// Hexadecimal digits
    Hex,
    /// Base64, with padding
    Base64,
    /// The bytes of the file are the secret
    Raw,
}

impl Encoding {
    fn of_library(self) -> SecretEncoding {
        match self {
            Self::Text => SecretEncoding::Text,
            Self::Hex => SecretEncoding::Hex,
            Self::Base64 => SecretEncoding::Base64,
            Self::Raw => SecretEncoding::Raw,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Raw => "raw",
        }
    }
}

/// A store, and the name of the secret in it.
pub(super) struct Source {
    pub(super) store: Box<dyn SecretStore>,
    pub(super) name: String,
}

impl SecretSource {
    /// Opens the store. Reads standard input if the secret is there.
    ///
    /// The value of an option may be the secret itself, by mistake. If there is no such place, the
    /// error names the option alone.
    pub(super) fn open(&self) -> Result<Source, Failure> {
        let source = self.open_as(self.encoding())?;
        let option = match (&self.secret_file, &self.secret_env) {
            (Some(_), _) => "file of `--secret-file`",
            (_, Some(_)) => "variable of `--secret-env`",
            (None, None) => return Ok(source),
        };
        match source.store.lookup(&source.name) {
            Err(SecretError::NotFound { .. }) => Err(format!(
                "the {option} does not exist: name the place of the secret, not the secret"
            )
            .into()),
            Err(SecretError::InvalidName { .. }) => Err(format!(
                "the name of the {option} cannot be that of a secret: use letters, digits, `-`, `_` \
                 and `.`, and no ending such as `.previous` or `_PREVIOUS`"
            )
            .into()),
            Err(SecretError::Unreadable { source, .. }) => {
                // `FILE.previous` and `FILE.revoked` are read too.
                Err(format!("the {option} or one beside it cannot be read: {source}").into())
            }
            // The value is the name of a place, or there is a secret.
            _ => Ok(source),
        }
    }

    pub(super) fn reads_stdin(&self) -> bool {
        self.secret_stdin
    }

    /// Whether the user has named a place, or the variable that counts otherwise is there.
    pub(super) fn is_given(&self) -> bool {
        self.secret_stdin
            || self.secret_file.is_some()
            || self.secret_env.is_some()
            || env::var_os(DEFAULT_VARIABLE).is_some()
    }

    pub(super) fn encoding(&self) -> Encoding {
        if self.hex {
            Encoding::Hex
        } else {
            self.encoding.unwrap_or(Encoding::Text)
        }
    }

    /// Opens the store as if the secret were written in another way.
    pub(super) fn open_as(&self, encoding: Encoding) -> Result<Source, Failure> {
        let encoding = encoding.of_library();
        if self.secret_stdin {
            return from_stdin(encoding);
        }
        if let Some(path) = &self.secret_file {
            return from_file(path, encoding);
        }
        let variable = self.secret_env.as_deref().unwrap_or(DEFAULT_VARIABLE);
        Ok(Source {
            store: Box::new(EnvSecrets::new("").encoding(encoding)),
            // The store asks for the name in upper case, with `_` for `-`.
            name: variable.to_ascii_lowercase().replace('_', "-"),
        })
    }
}

fn from_file(path: &Path, encoding: SecretEncoding) -> Result<Source, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or("the value of `--secret-file` is no name of a file")?;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    Ok(Source {
        store: Box::new(FileSecrets::new(directory).encoding(encoding)),
        name: name.to_owned(),
    })
}

fn from_stdin(encoding: SecretEncoding) -> Result<Source, Failure> {
    // Room for all of it at once: a growing buffer would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_LEN));
    let limit = u64::try_from(MAX_LEN + 1)?;
    io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_LEN {
        return Err(format!(
            "standard input has more than {MAX_LEN} bytes: give it the secret alone"
        )
        .into());
    }
    let secrets = MemorySecrets::new();
    secrets.insert(NAME, Secret::from_configured(&bytes, encoding)?);
    Ok(Source {
        store: Box::new(secrets),
        name: NAME.to_owned(),
    })
}

fn parse_variable(text: &str) -> Result<String, String> {
    let is_upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if text.is_empty() || !text.bytes().all(is_upper) {
        return Err("name a variable of upper-case letters, digits and `_`".to_owned());
    }
    Ok(text.to_owned())
}
