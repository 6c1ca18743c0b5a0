//! A request between the proof of its head and the proof of its body.

use std::{fmt, sync::Arc};

use super::{
    error::{AuthError, AuthErrorKind},
    policy,
    validated::{Proof, Validated},
};
use crate::signature::Coverage;

/// A request whose head is proven and whose body is not yet.
///
/// Feed it the body as it was received, then [`finish`](Self::finish). A head owns all it needs, so
/// it can wait for a body. A head that is dropped unfinished has proven nothing.
#[must_use = "only `finish` gives the proof"]
pub struct VerifiedHead {
    proof: Arc<Proof>,
    /// What the signature must cover if there is a body, and does not.
    uncovered: Coverage,
    has_body: bool,
}

impl VerifiedHead {
    pub(super) fn new(proof: Arc<Proof>, uncovered: Coverage) -> Self {
        Self {
            proof,
            uncovered,
            has_body: false,
        }
    }

    /// The proof of the head alone.
    pub(crate) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whether the signature covers a digest of the body. If not, any body at all makes
    /// [`finish`](Self::finish) fail.
    #[must_use]
    pub fn covers_body(&self) -> bool {
        self.proof.covers_digest()
    }

    /// Whether the signature covers all that it must if there is a body: at the first byte of one, it
    /// is known to be there.
    #[inline]
    pub(crate) fn check_coverage_of_body(&self) -> Result<(), AuthError> {
        if !self.covers_body() {
            return Err(AuthErrorKind::BodyNotCovered.into());
        }
        match self.uncovered {
            Coverage::NONE => Ok(()),
            uncovered => Err(policy::not_covered(uncovered)),
        }
    }

    /// Takes the next bytes of the body, before any decoding, in pieces of any size.
    #[inline]
    pub fn update(&mut self, bytes: &[u8]) {
        self.has_body |= !bytes.is_empty();
        // A body that is not covered is refused in any case, so hashing it would be wasted.
        if self.has_body && self.covers_body() {
            // A head is the only owner of its proof, so nothing is copied.
            Arc::make_mut(&mut self.proof).digest.update(bytes);
        }
    }

    /// The proof, at the end of the body.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::BodyNotCovered`] if there is a body and the signature covers no digest of
    /// it. [`AuthErrorKind::NotCovered`] if there is a body, and the request has a `Content-Type` or
    /// a `Content-Encoding` that is not covered. [`AuthErrorKind::WrongDigest`] if one of the digests
    /// is not that of the body.
    #[inline]
    pub fn finish(self) -> Result<Validated, AuthError> {
        if self.has_body {
            self.check_coverage_of_body()
                .map_err(|error| error.proven(&self.proof))?;
        }
        // Checked even if no digest is covered, as on a request without a body: a wrong one is
        // never passed on.
        if self.proof.digest.matches() {
            Ok(Validated::new(self.proof))
        } else {
            Err(AuthError::new(AuthErrorKind::WrongDigest).proven(&self.proof))
        }
    }
}

impl fmt::Debug for VerifiedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedHead")
            .field("covers_body", &self.covers_body())
            .finish_non_exhaustive()
    }
}
