//! Why a signature base cannot be built.

use crate::{
    escape::{escape, push_escaped},
    message::AuthorityError,
    structured::text,
};

/// Why a signature base cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// The message does not have a covered component, or does not have a query parameter exactly
    /// once.
    #[error("{component} is covered but not in the message, or not exactly once")]
    Absent {
        /// The identifier.
        component: String,
    },
    /// An identifier is not defined for such a message, or this crate does not implement it: `sf`,
    /// `key` and `tr`.
    #[error("{component} is not a supported component of this message")]
    Unsupported {
        /// The identifier.
        component: String,
    },
    /// A value has a byte that is not ASCII.
    #[error("the value of {component} is not ASCII: {}", ascii_remedy(component))]
    NotAscii {
        /// The identifier.
        component: String,
    },
    /// A field has more than 8 KiB, the base has more than 32 KiB, the signature covers more than 8
    /// query parameters one by one, or covers one of a query of more than 8 KiB or of more than 128
    /// parameters.
    #[error("with {component}, the signature base gets too large")]
    TooLarge {
        /// The identifier.
        component: String,
    },
    /// The request has no authority that could be signed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// What to do about a value that is not ASCII.
pub(crate) fn ascii_remedy(component: &str) -> &'static str {
    if component.starts_with("\"@") {
        "percent-encode it in the URL (as UTF-8)"
    } else {
        "send the field in ASCII, percent-encoded for example, or cover it with the parameter `bs`"
    }
}

/// Why the value of a component cannot be written. Small, because each value may be one.
pub(super) enum ValueError {
    Absent,
    Unsupported,
    NotAscii,
    TooLarge,
    Authority(AuthorityError),
}

impl ValueError {
    /// For a component without parameters.
    #[cold]
    pub(super) fn of_plain(self, name: &str) -> BaseError {
        self.of(format!("\"{name}\"").as_bytes())
    }

    #[cold]
    pub(super) fn of(self, identifier: &[u8]) -> BaseError {
        let component = escape_identifier(text(identifier));
        match self {
            Self::Absent => BaseError::Absent { component },
            Self::Unsupported => BaseError::Unsupported { component },
            Self::NotAscii => BaseError::NotAscii { component },
            Self::TooLarge => BaseError::TooLarge { component },
            Self::Authority(error) => BaseError::Authority(error),
        }
    }
}

/// Escapes an identifier, whose parameters and unusual names a peer may have made to look like
/// something else in a log.
fn escape_identifier(identifier: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '-' | '_' | '.');
    let name = identifier
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match name.filter(|name| name.chars().all(is_of_name)) {
        Some(name) => {
            // Room for all of it: to refuse takes no more allocations than to accept.
            let mut quoted = String::with_capacity(identifier.len().min(80));
            quoted.push('"');
            push_escaped(&mut quoted, name);
            quoted.push('"');
            quoted
        }
        None => escape(identifier),
    }
}

impl From<AuthorityError> for ValueError {
    fn from(error: AuthorityError) -> Self {
        Self::Authority(error)
    }
}
