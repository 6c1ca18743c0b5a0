//! Lines of a signature base, as an operator may see them.

use std::fmt::Write as _;

use crate::signature::is_public;

/// Fields whose values are credentials: nobody has to see them.
const CREDENTIALS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "signature",
];

/// A line, with its value if it is known to hold no secret, or if all values are asked for.
pub(super) fn redacted(line: &str, shows_values: bool) -> String {
    let mut out = String::with_capacity(line.len());
    let (identifier, value) = match line.split_once(": ") {
        Some((identifier, value)) => (identifier, Some(value)),
        None => (line, None),
    };
    let name = identifier.split('"').nth(1).unwrap_or_default();
    let is_credential = CREDENTIALS.iter().any(|one| name.eq_ignore_ascii_case(one));
    let is_shown = !is_credential && (shows_values || is_public(identifier));
    match value {
        _ if is_shown => push_printable(&mut out, line),
        Some(value) => {
            push_printable(&mut out, identifier);
            let _ = write!(out, ": <{} bytes>", value.len());
        }
        // It has no form that is known, so nothing is known about it.
        None => {
            let _ = write!(out, "<{} bytes>", line.len());
        }
    }
    out
}

/// Writes a text so that no character controls a terminal.
fn push_printable(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_default()),
        }
    }
}
