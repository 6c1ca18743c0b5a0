//! The id and the secret of an app.

use std::fmt;

use zeroize::Zeroizing;

/// The id and the secret of an app, from the OAuth page of its dashboard.
///
/// The secret is wiped when this value is dropped, and `Debug` does not show the secret.
pub struct AppCredentials {
    app_id: Box<str>,
    app_secret: Zeroizing<String>,
}

impl AppCredentials {
    /// The credentials as the dashboard shows them.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if a value is empty, or if it begins or ends with whitespace, such as
    /// the end of a line in a file.
    pub fn new(
        app_id: impl Into<Box<str>>,
        app_secret: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let (app_id, app_secret) = (app_id.into(), Zeroizing::new(app_secret.into()));
        check_value("app id", &app_id)?;
        check_value("app secret", &app_secret)?;
        Ok(Self { app_id, app_secret })
    }

    /// The id of the app. Wix calls it the client id of the app's access tokens.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    pub(super) fn app_secret(&self) -> &str {
        &self.app_secret
    }
}

impl fmt::Debug for AppCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentials")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// Why a value cannot be right. The error names the value and never shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The value is empty, or only whitespace.
    #[error("the {name} is empty: take it from the OAuth page of the app's dashboard")]
    Empty {
        /// The name of the value.
        name: &'static str,
    },
    /// The value begins or ends with whitespace.
    #[error("the {name} begins or ends with whitespace: trim it after reading it from a file")]
    Untrimmed {
        /// The name of the value.
        name: &'static str,
    },
}

pub(super) fn check_value(name: &'static str, value: &str) -> Result<(), CredentialsError> {
    match value.trim() {
        "" => Err(CredentialsError::Empty { name }),
        trimmed if trimmed.len() < value.len() => Err(CredentialsError::Untrimmed { name }),
        _ => Ok(()),
    }
}
