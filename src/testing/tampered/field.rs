//! Changes of covered fields, and fields that a body must not have uncovered.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::{super::gzip::gzip, List, Part, SignatureFields};
use crate::signature::{Component, ComponentName};

type FieldLines = Vec<Vec<u8>>;

pub(super) fn add_covered(list: &mut List<'_>, signature: &SignatureFields) {
    let mut names = Vec::new();
    for identifier in &signature.components {
        if let Ok(ComponentName::Field(name)) = Component::parse(identifier).map(|one| one.name()) {
            let name = HeaderName::try_from(name).expect("the request has this field");
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    for name in names {
        add_field(list, &name);
    }
}

fn add_field(list: &mut List<'_>, name: &HeaderName) {
    let lines: FieldLines = list
        .headers()
        .get_all(name)
        .iter()
        .map(|line| line.as_bytes().trim_ascii().to_vec())
        .collect();
    let mut variants: Vec<(String, FieldLines)> = vec![
        ("removed".to_owned(), Vec::new()),
        ("emptied".to_owned(), vec![Vec::new()]),
        ("all lines doubled".to_owned(), [&*lines, &*lines].concat()),
    ];
    let mut with_empty = lines.clone();
    with_empty.insert(0, Vec::new());
    variants.push(("an empty line added in front".to_owned(), with_empty));
    for index in 0..lines.len() {
        let mut add = |change: &str, changed: FieldLines| {
            let of_line = match lines.len() {
                1 => String::new(),
                _ => format!(" in line {}", index + 1),
            };
            variants.push((format!("{change}{of_line}"), changed));
        };
        for (change, line) in changed_lines(&lines[index]) {
            let mut changed = lines.clone();
            changed[index] = line;
            add(change, changed);
        }
        if lines.len() > 1 {
            let mut fewer = lines.clone();
            fewer.remove(index);
            add("the line removed", fewer);
            let mut more = lines.clone();
            more.insert(index, lines[index].clone());
            add("the line doubled", more);
        }
        if index > 0 {
            let mut moved = lines.clone();
            moved.swap(index - 1, index);
            add("moved before the line above", moved);
        }
    }
    let original = joined(&lines);
    for (change, changed) in variants {
        let means_the_same = joined(&changed) == original;
        let values = changed.into_iter().map(HeaderValue::try_from);
        let values: Result<Vec<HeaderValue>, _> = values.collect();
        if let Some(values) = values.ok().filter(|_| !means_the_same) {
            list.add(Part::Field, &format!("`{name}`: {change}"), |request| {
                set_lines(request, name, values);
            });
        }
    }
    let moved = HeaderName::from_static("x-moved");
    list.add(
        Part::Field,
        &format!("`{name}`: moved to `{moved}`"),
        |request| {
            let values: Vec<HeaderValue> =
                request.headers().get_all(name).iter().cloned().collect();
            request.headers_mut().remove(name);
            set_lines(request, &moved, values);
        },
    );
}

/// One line with a small change each.
fn changed_lines(line: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("a letter added at the end", [line, b"x"].concat()),
        ("a letter added in front", [b"x", line].concat()),
        ("a value added at the end", [line, b", x"].concat()),
        ("a value added in front", [b"x, ", line].concat()),
    ];
    if let Some((_, shorter)) = line.split_last() {
        all.push(("the last byte cut", shorter.trim_ascii().to_vec()));
        all.push(("the first byte cut", line[1..].trim_ascii().to_vec()));
        for (change, index) in [
            ("one bit flipped at the start", 0),
            ("one bit flipped in the middle", line.len() / 2),
            ("one bit flipped at the end", line.len() - 1),
        ] {
            let mut flipped = line.to_vec();
            flipped[index] ^= 1;
            all.push((change, flipped.trim_ascii().to_vec()));
        }
    }
    if let Some(index) = line.iter().position(u8::is_ascii_alphabetic) {
        let mut changed = line.to_vec();
        changed[index] ^= 0x20;
        all.push(("the case of a letter", changed));
    }
    all
}

/// The value of all lines, as a proxy may join them: no lines and one empty line are not the same.
fn joined(lines: &FieldLines) -> Option<Vec<u8>> {
    (!lines.is_empty()).then(|| lines.join(&b", "[..]))
}

fn set_lines(request: &mut Request<Bytes>, name: &HeaderName, values: Vec<HeaderValue>) {
    request.headers_mut().remove(name);
    for value in values {
        request.headers_mut().append(name, value);
    }
}

/// With a body, what says how to read it must be covered where it is there.
pub(super) fn add_uncovered(list: &mut List<'_>) {
    if !list.has_body() {
        return;
    }
    let set = |name: HeaderName, value: &'static str| {
        move |request: &mut Request<Bytes>| {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
    };
    if !list.headers().contains_key(CONTENT_TYPE) {
        let edit = set(CONTENT_TYPE, "application/json");
        list.add(Part::UncoveredContentType, "added", edit);
    }
    if !list.headers().contains_key(CONTENT_ENCODING) {
        let part = Part::UncoveredContentEncoding;
        for coding in ["identity", "gzip"] {
            let change = format!("`{coding}` added, the body as it was");
            list.add(part, &change, set(CONTENT_ENCODING, coding));
        }
        list.add(part, "the body in the coding `gzip`", |request| {
            set(CONTENT_ENCODING, "gzip")(request);
            *request.body_mut() = gzip(request.body()).into();
        });
    }
}
