//! Hashes as Wix writes them.

/// The hash in hexadecimal digits, in lower case.
pub(super) fn hex(hash: [u8; 32]) -> String {
    hash.map(|byte| format!("{byte:02x}")).concat()
}
