//! The subject that caused an event.

use serde_json::Value;

/// The subject that caused an event, as Wix says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookIdentity {
    /// A visitor of the site who is not logged in: `anonymousVisitorId`.
    AnonymousVisitor(Box<str>),
    /// A logged-in member of the site: `memberId`.
    Member(Box<str>),
    /// A user of Wix, such as the owner of the site: `wixUserId`.
    WixUser(Box<str>),
    /// An app: `appId`.
    App(Box<str>),
    /// Another `identityType`, or one without its id: the JSON text as Wix wrote it.
    Unknown(Box<str>),
}

impl WebhookIdentity {
    /// Reads what stands in `identity`: a JSON text, or the object itself. `None` if it is empty.
    pub(super) fn read(identity: &Value) -> Option<Self> {
        let (text, object) = match identity {
            Value::Null => return None,
            Value::String(text) if text.is_empty() || text == "null" => return None,
            Value::String(text) => (
                text.clone(),
                serde_json::from_str(text).unwrap_or(Value::Null),
            ),
            other => (other.to_string(), other.clone()),
        };
        let id = |name: &str| match &object[name] {
            Value::String(id) if !id.is_empty() => Some(Box::from(&**id)),
            _ => None,
        };
        let known = match object["identityType"].as_str() {
            Some("ANONYMOUS_VISITOR") => id("anonymousVisitorId").map(Self::AnonymousVisitor),
            Some("MEMBER") => id("memberId").map(Self::Member),
            Some("WIX_USER") => id("wixUserId").map(Self::WixUser),
            Some("APP") => id("appId").map(Self::App),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Self::Unknown(text.into())))
    }

    /// The id of the subject. `None` for an unknown one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::AnonymousVisitor(id) | Self::Member(id) | Self::WixUser(id) | Self::App(id) => {
                Some(id)
            }
            Self::Unknown(_) => None,
        }
    }
}
