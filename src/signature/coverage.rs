use std::ops::BitOr;

use super::{CONTENT_DIGEST, ComponentName};

/// The parts of a request that a host may require to be covered, besides fields of its own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage(u8);

impl Coverage {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const METHOD: Self = Self(1);
    pub(crate) const AUTHORITY: Self = Self(1 << 1);
    pub(crate) const PATH: Self = Self(1 << 2);
    pub(crate) const QUERY: Self = Self(1 << 3);
    const SCHEME: Self = Self(1 << 4);
    const TARGET_URI: Self = Self(1 << 5);
    const REQUEST_TARGET: Self = Self(1 << 6);
    pub(crate) const CONTENT_DIGEST: Self = Self(1 << 7);

    /// What the component says about the request, if it has no parameters.
    pub(crate) fn of(name: ComponentName<'_>) -> Self {
        match name {
            ComponentName::Method => Self::METHOD,
            ComponentName::Authority => Self::AUTHORITY,
            ComponentName::Path => Self::PATH,
            ComponentName::Query => Self::QUERY,
            ComponentName::Scheme => Self::SCHEME,
            ComponentName::TargetUri => Self::TARGET_URI | Self::AUTHORITY | Self::PATH | Self::QUERY,
            ComponentName::RequestTarget => Self::REQUEST_TARGET | Self::PATH | Self::QUERY,
            ComponentName::Field(name) if name == CONTENT_DIGEST.as_str() => Self::CONTENT_DIGEST,
            _ => Self::default(),
        }
    }

    /// What a requirement of this component asks for: nothing less than the component itself.
    pub(crate) fn required_by(name: ComponentName<'_>) -> Self {
        match name {
            ComponentName::TargetUri => Self::TARGET_URI,
            ComponentName::RequestTarget => Self::REQUEST_TARGET,
            name => Self::of(name),
        }
    }

    pub(crate) fn includes(self, required: Self) -> bool {
        self.missing(required) == Self::default()
    }

    /// The names of the parts, in the order in which a consumer signs them.
    pub(crate) fn names<'a>(self) -> impl Iterator<Item = &'a str> {
        const NAMES: [&str; 8] =
            ["@method", "@authority", "@path", "@query", "@scheme", "@target-uri", "@request-target", "content-digest"];
        NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name)
    }

    /// What is required but not here.
    pub(crate) fn missing(self, required: Self) -> Self {
        Self(required.0 & !self.0)
    }
}

impl BitOr for Coverage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
