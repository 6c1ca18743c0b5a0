//! Text of a peer, made safe for logs and errors.

/// How many characters of a peer's text an operator sees.
const MAX_CHARS: usize = 64;

/// Escapes a peer's text for an operator, and cuts the text after 64 characters.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_CHARS) + "…".len());
    push_escaped(&mut out, text);
    out
}

/// Writes what [`escape`] returns.
pub(crate) fn push_escaped(out: &mut String, text: &str) {
    // Most texts need no escape: to look for one first takes a third of the instructions.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    let plain = text.bytes().take(MAX_CHARS).take_while(is_plain).count();
    let (plain, rest) = text.split_at(plain);
    out.push_str(plain);
    for (index, c) in rest.chars().enumerate() {
        match c {
            _ if plain.len() + index == MAX_CHARS => {
                out.push('…');
                break;
            }
            // A quote could end the text where it stands quoted, and begin another field of a log.
            '"' | '\\' => out.extend(c.escape_default()),
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_default()),
        }
    }
}
