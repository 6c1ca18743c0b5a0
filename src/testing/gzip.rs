//! Gzip without compression (RFC 1952): for a body in another content coding.

/// A block of `deflate` that is stored as it is has at most this many bytes (RFC 1951 section
/// 3.2.4).
const MAX_BLOCK_LEN: usize = 65_535;

/// The bytes as a gzip file.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    // The method is `deflate`; no flags, no time, an unknown system.
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in bytes.chunks(MAX_BLOCK_LEN) {
        push_stored(&mut file, block, false);
    }
    push_stored(&mut file, &[], true);
    file.extend_from_slice(&crc32(bytes).to_le_bytes());
    let len = u32::try_from(bytes.len() & 0xffff_ffff).expect("32 bits");
    file.extend_from_slice(&len.to_le_bytes());
    file
}

fn push_stored(file: &mut Vec<u8>, block: &[u8], is_last: bool) {
    let len = u16::try_from(block.len()).expect("a block is not longer");
    file.push(u8::from(is_last));
    file.extend_from_slice(&len.to_le_bytes());
    file.extend_from_slice(&(!len).to_le_bytes());
    file.extend_from_slice(block);
}

fn crc32(bytes: &[u8]) -> u32 {
    let of_byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    };
    !bytes.iter().fold(!0, of_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1952 has no example: this is the check value of the CRC in other catalogues.
    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_file_has_its_blocks_and_its_length() {
        assert_eq!(
            gzip(b"hi"),
            [
                &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..],
                &[0, 2, 0, 0xfd, 0xff, b'h', b'i'],
                &[1, 0, 0, 0xff, 0xff],
                &[0xac, 0x2a, 0x93, 0xd8, 2, 0, 0, 0],
            ]
            .concat()
        );
        assert_eq!(
            gzip("x".repeat(65_536).as_bytes()).len(),
            10 + 5 + 65_535 + 5 + 1 + 5 + 8
        );
    }
}
