use super::{class::Class, component::ComponentName};

/// A [`ComponentName`] without its text: one byte, so that a list of them is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    QueryParam,
    Status,
    /// The fields that all signatures of the wire profile cover when they are there.
    ContentDigest,
    ContentType,
    ContentEncoding,
    Field,
    Unknown,
}

impl Kind {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"@method" => Self::Method,
            b"@authority" => Self::Authority,
            b"@path" => Self::Path,
            b"@query" => Self::Query,
            b"@target-uri" => Self::TargetUri,
            b"@scheme" => Self::Scheme,
            b"@request-target" => Self::RequestTarget,
            b"@query-param" => Self::QueryParam,
            b"@status" => Self::Status,
            b"content-digest" => Self::ContentDigest,
            b"content-type" => Self::ContentType,
            b"content-encoding" => Self::ContentEncoding,
            _ if is_field_name(name) => Self::Field,
            _ => Self::Unknown,
        }
    }

    /// The name that is of this kind and has this text, which is looked at only where it makes a difference.
    pub(super) fn named<'a>(self, text: impl FnOnce() -> &'a str) -> ComponentName<'a> {
        match self {
            Self::Method => ComponentName::Method,
            Self::TargetUri => ComponentName::TargetUri,
            Self::Authority => ComponentName::Authority,
            Self::Scheme => ComponentName::Scheme,
            Self::RequestTarget => ComponentName::RequestTarget,
            Self::Path => ComponentName::Path,
            Self::Query => ComponentName::Query,
            Self::QueryParam => ComponentName::QueryParam,
            Self::Status => ComponentName::Status,
            Self::ContentDigest => ComponentName::Field("content-digest"),
            Self::ContentType => ComponentName::Field("content-type"),
            Self::ContentEncoding => ComponentName::Field("content-encoding"),
            Self::Field => ComponentName::Field(text()),
            Self::Unknown => ComponentName::Unknown(text()),
        }
    }

    /// Whether there is only one name of this kind.
    pub(super) fn is_single(self) -> bool {
        !matches!(self, Self::Field | Self::Unknown)
    }
}

fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && Class::FIELD_NAME.leading(name) == name.len()
}
