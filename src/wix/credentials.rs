use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use super::AppInstance;

/// Id and secret of an app, from the OAuth page of its dashboard.
///
/// The secret is wiped when this is dropped, and `Debug` does not show it.
pub struct AppCredentials {
    app_id: Box<str>,
    app_secret: Zeroizing<String>,
}

impl AppCredentials {
    /// The credentials as the dashboard shows them.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if one of them is empty, or begins or ends with whitespace, mostly the end of a line in a file.
    pub fn new(
        app_id: impl Into<Box<str>>,
        app_secret: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let (app_id, app_secret) = (app_id.into(), Zeroizing::new(app_secret.into()));
        check("app id", &app_id)?;
        check("app secret", &app_secret)?;
        Ok(Self { app_id, app_secret })
    }

    /// The id of the app, which its access tokens have as their client id.
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

/// One installation of an app on one site. Cheap to clone.
///
/// A [`TokenInfo`](super::TokenInfo) has one, an [`AppInstance`] can be made into one, and a job without a visitor makes it of
/// what the application has stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// An instance id that the application knows.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if it is empty, or begins or ends with whitespace.
    ///
    /// # Security
    ///
    /// Whoever chooses it chooses the site on which something is done, so it must not come from a peer.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, CredentialsError> {
        let text = text.into();
        check("instance id", &text)?;
        Ok(Self(text))
    }

    /// The id as Wix has written it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&AppInstance> for InstanceId {
    fn from(instance: &AppInstance) -> Self {
        Self(instance.instance_id().into())
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(name: &'static str, value: &str) -> Result<(), CredentialsError> {
    match value.trim() {
        "" => Err(CredentialsError::Empty { name }),
        trimmed if trimmed.len() < value.len() => Err(CredentialsError::Untrimmed { name }),
        _ => Ok(()),
    }
}

/// Why a value cannot be right. Names the value, never shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// There is nothing in it, or only whitespace.
    #[error("the {name} is empty: take it from the OAuth page of the app's dashboard")]
    Empty {
        /// What is empty.
        name: &'static str,
    },
    /// It begins or ends with whitespace.
    #[error("the {name} begins or ends with whitespace: trim it after reading it from a file")]
    Untrimmed {
        /// What has to be trimmed.
        name: &'static str,
    },
}
