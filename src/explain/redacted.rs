//! Lines of a signature base, as an operator may see them.

use std::fmt::Write as _;

use crate::signature::is_public;

/// Fields whose values are credentials: no operator has to see them.
const CREDENTIALS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "signature",
];

/// A line, with its value if it is known to hold no secret, or if all values are asked for.
///
/// The line may be that of a peer, who writes it as it likes: without quotation marks, or with the
/// whole base in one line, as some logs have it.
pub(super) fn redacted(line: &str, shows_values: bool) -> String {
    let mut out = String::with_capacity(line.len());
    let (identifier, value) = match line.split_once(": ") {
        Some((identifier, value)) => (identifier, Some(value)),
        None => (line, None),
    };
    let has_others = value.is_some_and(holds_lines);
    let is_credential = begins_with_credential(line) || has_others && names_credential(line);
    let is_shown = !is_credential && (shows_values || is_public(identifier) && !has_others);
    match value {
        _ if is_shown => push_printable(&mut out, line),
        Some(value) if is_identifier(identifier) => {
            push_printable(&mut out, identifier);
            let _ = write!(out, ": <{} bytes>", value.len());
        }
        // The line has no known form, so any part of it may be secret.
        _ => {
            let _ = write!(out, "<{} bytes>", line.len());
        }
    }
    out
}

/// Whether the name that a line begins with is that of a credential.
fn begins_with_credential(line: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '-' | '_');
    let start = line.trim_start_matches(|c| !is_of_name(c));
    let name = start.split(|c| !is_of_name(c)).next().unwrap_or_default();
    CREDENTIALS.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// Whether a line has the name of a credential anywhere.
fn names_credential(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    CREDENTIALS.iter().any(|name| line.contains(name))
}

/// Whether a value seems to have further lines in it, however they were joined.
fn holds_lines(value: &str) -> bool {
    value.contains("\": ") || value.contains("\\n") || value.contains(char::is_control)
}

/// Whether this can be the identifier of a component, or its bare name.
fn is_identifier(text: &str) -> bool {
    text.starts_with('"') || text.chars().all(|c| c.is_ascii_graphic())
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
