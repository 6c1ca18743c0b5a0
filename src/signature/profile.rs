//! The wire profile: which components every request signature covers, in which order, and how the
//! list of them begins. Signing, validating and `Accept-Signature` take it from here.

use super::component::ComponentName;
use crate::message::KnownField;

/// The components that every request signature covers, before anything else.
///
/// To add one: name it here, and say in `Coverage` what it covers.
pub(crate) const ALWAYS: [ComponentName<&str>; 4] = [
    ComponentName::Method,
    ComponentName::Authority,
    ComponentName::Path,
    ComponentName::Query,
];

/// The fields that say what the body is and what it means. A consumer covers those that the request has,
/// in this order, after [`ALWAYS`].
pub(crate) const OF_BODY: [KnownField; 3] = [
    KnownField::ContentDigest,
    KnownField::ContentType,
    KnownField::ContentEncoding,
];

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "hmac-sha256";

/// The label used when none is configured. Labels mean nothing and are not signed.
pub const DEFAULT_LABEL: &str = "sig1";

/// How many components a signature may cover.
pub const MAX_COMPONENTS: usize = 32;

/// How the list of components of every request signature begins: `("@method" "@authority" …`.
pub(super) const LIST_START: [u8; list_start_len()] = {
    let mut text = [b' '; list_start_len()];
    text[0] = b'(';
    let (mut index, mut end) = (0, 1);
    while index < ALWAYS.len() {
        let name = ALWAYS[index].as_str().as_bytes();
        text[end] = b'"';
        let mut byte = 0;
        while byte < name.len() {
            text[end + 1 + byte] = name[byte];
            byte += 1;
        }
        text[end + 1 + name.len()] = b'"';
        // The space after the closing quote is there already.
        end += name.len() + 3;
        index += 1;
    }
    text
};

/// How the list goes on with each field of [`OF_BODY`]: ` "content-digest"`.
pub(super) static OF_BODY_TEXTS: [&[u8]; OF_BODY.len()] = [
    b" \"content-digest\"",
    b" \"content-type\"",
    b" \"content-encoding\"",
];

/// A parenthesis, then the names in quotes with spaces between them.
const fn list_start_len() -> usize {
    let mut len = 0;
    let mut index = 0;
    while index < ALWAYS.len() {
        len += ALWAYS[index].as_str().len() + 3;
        index += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_starts_as_the_profile_says() {
        let start: &[u8] = br#"("@method" "@authority" "@path" "@query""#;
        assert_eq!(LIST_START, start);
        let texts = OF_BODY.map(|field| format!(" \"{}\"", field.as_str()).into_bytes());
        assert_eq!(OF_BODY_TEXTS, texts.each_ref().map(Vec::as_slice));
    }
}
