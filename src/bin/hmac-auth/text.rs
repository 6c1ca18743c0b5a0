//! Texts as editors and shells write them into files.

/// The text as UTF-8, without a byte order mark: PowerShell writes UTF-16.
pub(super) fn to_utf8(bytes: Vec<u8>) -> Vec<u8> {
    match *bytes {
        [0xef, 0xbb, 0xbf, ref rest @ ..] => rest.to_vec(),
        [0xff, 0xfe, ref rest @ ..] => from_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, ref rest @ ..] => from_utf16(rest, u16::from_be_bytes),
        // No text in UTF-8 has a NUL, and what is captured begins with ASCII.
        [_, 0, ..] => from_utf16(&bytes, u16::from_le_bytes),
        [0, _, ..] => from_utf16(&bytes, u16::from_be_bytes),
        _ => bytes,
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    String::from_utf16_lossy(&units.collect::<Vec<_>>()).into_bytes()
}
