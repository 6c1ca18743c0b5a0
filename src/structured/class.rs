//! Which bytes may stand where.

/// A set of ASCII characters.
#[derive(Clone, Copy)]
pub(super) struct Class(u8);

impl Class {
    pub(super) const KEY_START: Self = Self(1);
    pub(super) const KEY: Self = Self(1 << 1);
    /// The characters that a string holds without an escape.
    pub(super) const STRING: Self = Self(1 << 2);
    pub(super) const TOKEN: Self = Self(1 << 3);
    pub(super) const BASE64: Self = Self(1 << 4);

    /// The classes of each byte.
    const OF: &[u8; 256] = &{
        const fn bit(class: Class, contains: bool) -> u8 {
            if contains { class.0 } else { 0 }
        }
        let mut of = [0; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            let (lower, digit) = (byte.is_ascii_lowercase(), byte.is_ascii_digit());
            let alphanumeric = byte.is_ascii_alphanumeric();
            let token = alphanumeric
                || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+')
                || matches!(byte, b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
                || matches!(byte, b':' | b'/');
            let string = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
            let key = lower || digit || matches!(byte, b'_' | b'-' | b'.' | b'*');
            of[byte as usize] = bit(Self::KEY_START, lower || byte == b'*')
                | bit(Self::KEY, key)
                | bit(Self::STRING, string)
                | bit(Self::TOKEN, token)
                | bit(Self::BASE64, alphanumeric || matches!(byte, b'+' | b'/'));
            byte += 1;
        }
        of
    };

    pub(super) fn contains(self, byte: u8) -> bool {
        Self::OF[usize::from(byte)] & self.0 != 0
    }

    /// How many bytes of this class `bytes` begins with.
    pub(super) fn leading(self, bytes: &[u8]) -> usize {
        for (len, byte) in bytes.iter().enumerate() {
            if !self.contains(*byte) {
                return len;
            }
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the ABNF of RFC 9651 sections 3.1.2 and 3.3.3 to 3.3.5, and of `tchar` in RFC 9110.
    #[test]
    fn classes_have_the_characters_of_the_rfc() {
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
        const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const DIGITS: &str = "0123456789";
        for (class, ranges) in [
            (Class::KEY_START, [LOWER, "*", "", ""]),
            (Class::KEY, [LOWER, DIGITS, "_-.*", ""]),
            (
                Class::STRING,
                [LOWER, UPPER, DIGITS, " !#$%&'()*+,-./:;<=>?@[]^_`{|}~"],
            ),
            (Class::TOKEN, [LOWER, UPPER, DIGITS, "!#$%&'*+-.^_`|~:/"]),
            (Class::BASE64, [LOWER, UPPER, DIGITS, "+/"]),
        ] {
            let expected = ranges.concat();
            for byte in 0..=255 {
                let is_expected = expected.as_bytes().contains(&byte);
                assert_eq!(class.contains(byte), is_expected, "{expected}: {byte}");
            }
        }
    }
}
