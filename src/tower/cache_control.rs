//! `Cache-Control` in the answers of a host, so that no shared cache gives them to anybody.
//!
//! A cache does not know that a signature protects an answer: RFC 9111 section 3.5 knows only
//! `Authorization`.

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, Entry},
};

/// Adds `private`, unless the answer itself says what shared caches may do.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    add_unless_said(headers, "private");
}

/// Adds `no-store`, unless the answer itself says what shared caches may do.
pub(super) fn keep_unstored(headers: &mut HeaderMap) {
    add_unless_said(headers, "no-store");
}

fn add_unless_said(headers: &mut HeaderMap, directive: &'static str) {
    match headers.entry(CACHE_CONTROL) {
        Entry::Vacant(entry) => {
            entry.insert(HeaderValue::from_static(directive));
        }
        Entry::Occupied(mut entry) => {
            let lines = entry.iter().map(HeaderValue::as_bytes);
            if let Some(value) = with(directive, lines) {
                entry.insert(value);
            }
        }
    }
}

/// The lines in one, with `private`; `None` if they speak about shared caches.
#[cfg(feature = "actix")]
pub(crate) fn with_private<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<HeaderValue> {
    with("private", lines)
}

/// The lines in one, with the directive; `None` if they speak about shared caches.
fn with<'a>(directive: &'static str, lines: impl Iterator<Item = &'a [u8]>) -> Option<HeaderValue> {
    let (mut says, mut is_malformed) = (false, false);
    let mut directives = Vec::new();
    for line in lines {
        match says_who_may_store(line) {
            Ok(line_says) => says |= line_says,
            Err(Malformed) => is_malformed = true,
        }
        if !line.iter().all(|byte| is_separator(*byte)) {
            directives.push(line);
        }
    }
    if says && !is_malformed {
        return None;
    }
    // What is malformed may hide a directive behind it, such as in a string that does not end.
    let place = if is_malformed { 0 } else { directives.len() };
    directives.insert(place, directive.as_bytes());
    let value = HeaderValue::from_bytes(&directives.join(&b", "[..]));
    Some(value.unwrap_or(HeaderValue::from_static(directive)))
}

/// A line that is not as RFC 9111 section 5.2 says.
struct Malformed;

/// Whether a line says `public`, `private`, `no-store` or `s-maxage`, each as it is defined.
fn says_who_may_store(line: &[u8]) -> Result<bool, Malformed> {
    let mut says = false;
    let mut rest = line;
    loop {
        rest = &rest[leading(rest, is_separator)..];
        if rest.is_empty() {
            return Ok(says);
        }
        let name = take_token(&mut rest)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if let Some(argument) = rest.strip_prefix(b"=") {
            rest = argument;
            let argument = take_argument(&mut rest)?;
            says |= is("s-maxage") && is_number(argument);
        } else {
            says |= is("public") || is("private") || is("no-store");
        }
        rest = &rest[leading(rest, is_blank)..];
        if rest.first().is_some_and(|byte| *byte != b',') {
            return Err(Malformed);
        }
    }
}

fn take_token<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let (token, behind) = rest.split_at(leading(rest, is_token));
    *rest = behind;
    if token.is_empty() {
        return Err(Malformed);
    }
    Ok(token)
}

/// A token, or what stands between the quotes of a string.
fn take_argument<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let Some(string) = rest.strip_prefix(b"\"") else {
        return take_token(rest);
    };
    let mut end = 0;
    loop {
        match string.get(end) {
            Some(b'"') => break,
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
            None => return Err(Malformed),
        }
    }
    *rest = &string[end + 1..];
    Ok(&string[..end])
}

fn is_number(argument: &[u8]) -> bool {
    !argument.is_empty() && argument.iter().all(u8::is_ascii_digit)
}

/// A blank or a comma: a list may have empty members.
fn is_separator(byte: u8) -> bool {
    is_blank(byte) || byte == b','
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn leading(bytes: &[u8], class: fn(u8) -> bool) -> usize {
    let len = bytes.iter().position(|byte| !class(*byte));
    len.unwrap_or(bytes.len())
}
