//! A body in chunks (RFC 9112, section 7.1).

use super::Failure;

/// The body of some chunks. Some programs have put it together before they save it.
pub(super) fn put_together(text: &[u8]) -> Result<Vec<u8>, Failure> {
    // Chunks have several lines. So a number alone is a body that was put together.
    let is_body = |text: &[u8]| !text.contains(&b'\n');
    if is_body(text) {
        return Ok(text.to_vec());
    }
    // An editor may have added the line break, if the number is not that of the last chunk.
    from_chunks(text).or_else(|error| {
        if is_body(text.trim_ascii_end()) {
            Ok(text.to_vec())
        } else {
            Err(error)
        }
    })
}

fn from_chunks(text: &[u8]) -> Result<Vec<u8>, Failure> {
    // An editor may have changed the line breaks.
    let first = text.split_inclusive(|byte| *byte == b'\n').next();
    let line_break: &[u8] = match first {
        Some(line) if line.ends_with(b"\r\n") => b"\r\n",
        _ => b"\n",
    };
    let split_line = |text| split_at(text, line_break);
    if size_of(split_line(text).0).is_none() {
        return Ok(text.to_vec());
    }
    let mut body = Vec::new();
    let mut rest = text;
    loop {
        let (size, chunk) = split_line(rest);
        let size = size_of(size).ok_or(CHANGED)?;
        let size = usize::from_str_radix(size, 16).map_err(|_| CHANGED)?;
        if size == 0 {
            return if split_line(chunk).0.is_empty() {
                Ok(body)
            } else {
                Err(TRAILERS.into())
            };
        }
        let (data, behind) = chunk.split_at_checked(size).ok_or(CHANGED)?;
        let (end, next) = split_line(behind);
        if !end.is_empty() {
            return Err(CHANGED.into());
        }
        body.extend(data);
        rest = next;
    }
}

const CHANGED: &str = "the chunks of the body are not those that were sent: give the body as \
                       `--body FILE`";

const TRAILERS: &str = "the body has trailers, and a host refuses them as `trailers_not_covered`: \
                        to explain the request without them, give the body as `--body FILE`";

/// What stands before the line break, and what follows it.
fn split_at<'t>(text: &'t [u8], line_break: &[u8]) -> (&'t [u8], &'t [u8]) {
    let len = line_break.len();
    let end = text.windows(len).position(|bytes| bytes == line_break);
    end.map_or((text, &[]), |end| (&text[..end], &text[end + len..]))
}

/// The hexadecimal digits that a chunk begins with.
fn size_of(line: &[u8]) -> Option<&str> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let is_size = !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit);
    std::str::from_utf8(size).ok().filter(|_| is_size)
}
