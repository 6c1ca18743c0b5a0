//! The kind of person who looks at the page that sends an app instance.

use super::payload::Payload;

/// The kind of person who looks at the page that sends an app instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// The owner of the site: has the permission, is logged in, and is no visitor.
    Owner,
    /// A logged-in member of the site or user of Wix.
    Member,
    /// A visitor who is not logged in.
    Visitor,
    /// The app instance does not say it, as on a cached page. Never an owner.
    Unknown,
}

impl Identity {
    pub(super) fn of(payload: &Payload) -> Self {
        let has_permission = payload.permissions.as_deref() == Some("OWNER");
        match (&payload.user_id, &payload.anonymous_id) {
            (Some(_), None) if has_permission => Self::Owner,
            (Some(_), _) => Self::Member,
            (None, Some(_)) => Self::Visitor,
            (None, None) => Self::Unknown,
        }
    }
}
