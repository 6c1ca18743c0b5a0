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
    /// Where each key ends, and its value as it stands.
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
        let name: Vec<u8> = decoded(encoded_name).collect();
        // A name that is not spelled as it would be written here names nothing.
        if !encoded(name.iter().copied()).eq(encoded_name.bytes()) {
            return Err(ValueError::Absent);
        }
        let value = pairs.only_value_of(&name).ok_or(ValueError::Absent)?;
        let start = out.len();
        out.extend(encoded(decoded(value)).take(MAX_FIELD_LEN + 1));
        if out.len() - start > MAX_FIELD_LEN {
            return Err(ValueError::TooLarge);
        }
        Ok(())
    }
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
            let (pair, after) = rest.split_once('&').unwrap_or((rest, ""));
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
                all.keys.extend(decoded(key));
            } else {
                all.keys.extend_from_slice(key.as_bytes());
            }
            all.pairs.push((all.keys.len(), value));
            rest = after;
        }
    }

    /// The value of a key that occurs exactly once.
    fn only_value_of(&self, name: &[u8]) -> Option<&'q str> {
        let (mut start, mut found) = (0, None);
        for (end, value) in &self.pairs {
            if self.keys[start..*end] == *name && found.replace(*value).is_some() {
                return None;
            }
            start = *end;
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

/// Percent-encodes bytes, so that a space is always `%20`.
fn encoded(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    bytes.flat_map(|byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
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
