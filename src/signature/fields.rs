//! The header fields of a message, and those that signing and validating look for.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, AsHeaderName, ValueIter},
};

use super::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT};

/// A field that is looked for in most requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    SignatureInput,
    Signature,
    ContentDigest,
    ContentType,
    ContentEncoding,
    ContentLength,
    Host,
}

impl Known {
    const COUNT: usize = 7;

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

    fn name(self) -> HeaderName {
        match self {
            Self::SignatureInput => SIGNATURE_INPUT,
            Self::Signature => SIGNATURE,
            Self::ContentDigest => CONTENT_DIGEST,
            Self::ContentType => header::CONTENT_TYPE,
            Self::ContentEncoding => header::CONTENT_ENCODING,
            Self::ContentLength => header::CONTENT_LENGTH,
            Self::Host => header::HOST,
        }
    }
}

/// The fields of a request, and where the known ones are.
///
/// A request between servers has few fields: one pass over eight takes a quarter of the instructions of looking up each known one.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(super) headers: &'a HeaderMap,
    /// The line of each known field that has only one.
    only: [Option<&'a HeaderValue>; Known::COUNT],
    /// A bit for each known field that has to be looked up instead.
    to_look_up: u8,
}

impl<'a> Fields<'a> {
    /// For more fields than this, looking up is faster.
    const MAX_PASSED: usize = 16;

    pub(super) fn new(headers: &'a HeaderMap) -> Self {
        let mut fields = Self {
            headers,
            only: [None; Known::COUNT],
            to_look_up: 0,
        };
        if headers.len() > Self::MAX_PASSED {
            fields.to_look_up = u8::MAX;
            return fields;
        }
        for (name, line) in headers {
            if let Some(field) = Known::of(name.as_str()) {
                if fields.only[field as usize].replace(line).is_some() {
                    fields.to_look_up |= 1 << field as u8;
                }
            }
        }
        fields
    }

    pub(crate) fn has(&self, field: Known) -> bool {
        self.only[field as usize].is_some()
            || (self.needs_look_up(field) && self.headers.contains_key(field.name()))
    }

    #[inline]
    pub(crate) fn lines(&self, field: Known) -> Lines<'a> {
        if self.needs_look_up(field) {
            Lines::of(self.headers, field.name())
        } else {
            Lines::Only(self.only[field as usize])
        }
    }

    /// Those of a field that may be any.
    #[inline]
    pub(super) fn lines_named(&self, name: &str) -> Lines<'a> {
        match Known::of(name) {
            Some(field) => self.lines(field),
            None => Lines::of(self.headers, name),
        }
    }

    fn needs_look_up(&self, field: Known) -> bool {
        self.to_look_up >> field as u8 & 1 == 1
    }
}

/// The lines of a field, in their order.
pub(crate) enum Lines<'a> {
    Only(Option<&'a HeaderValue>),
    Several(ValueIter<'a, HeaderValue>),
}

impl<'a> Lines<'a> {
    pub(super) fn of(headers: &'a HeaderMap, name: impl AsHeaderName) -> Self {
        Self::Several(headers.get_all(name).iter())
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a HeaderValue;

    #[inline]
    fn next(&mut self) -> Option<&'a HeaderValue> {
        match self {
            Self::Only(line) => line.take(),
            Self::Several(lines) => lines.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Known; Known::COUNT] = [
        Known::SignatureInput,
        Known::Signature,
        Known::ContentDigest,
        Known::ContentType,
        Known::ContentEncoding,
        Known::ContentLength,
        Known::Host,
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
                    headers.append(field.name(), HeaderValue::from(number));
                }
            }
            let fields = Fields::new(&headers);
            for known in ALL {
                let expected: Vec<_> = headers.get_all(known.name()).iter().collect();
                let case = format!("{known:?} among {lines} of {field:?} and {others} others");
                assert_eq!(fields.lines(known).collect::<Vec<_>>(), expected, "{case}");
                assert_eq!(
                    fields
                        .lines_named(known.name().as_str())
                        .collect::<Vec<_>>(),
                    expected,
                    "{case}"
                );
                assert_eq!(fields.has(known), !expected.is_empty(), "{case}");
                assert_eq!(Known::of(known.name().as_str()), Some(known));
            }
            let expected: Vec<_> = headers.get_all("x-0").iter().collect();
            assert_eq!(fields.lines_named("x-0").collect::<Vec<_>>(), expected);
        }
    }
}
