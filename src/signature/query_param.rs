//! `@query-param` (RFC 9421 section 2.2.8): one parameter of a form-encoded query.

use super::{budget::Budget, error::ValueError};
use crate::structured::MAX_FIELD_LEN;

/// Single parameters of a query, while the lines of a signature base are written.
///
/// Nobody has proven the query yet, and a peer may have made it to be slow. So it is read once for
/// all parameters, and no more of it than the budget allows.
pub(super) struct QueryParams<'q> {
    /// The query in pairs, from the first parameter on.
    pairs: Option<Pairs<'q>>,
    params_left: usize,
    max_pairs: usize,
}

/// The pairs of a query.
struct Pairs<'q> {
    /// The keys, decoded, one behind the other.
    keys: Vec<u8>,
    /// How long each key is, and its value as it stands.
    pairs: Vec<(usize, &'q str)>,
}

impl<'q> QueryParams<'q> {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            pairs: None,
            params_left: budget.query_params,
            max_pairs: budget.query_pairs,
        }
    }

    /// Writes the value of the parameter `encoded_name`, a name that is itself percent-encoded. It
    /// must occur exactly once.
    ///
    /// Octets that are not UTF-8 stay as they are. The URL standard would replace them, and two
    /// queries would then look alike.
    pub(super) fn push_value(
        &mut self,
        out: &mut Vec<u8>,
        query: &'q str,
        encoded_name: &str,
    ) -> Result<(), ValueError> {
        self.params_left = self
            .params_left
            .checked_sub(1)
            .ok_or(ValueError::TooLarge)?;
        let pairs = match &mut self.pairs {
            Some(pairs) => pairs,
            none => none.insert(Pairs::read(query, self.max_pairs)?),
        };
        let decoded_name;
        let name = if is_plain(encoded_name) {
            encoded_name.as_bytes()
        } else {
            decoded_name = decoded(encoded_name).collect::<Vec<_>>();
            // A name that is not spelled as it would be written here names nothing.
            if !encoded(decoded_name.iter().copied()).eq(encoded_name.bytes()) {
                return Err(ValueError::Absent);
            }
            &decoded_name
        };
        let value = pairs.only_value_of(name).ok_or(ValueError::Absent)?;
        let start = out.len();
        if is_plain(value) {
            out.extend_from_slice(value.as_bytes());
        } else {
            out.extend(encoded(decoded(value)).take(MAX_FIELD_LEN + 1));
        }
        if out.len() - start > MAX_FIELD_LEN {
            return Err(ValueError::TooLarge);
        }
        Ok(())
    }
}

/// The text before and behind the first `byte`, which is ASCII. Most pairs are short, so that a search
/// with a start of its own takes longer.
fn split_at_byte(text: &str, byte: u8) -> (&str, &str) {
    match text.bytes().position(|one| one == byte) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Whether a text is the same when it is decoded, and when it is encoded. Most are, and a peer may
/// make a signature cover eight of them.
fn is_plain(text: &str) -> bool {
    text.bytes().all(is_unreserved)
}

impl<'q> Pairs<'q> {
    fn read(query: &'q str, max_pairs: usize) -> Result<Self, ValueError> {
        if query.len() > MAX_FIELD_LEN {
            return Err(ValueError::TooLarge);
        }
        let mut all = Self {
            keys: Vec::with_capacity(query.len()),
            pairs: Vec::with_capacity(16),
        };
        let mut rest = query;
        loop {
            // Empty pairs are no pairs, and there may be thousands.
            while let Some(after) = rest.strip_prefix("&&&&&&&&") {
                rest = after;
            }
            rest = rest.trim_start_matches('&');
            if rest.is_empty() {
                return Ok(all);
            }
            if all.pairs.len() == max_pairs {
                return Err(ValueError::TooLarge);
            }
            let (pair, after) = split_at_byte(rest, b'&');
            let (key, value) = split_at_byte(pair, b'=');
            let start = all.keys.len();
            if key.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
                all.keys.extend(decoded(key));
            } else {
                all.keys.extend_from_slice(key.as_bytes());
            }
            all.pairs.push((all.keys.len() - start, value));
            rest = after;
        }
    }

    /// The value of a key that occurs exactly once.
    fn only_value_of(&self, name: &[u8]) -> Option<&'q str> {
        let (mut start, mut found) = (0, None);
        for (len, value) in &self.pairs {
            // Most keys have another length, which is faster to see.
            if *len == name.len()
                && self.keys[start..start + len] == *name
                && found.replace(*value).is_some()
            {
                return None;
            }
            start += len;
        }
        found
    }
}

fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, after) = match rest {
            [b'+', after @ ..] => (b' ', after),
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex_value(*high) << 4 | hex_value(*low), after)
            }
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        rest = after;
        Some(byte)
    })
}

/// Whether a byte stands for itself in both spellings.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_')
}

/// Percent-encodes bytes, so that a space is always `%20`.
fn encoded(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    bytes.flat_map(|byte| {
        if is_unreserved(byte) {
            [Some(byte), None, None]
        } else {
            [
                Some(b'%'),
                Some(HEX[usize::from(byte >> 4)]),
                Some(HEX[usize::from(byte & 15)]),
            ]
        }
        .into_iter()
        .flatten()
    })
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
