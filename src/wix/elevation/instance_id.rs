//! The id of one installation of an app.

use std::{fmt, sync::Arc};

use super::credentials::{CredentialsError, check_value};
use crate::wix::app_instance::AppInstance;

/// One installation of an app on one site. Cheap to clone.
///
/// A [`TokenInfo`](super::TokenInfo) has an instance id, and an [`AppInstance`] converts into one.
/// A job without a visitor makes it from the id that the application has stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// An instance id that the application knows.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if the id is empty, or if it begins or ends with whitespace.
    ///
    /// # Security
    ///
    /// The id decides on which site the app acts, so it must not come from a peer.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, CredentialsError> {
        let text = text.into();
        check_value("instance id", &text)?;
        Ok(Self(text))
    }

    /// The id as Wix wrote it.
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
