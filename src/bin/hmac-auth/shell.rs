//! Words of a POSIX shell.

/// One word of a shell: whatever the text is, the program gets just that.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=@%+".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A command of several lines, which a shell reads as one. The words of a line belong together.
pub(super) fn command(lines: &[Vec<String>]) -> String {
    let lines = lines.iter().map(|words| words.join(" "));
    lines.collect::<Vec<_>>().join(" \\\n  ")
}
