//! The header fields of a message, and the known ones that signing and validating look for.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, AsHeaderName, ValueIter},
};

/// The field with the covered components and the parameters of each signature (RFC 9421 section
/// 4.1).
pub const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");

/// The field with the signatures themselves (RFC 9421 section 4.2).
pub const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// The field in which a host says what to sign (RFC 9421 section 5.1).
pub const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");

/// The field with the digests of the body (RFC 9530 section 2).
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// The names of the known fields, in the order of [`KnownField`].
static NAMES: [HeaderName; 7] = [
    SIGNATURE_INPUT,
    SIGNATURE,
    CONTENT_DIGEST,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::HOST,
];

/// A field that signing and validating look for in most requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KnownField {
    SignatureInput,
    Signature,
    ContentDigest,
    ContentType,
    ContentEncoding,
    ContentLength,
    Host,
}

impl KnownField {
    fn of(name: &str) -> Option<Self> {
        match name {
            "signature-input" => Some(Self::SignatureInput),
            "signature" => Some(Self::Signature),
            "content-digest" => Some(Self::ContentDigest),
            "content-type" => Some(Self::ContentType),
            "content-encoding" => Some(Self::ContentEncoding),
            "content-length" => Some(Self::ContentLength),
            "host" => Some(Self::Host),
            _ => None,
        }
    }

    fn name(self) -> &'static HeaderName {
        &NAMES[self as usize]
    }

    pub(crate) fn as_str(self) -> &'static str {
        self.name().as_str()
    }
}

/// The fields of a message, and where the known ones are.
///
/// A request between servers has few fields. One pass over eight of them takes a quarter of the
/// instructions of looking up each known one.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    headers: &'a HeaderMap,
    /// The line of each known field that has only one.
    only: [Option<&'a HeaderValue>; NAMES.len()],
    /// A bit for each known field that has to be looked up instead.
    to_look_up: u8,
}

impl<'a> Fields<'a> {
    /// Among more fields than this, looking up is faster.
    const MAX_PASSED: usize = 16;

    pub(super) fn new(headers: &'a HeaderMap) -> Self {
        let mut fields = Self {
            headers,
            only: [None; NAMES.len()],
            to_look_up: 0,
        };
        if headers.len() > Self::MAX_PASSED {
            fields.to_look_up = u8::MAX;
            return fields;
        }
        for (name, line) in headers {
            if let Some(field) = KnownField::of(name.as_str()) {
                if fields.only[field as usize].replace(line).is_some() {
                    fields.to_look_up |= 1 << field as u8;
                }
            }
        }
        fields
    }

    pub(crate) fn has(&self, field: KnownField) -> bool {
        if self.needs_look_up(field) {
            self.headers.contains_key(field.name())
        } else {
            self.only[field as usize].is_some()
        }
    }

    pub(crate) fn lines(&self, field: KnownField) -> Lines<'a> {
        if self.needs_look_up(field) {
            Lines::of(self.headers, field.name())
        } else {
            Lines::Only(self.only[field as usize])
        }
    }

    /// The lines of any field.
    pub(crate) fn named(&self, name: &str) -> Lines<'a> {
        match KnownField::of(name) {
            Some(field) => self.lines(field),
            None => Lines::of(self.headers, name),
        }
    }

    fn needs_look_up(&self, field: KnownField) -> bool {
        self.to_look_up >> field as u8 & 1 == 1
    }
}

/// The lines of a field as bytes, in their order.
pub(crate) enum Lines<'a> {
    Only(Option<&'a HeaderValue>),
    Several(ValueIter<'a, HeaderValue>),
}

impl<'a> Lines<'a> {
    pub(crate) fn of(headers: &'a HeaderMap, name: impl AsHeaderName) -> Self {
        Self::Several(headers.get_all(name).iter())
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Only(line) => line.take(),
            Self::Several(lines) => lines.next(),
        }
        .map(HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [KnownField; NAMES.len()] = [
        KnownField::SignatureInput,
        KnownField::Signature,
        KnownField::ContentDigest,
        KnownField::ContentType,
        KnownField::ContentEncoding,
        KnownField::ContentLength,
        KnownField::Host,
    ];

    /// Each known field absent, once, and in several lines, among few fields and among many.
    #[test]
    fn one_pass_finds_what_looking_up_finds() {
        for (field, lines, others) in ALL.iter().flat_map(|field| {
            (0..=3).flat_map(move |lines| {
                [0, 1, Fields::MAX_PASSED, 3 * Fields::MAX_PASSED]
                    .map(|others| (*field, lines, others))
            })
        }) {
            let mut headers = HeaderMap::new();
            for number in 0..others.max(lines) {
                if number < others {
                    headers.append(
                        HeaderName::try_from(format!("x-{number}")).unwrap(),
                        HeaderValue::from(number),
                    );
                }
                if number < lines {
                    headers.append(field.name().clone(), HeaderValue::from(number));
                }
            }
            let fields = Fields::new(&headers);
            for known in ALL {
                let expected: Vec<_> = Lines::of(&headers, known.name()).collect();
                let case = format!("{known:?} among {lines} of {field:?} and {others} others");
                assert_eq!(fields.lines(known).collect::<Vec<_>>(), expected, "{case}");
                assert_eq!(
                    fields.named(known.as_str()).collect::<Vec<_>>(),
                    expected,
                    "{case}"
                );
                assert_eq!(fields.has(known), !expected.is_empty(), "{case}");
                assert_eq!(KnownField::of(known.as_str()), Some(known));
            }
            let expected: Vec<_> = Lines::of(&headers, "x-0").collect();
            assert_eq!(fields.named("x-0").collect::<Vec<_>>(), expected);
        }
    }
}
