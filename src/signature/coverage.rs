//! Which parts of a request a signature covers, as a set.

use std::ops::BitOr;

use super::{component::ComponentName, profile};
use crate::message::KnownField;

/// The parts of a request that a host may require to be covered, besides fields of its own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage(u16);

impl Coverage {
    pub(crate) const NONE: Self = Self(0);
    const METHOD: Self = Self(1);
    const AUTHORITY: Self = Self(1 << 1);
    const PATH: Self = Self(1 << 2);
    pub(crate) const QUERY: Self = Self(1 << 3);
    const SCHEME: Self = Self(1 << 4);
    const TARGET_URI: Self = Self(1 << 5);
    const REQUEST_TARGET: Self = Self(1 << 6);
    pub(crate) const CONTENT_DIGEST: Self = Self(1 << 7);
    pub(crate) const CONTENT_TYPE: Self = Self(1 << 8);
    pub(crate) const CONTENT_ENCODING: Self = Self(1 << 9);

    /// What every request signature of the wire profile covers.
    pub(crate) const ALWAYS: Self = {
        let mut all = Self::NONE;
        let mut index = 0;
        while index < profile::ALWAYS.len() {
            all.0 |= Self::of_derived(&profile::ALWAYS[index]).0;
            index += 1;
        }
        all
    };

    /// The coverage of each field of [`profile::OF_BODY`].
    pub(super) const OF_BODY: [Self; profile::OF_BODY.len()] = {
        let mut each = [Self::NONE; profile::OF_BODY.len()];
        let mut index = 0;
        while index < each.len() {
            each[index] = match profile::OF_BODY[index] {
                KnownField::ContentDigest => Self::CONTENT_DIGEST,
                KnownField::ContentType => Self::CONTENT_TYPE,
                KnownField::ContentEncoding => Self::CONTENT_ENCODING,
                _ => panic!("a field of the profile needs a bit here"),
            };
            index += 1;
        }
        each
    };

    /// The parts with the names of their components, in the order in which a consumer signs them.
    const NAMES: [(Self, &'static str); 10] = [
        (Self::METHOD, "@method"),
        (Self::AUTHORITY, "@authority"),
        (Self::PATH, "@path"),
        (Self::QUERY, "@query"),
        (Self::SCHEME, "@scheme"),
        (Self::TARGET_URI, "@target-uri"),
        (Self::REQUEST_TARGET, "@request-target"),
        (Self::CONTENT_DIGEST, "content-digest"),
        (Self::CONTENT_TYPE, "content-type"),
        (Self::CONTENT_ENCODING, "content-encoding"),
    ];

    /// The coverage of a component without parameters, except fields.
    pub(super) const fn of_derived<T>(name: &ComponentName<T>) -> Self {
        match name {
            ComponentName::Method => Self::METHOD,
            ComponentName::Authority => Self::AUTHORITY,
            ComponentName::Path => Self::PATH,
            ComponentName::Query => Self::QUERY,
            ComponentName::Scheme => Self::SCHEME,
            ComponentName::TargetUri => {
                Self(Self::TARGET_URI.0 | Self::AUTHORITY.0 | Self::PATH.0 | Self::QUERY.0)
            }
            ComponentName::RequestTarget => {
                Self(Self::REQUEST_TARGET.0 | Self::PATH.0 | Self::QUERY.0)
            }
            ComponentName::QueryParam
            | ComponentName::Status
            | ComponentName::Field(_)
            | ComponentName::Unknown(_) => Self::NONE,
        }
    }

    /// The coverage of a field without parameters.
    pub(super) fn of_field(name: &[u8]) -> Self {
        match name {
            b"content-digest" => Self::CONTENT_DIGEST,
            b"content-type" => Self::CONTENT_TYPE,
            b"content-encoding" => Self::CONTENT_ENCODING,
            _ => Self::NONE,
        }
    }

    /// The part that a requirement of this component asks for: nothing less than the component
    /// itself.
    pub(crate) fn required_by(name: &str) -> Self {
        let named = Self::NAMES.iter().find(|(_, part)| *part == name);
        named.map_or(Self::NONE, |(coverage, _)| *coverage)
    }

    pub(crate) fn includes(self, required: Self) -> bool {
        required.without(self) == Self::NONE
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names of the parts, in the order in which a consumer signs them.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let here = move |(part, name)| self.includes(part).then_some(name);
        Self::NAMES.into_iter().filter_map(here)
    }
}

impl BitOr for Coverage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
