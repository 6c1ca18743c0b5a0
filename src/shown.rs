/// A peer's text as an operator may see it: escaped, and cut after 64 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(64) + 4);
    push_shown(&mut shown, text);
    shown
}

pub(crate) fn push_shown(out: &mut String, text: &str) {
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if index == 64 => {
                out.push('…');
                break;
            }
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_default()),
        }
    }
}
