use super::{component::Component, syntax::text};
use crate::shown::shown;

/// Why a signature base cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// A covered component that the message does not have, or a query parameter that it does not have exactly once.
    #[error("{component} is covered but not in the message, or not exactly once")]
    Absent {
        /// The identifier.
        component: String,
    },
    /// An identifier that is not defined for such a message, or that this crate does not implement: `sf`, `key` and `tr`.
    #[error("{component} is not a supported component of this message")]
    Unsupported {
        /// The identifier.
        component: String,
    },
    /// A value with a byte that is not ASCII: percent-encode it, or cover the field with `bs`.
    #[error("the value of {component} is not ASCII")]
    NotAscii {
        /// The identifier.
        component: String,
    },
    /// A field of more than 8 KiB, a base of more than 32 KiB, more than 8 query parameters one by one, or one of
    /// a query of more than 8 KiB.
    #[error("with {component}, the signature base gets too large")]
    TooLarge {
        /// The identifier.
        component: String,
    },
    /// Neither the request target nor a `Host` field names an authority.
    #[error("no authority: give the URI a host, or add a `Host` field")]
    NoAuthority,
    /// The request target and the `Host` fields name different authorities, or there are several `Host` fields.
    #[error("conflicting authorities: the URI and the `Host` fields must agree on one")]
    ConflictingAuthority,
    /// The authority is not `host` or `host:port`; user information is not allowed.
    #[error(
        "invalid authority `{authority}`: give `host` or `host:port`, without user information"
    )]
    InvalidAuthority {
        /// What stands there, escaped and cut.
        authority: String,
    },
}

/// Why the line of a component cannot be written: small, because each line may be one, and named only when it fails.
pub(super) enum Problem {
    Absent,
    Unsupported,
    NotAscii,
    TooLarge,
    Authority(BaseError),
}

impl Problem {
    #[cold]
    pub(super) fn with(self, component: &Component<'_>) -> BaseError {
        let component = || identifier(component);
        match self {
            Self::Absent => BaseError::Absent {
                component: component(),
            },
            Self::Unsupported => BaseError::Unsupported {
                component: component(),
            },
            Self::NotAscii => BaseError::NotAscii {
                component: component(),
            },
            Self::TooLarge => BaseError::TooLarge {
                component: component(),
            },
            Self::Authority(error) => error,
        }
    }
}

/// An identifier for an error; it is printable ASCII, but may be long.
fn identifier(component: &Component<'_>) -> String {
    let mut identifier = Vec::with_capacity(64);
    component.write_identifier(&mut identifier);
    if identifier.len() > 64 {
        shown(text(&identifier))
    } else {
        String::from_utf8(identifier).expect("ASCII")
    }
}
