//! Nonces: random values that make each signature unique.

use std::{cell::RefCell, io};
#[cfg(feature = "testing")]
use std::{fmt, sync::Arc};

/// Where nonces come from.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "testing"), derive(Debug))]
pub(super) enum Nonces {
    #[default]
    Random,
    #[cfg(feature = "testing")]
    Given(Arc<dyn Fn() -> [u8; 16] + Send + Sync>),
}

impl Nonces {
    pub(super) fn next(&self) -> Result<[u8; 16], io::Error> {
        match self {
            Self::Random => nonce(),
            #[cfg(feature = "testing")]
            Self::Given(next) => Ok(next()),
        }
    }
}

#[cfg(feature = "testing")]
impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "Random",
            Self::Given(_) => "Given",
        })
    }
}

use crate::crypto::fill_random;

/// Returns 128 random bits, so that two signatures are never the same.
///
/// The engine is asked for sixteen nonces at once: a system call for each would take a quarter of
/// the time of signing. A nonce is public and only has to be new. A process that forks
/// would repeat some, which its host would refuse as replays if the requests were otherwise the
/// same.
fn nonce() -> Result<[u8; 16], io::Error> {
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
