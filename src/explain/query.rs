//! Texts of a URL as other programs write them.

use std::fmt::Write as _;

/// The bytes of a text without its percent-encoding.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let octet = digit(bytes.get(index + 1)).zip(digit(bytes.get(index + 2)));
        let octet = octet.and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        if let (b'%', Some(octet)) = (byte, octet) {
            out.push(octet);
            index += 3;
        } else {
            out.push(*byte);
            index += 1;
        }
    }
    out
}

/// A query without its encoding: `+` is a blank.
pub(super) fn decoded_query(text: &str) -> Vec<u8> {
    decoded(&text.replace('+', "%20"))
}

/// The decoded parameters of a query, sorted.
pub(super) fn sorted_parameters(query: &str) -> Vec<Vec<u8>> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut parameters: Vec<_> = query.split('&').map(decoded_query).collect();
    parameters.sort_unstable();
    parameters
}

/// A text in which all bytes are encoded but those that `is_kept` names.
fn encoded(bytes: &[u8], is_kept: impl Fn(u8) -> bool, blank: &str) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' ' => out.push_str(blank),
            byte if byte.is_ascii_alphanumeric() || is_kept(*byte) => out.push(char::from(*byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A path or a query as other programs write it: encoded anew, or decoded.
pub(super) fn other_spellings(text: &str, separators: &[char]) -> Vec<String> {
    type Kept = fn(u8) -> bool;
    let encodings: [(Kept, &str); 5] = [
        (|byte| b"-._~".contains(&byte), "%20"),
        (|byte| b"-._~".contains(&byte), "+"),
        (|byte| b"-._*".contains(&byte), "+"),
        (|byte| b"-._~!*'()".contains(&byte), "%20"),
        (
            |byte| byte.is_ascii_graphic() && !b"\"#<>'%&+".contains(&byte),
            "%20",
        ),
    ];
    let is_query = separators.contains(&'&');
    let decode = |part: &str| {
        if is_query {
            decoded_query(part)
        } else {
            decoded(part)
        }
    };
    let with_parts = |change: &dyn Fn(&str) -> String| {
        let parts = text.split_inclusive(separators);
        let changed = parts.map(|part| {
            let bare = part.trim_end_matches(separators);
            change(bare) + &part[bare.len()..]
        });
        changed.collect::<String>()
    };
    let mut all: Vec<String> = encodings
        .iter()
        .map(|(is_kept, blank)| with_parts(&|part| encoded(&decode(part), is_kept, blank)))
        .collect();
    all.extend(String::from_utf8(decode(text)));
    all.push(text.replace("%20", "+"));
    all.push(text.replace('+', "%20"));
    all.push(with_case_of_octets(text, |octet| {
        octet.to_ascii_lowercase()
    }));
    all.push(with_case_of_octets(text, |octet| {
        octet.to_ascii_uppercase()
    }));
    all
}

fn with_case_of_octets(text: &str, case: fn(&str) -> String) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (octet, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.push('%');
        out.push_str(&case(octet));
        out.push_str(rest);
    }
    out
}

/// With `'` in place of `%27`, and the other way round.
pub(super) fn other_apostrophes(text: &str) -> [String; 2] {
    [text.replace("%27", "'"), text.replace('\'', "%27")]
}

/// Other orders of some parts: all of them if there are few; or else sorted, reversed, and with one
/// part in another place.
pub(super) fn other_orders<T: Clone + Ord>(parts: &[T]) -> Vec<Vec<T>> {
    const FEW: usize = 4;
    const MANY: usize = 16;
    let mut orders = vec![Vec::new()];
    if parts.len() <= FEW {
        for part in parts {
            let longer = |order: Vec<T>| {
                (0..=order.len()).map(move |index| inserted(&order, index, part.clone()))
            };
            orders = orders.into_iter().flat_map(longer).collect();
        }
        return orders;
    }
    let mut sorted = parts.to_vec();
    sorted.sort();
    orders = vec![sorted, parts.iter().rev().cloned().collect()];
    if parts.len() <= MANY {
        for from in 0..parts.len() {
            let mut others = parts.to_vec();
            let part = others.remove(from);
            orders.extend((0..parts.len()).map(|to| inserted(&others, to, part.clone())));
        }
    }
    orders
}

fn inserted<T: Clone>(parts: &[T], index: usize, part: T) -> Vec<T> {
    let mut longer = parts.to_vec();
    longer.insert(index, part);
    longer
}
