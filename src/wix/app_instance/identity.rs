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
        let is_there = |id: &Option<Box<str>>| id.as_ref().is_some_and(|id| !id.is_empty());
        let has_permission = payload.permissions.as_deref() == Some("OWNER");
        let is_logged_in = is_there(&payload.user_id);
        // An owner has no `aid` at all, not even an empty one.
        if has_permission && is_logged_in && payload.anonymous_id.is_none() {
            Self::Owner
        } else if is_logged_in {
            Self::Member
        } else if is_there(&payload.anonymous_id) {
            Self::Visitor
        } else {
            Self::Unknown
        }
    }
}
