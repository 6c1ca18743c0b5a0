//! Which bytes may stand where.

/// A set of ASCII characters.
#[derive(Clone, Copy)]
pub(super) struct Class(u8);

impl Class {
    pub(super) const KEY_START: Self = Self(1);
    pub(super) const KEY: Self = Self(1 << 1);
    /// What a string holds without an escape.
    pub(super) const STRING: Self = Self(1 << 2);
    pub(super) const TOKEN: Self = Self(1 << 3);
    pub(super) const BASE64: Self = Self(1 << 4);
    /// [`HOST`](Self::HOST) without the capitals.
    pub(super) const LOWER_HOST: Self = Self(1 << 5);
    /// `tchar` of RFC 9110 section 5.6.2 without the capitals.
    pub(super) const FIELD_NAME: Self = Self(1 << 6);
    /// `unreserved` of RFC 3986 section 2.3 and `_`.
    pub(super) const HOST: Self = Self(1 << 7);

    /// The classes of each byte. One look-up costs a third of the comparisons that it stands for.
    const OF: [u8; 256] = {
        const fn bit(class: Class, contains: bool) -> u8 {
            if contains { class.0 } else { 0 }
        }
        let mut of = [0; 256];
        let mut byte: u8 = 0;
        while byte < 128 {
            let (lower, digit) = (byte.is_ascii_lowercase(), byte.is_ascii_digit());
            let alphanumeric = byte.is_ascii_alphanumeric();
            let tchar = alphanumeric
                || matches!(
                    byte,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                );
            of[byte as usize] = bit(Self::KEY_START, lower || byte == b'*')
                | bit(
                    Self::KEY,
                    lower || digit || matches!(byte, b'_' | b'-' | b'.' | b'*'),
                )
                | bit(
                    Self::STRING,
                    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\',
                )
                | bit(Self::TOKEN, tchar || matches!(byte, b':' | b'/'))
                | bit(Self::BASE64, alphanumeric || matches!(byte, b'+' | b'/'))
                | bit(
                    Self::LOWER_HOST,
                    lower || digit || matches!(byte, b'-' | b'.' | b'_' | b'~'),
                )
                | bit(Self::FIELD_NAME, tchar && !byte.is_ascii_uppercase())
                | bit(
                    Self::HOST,
                    alphanumeric || matches!(byte, b'-' | b'.' | b'_' | b'~'),
                );
            byte += 1;
        }
        of
    };

    pub(super) fn contains(self, byte: u8) -> bool {
        Self::OF[usize::from(byte)] & self.0 != 0
    }

    /// How many bytes of this class `bytes` begins with.
    #[inline]
    pub(super) fn leading(self, bytes: &[u8]) -> usize {
        // Four at once, with one branch, take half the instructions.
        let mut rest = bytes;
        while let Some((four, after)) = rest.split_first_chunk::<4>() {
            let [a, b, c, d] = four.map(|byte| Self::OF[usize::from(byte)]);
            if a & b & c & d & self.0 == 0 {
                break;
            }
            rest = after;
        }
        while let [byte, after @ ..] = rest {
            if !self.contains(*byte) {
                break;
            }
            rest = after;
        }
        bytes.len() - rest.len()
    }

    pub(super) fn contains_all(self, text: &str) -> bool {
        text.bytes().all(|byte| self.contains(byte))
    }
}
