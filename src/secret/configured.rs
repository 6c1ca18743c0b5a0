//! The value of a file or a variable, read as a secret: one rule for all stores.

use super::{Secret, SecretEncoding, error::SecretError};

impl Secret {
    /// Reads a configured value in the encoding that the operator named, as the stores of this crate
    /// do it.
    ///
    /// One line break at the end of a text is not part of the secret. Whatever else looks like an
    /// accident is an error. Raw bytes are taken as they are.
    ///
    /// ```
    /// use hmac_auth::{Secret, SecretEncoding};
    ///
    /// let line = b"000102030405060708090a0b0c0d0e0f\n";
    /// let secret = Secret::from_configured(line, SecretEncoding::Hex)?;
    /// # let _ = secret;
    /// # Ok::<(), hmac_auth::SecretError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SecretError`], with what is wrong and what to do.
    pub fn from_configured(value: &[u8], encoding: SecretEncoding) -> Result<Self, SecretError> {
        if encoding == SecretEncoding::Raw {
            return Self::from_bytes(value);
        }
        if value.starts_with(b"\xff\xfe") || value.starts_with(b"\xfe\xff") {
            return Err(SecretError::Accident {
                found: "begins with a byte order mark of UTF-16",
                remedy: "save it as UTF-8, or for raw bytes in a file choose `SecretEncoding::Raw`",
            });
        }
        let text = std::str::from_utf8(value)
            .map(without_line_break)
            .map_err(|_| SecretError::Encoding { expected: encoding })?;
        for &(is_in, found, remedy) in ACCIDENTS {
            if is_in(text) {
                return Err(SecretError::Accident { found, remedy });
            }
        }
        match encoding {
            SecretEncoding::Hex => Self::from_hex(text),
            SecretEncoding::Base64 => Self::from_base64(text),
            SecretEncoding::Text | SecretEncoding::Raw => Self::from_text(text),
        }
    }
}

fn without_line_break(text: &str) -> &str {
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text)
}

/// Whether it is in a text, its name, and the remedy.
type Accident = (fn(&str) -> bool, &'static str, &'static str);

/// What nobody puts into a text on purpose; the first one that is there is named.
const ACCIDENTS: &[Accident] = &[
    (
        |text| text.contains('\u{feff}'),
        "has a byte order mark (BOM)",
        "save it as UTF-8 without one",
    ),
    (
        |text| text.contains('\0'),
        "has a NUL",
        "remove it, or for raw bytes in a file choose `SecretEncoding::Raw`",
    ),
    (
        |text| text.ends_with('\n'),
        "ends with more than one line break",
        "leave at most one",
    ),
    (
        |text| text.starts_with(['\n', '\r']),
        "begins with a line break",
        "remove it",
    ),
    (
        |text| text.contains('\n'),
        "has several lines",
        "write it in one line",
    ),
    (
        |text| text.contains('\r'),
        "has a carriage return",
        "remove it: it comes from line ends of Windows",
    ),
    (
        |text| text.starts_with(is_quote) || text.ends_with(is_quote),
        "begins or ends with a quotation mark",
        "remove it: `docker run --env-file` takes it for part of the value",
    ),
    (
        |text| text.starts_with(is_blank),
        "begins with a blank or a tab",
        "remove it",
    ),
    (
        |text| text.ends_with(is_blank),
        "ends with a blank or a tab",
        "remove it",
    ),
    (
        |text| text.contains(char::is_control),
        "has a control character",
        "remove it",
    ),
    (
        |text| text.contains(is_invisible),
        "has an invisible character",
        "type it anew: it comes from a page or a document",
    ),
    (
        |text| text.contains(char::REPLACEMENT_CHARACTER),
        "has a replacement character (U+FFFD)",
        "take it from its source again: a program has read it in a wrong encoding",
    ),
];

/// Straight ones, and those of documents.
fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}'
    )
}

fn is_blank(c: char) -> bool {
    c == '\t' || c.is_whitespace() && !c.is_control()
}

/// Soft hyphens, marks of zero width, and marks of direction.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
    )
}
