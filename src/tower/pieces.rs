//! The pieces of a body, gathered in memory.

use std::mem;

use bytes::{Bytes, BytesMut};

/// Keeps a single piece as it is, without a copy. Several pieces are copied into one buffer, so
/// that many small pieces take no more memory than their bytes.
#[derive(Default)]
pub(super) struct Pieces {
    only: Bytes,
    all: BytesMut,
}

impl Pieces {
    pub(super) fn push(&mut self, piece: Bytes) {
        if self.only.is_empty() && self.all.is_empty() {
            self.only = piece;
        } else {
            self.all.extend_from_slice(&mem::take(&mut self.only));
            self.all.extend_from_slice(&piece);
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.only
        } else {
            self.all.freeze()
        }
    }
}
