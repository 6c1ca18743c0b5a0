//! The work that one request may cause for its signature bases before a MAC has matched.

use super::base::{MAX_BASE_LEN, MAX_QUERY_PAIRS, MAX_QUERY_PARAMS};

/// The work that a peer without a secret can cause with one signature.
///
/// All signatures of a request share what one may cost, in even parts: the signature of a stranger
/// cannot use up the part of ours.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    /// The bytes of a signature base.
    pub(super) base_len: usize,
    /// The `@query-param` components.
    pub(super) query_params: usize,
    /// The pairs of the query that are looked at for them.
    pub(super) query_pairs: usize,
}

impl Budget {
    /// What one signature alone may cost.
    pub(crate) const WHOLE: Self = Self {
        base_len: MAX_BASE_LEN,
        query_params: MAX_QUERY_PARAMS,
        query_pairs: MAX_QUERY_PAIRS,
    };

    /// The part of each of several signatures.
    pub(crate) fn part_of(signatures: usize) -> Self {
        if signatures == 1 {
            return Self::WHOLE;
        }
        let Self {
            base_len,
            query_params,
            query_pairs,
        } = Self::WHOLE;
        Self {
            base_len: base_len / signatures,
            query_params: query_params / signatures,
            query_pairs: query_pairs / signatures,
        }
    }
}
