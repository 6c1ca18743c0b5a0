use std::ops::BitOr;

use super::kind::Kind;

/// The parts of a request that a host may require to be covered, besides fields of its own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage(u8);

impl Coverage {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const METHOD: Self = Self(1);
    pub(crate) const AUTHORITY: Self = Self(1 << 1);
    pub(crate) const PATH: Self = Self(1 << 2);
    pub(crate) const QUERY: Self = Self(1 << 3);
    /// What all signatures of the wire profile cover.
    pub(super) const ALWAYS: Self =
        Self(Self::METHOD.0 | Self::AUTHORITY.0 | Self::PATH.0 | Self::QUERY.0);
    const SCHEME: Self = Self(1 << 4);
    const TARGET_URI: Self = Self(1 << 5);
    const REQUEST_TARGET: Self = Self(1 << 6);
    pub(crate) const CONTENT_DIGEST: Self = Self(1 << 7);

    /// What a component of this kind says about the request, if it has no parameters.
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Method => Self::METHOD,
            Kind::Authority => Self::AUTHORITY,
            Kind::Path => Self::PATH,
            Kind::Query => Self::QUERY,
            Kind::Scheme => Self::SCHEME,
            Kind::TargetUri => Self::TARGET_URI | Self::AUTHORITY | Self::PATH | Self::QUERY,
            Kind::RequestTarget => Self::REQUEST_TARGET | Self::PATH | Self::QUERY,
            Kind::ContentDigest => Self::CONTENT_DIGEST,
            Kind::QueryParam
            | Kind::Status
            | Kind::ContentType
            | Kind::ContentEncoding
            | Kind::Field
            | Kind::Unknown => Self::NONE,
        }
    }

    /// What a requirement of this component asks for: nothing less than the component itself.
    pub(crate) fn required_by(name: &str) -> Self {
        match Kind::of(name.as_bytes()) {
            Kind::TargetUri => Self::TARGET_URI,
            Kind::RequestTarget => Self::REQUEST_TARGET,
            kind => Self::of(kind),
        }
    }

    pub(crate) fn includes(self, required: Self) -> bool {
        self.missing(required) == Self::default()
    }

    /// The names of the parts, in the order in which a consumer signs them.
    pub(crate) fn names<'a>(self) -> impl Iterator<Item = &'a str> {
        const NAMES: [&str; 8] = [
            "@method",
            "@authority",
            "@path",
            "@query",
            "@scheme",
            "@target-uri",
            "@request-target",
            "content-digest",
        ];
        NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| name)
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
