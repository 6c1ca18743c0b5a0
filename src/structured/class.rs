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
