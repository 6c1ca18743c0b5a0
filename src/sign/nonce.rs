//! Nonces: random values that make each signature unique.

use std::{cell::RefCell, io};

use crate::crypto::fill_random;

/// Returns 128 random bits, so that two signatures are never the same.
///
/// The engine is asked for sixteen nonces at once: a system call for each would take a quarter of
/// the time of signing. A nonce is public and only has to be new. A process that forks
/// would repeat some, which its host would refuse as replays if the requests were otherwise the
/// same.
pub(super) fn nonce() -> Result<[u8; 16], io::Error> {
    const BATCH: usize = 16;
    thread_local! {
        static NEXT: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    let fresh = || -> Result<_, io::Error> {
        let mut batch = [[0; 16]; BATCH];
        fill_random(batch.as_flattened_mut())?;
        Ok(batch)
    };
    let kept = NEXT.try_with(|next| {
        let mut next = next.borrow_mut();
        if next.is_empty() {
            next.extend(fresh()?);
        }
        next.pop().ok_or_else(|| io::ErrorKind::Other.into())
    });
    // A thread that is ending keeps nothing any more.
    kept.unwrap_or_else(|_| fresh().map(|[first, ..]| first))
}
