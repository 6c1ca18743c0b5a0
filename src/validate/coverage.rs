use std::ops::BitOr;

use crate::signature::{CONTENT_DIGEST, Component, ComponentName, SignatureInput};

/// The parts of a request that a host may require to be covered, besides fields of its own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage(u8);

impl Coverage {
    pub(super) const METHOD: Self = Self(1);
    pub(super) const AUTHORITY: Self = Self(1 << 1);
    pub(super) const PATH: Self = Self(1 << 2);
    pub(super) const QUERY: Self = Self(1 << 3);
    const SCHEME: Self = Self(1 << 4);
    const TARGET_URI: Self = Self(1 << 5);
    const REQUEST_TARGET: Self = Self(1 << 6);
    pub(super) const CONTENT_DIGEST: Self = Self(1 << 7);

    /// What the component says about the request, if it has no parameters.
    pub(super) fn of(name: ComponentName<'_>) -> Self {
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

    /// What the components of a signature say together. One with parameters, such as `"content-digest";bs`, does not count.
    pub(super) fn of_signature(input: &SignatureInput<'_>) -> Self {
        input.components().filter(Component::is_plain).fold(Self::default(), |all, component| all | Self::of(component.name()))
    }

    /// What a requirement of this component asks for: nothing less than the component itself.
    pub(super) fn required_by(name: ComponentName<'_>) -> Self {
        match name {
            ComponentName::TargetUri => Self::TARGET_URI,
            ComponentName::RequestTarget => Self::REQUEST_TARGET,
            name => Self::of(name),
        }
    }

    pub(super) fn includes(self, required: Self) -> bool {
        self.missing(required) == Self::default()
    }

    /// The names of the parts, in the order in which a consumer signs them.
    pub(super) fn names<'a>(self) -> impl Iterator<Item = &'a str> {
        const NAMES: [&str; 8] =
            ["@method", "@authority", "@path", "@query", "@scheme", "@target-uri", "@request-target", "content-digest"];
        NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name)
    }

    /// What is required but not here.
    pub(super) fn missing(self, required: Self) -> Self {
        Self(required.0 & !self.0)
    }
}

impl BitOr for Coverage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
