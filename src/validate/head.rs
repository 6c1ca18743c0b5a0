use std::fmt;

use super::Validated;
use crate::error::{AuthError, AuthErrorKind};

/// A request whose head is proven and whose body is not yet: feed it the body as it was received, then
/// [`finish`](Self::finish).
///
/// Owns all it needs, so that it can wait for a body. What is dropped unfinished has proven nothing.
#[must_use = "only `finish` gives the proof"]
pub struct VerifiedHead {
    pub(super) validated: Validated,
    pub(super) covers_digest: bool,
    pub(super) has_body: bool,
}

impl VerifiedHead {
    /// Whether the signature covers a digest of the body. If not, any body at all makes [`finish`](Self::finish) fail.
    #[must_use]
    pub fn covers_body(&self) -> bool {
        self.covers_digest
    }

    /// What is proven once the body has been: until then, of the head alone.
    #[cfg(feature = "tower")]
    pub(crate) fn unfinished(&self) -> &Validated {
        &self.validated
    }

    /// Takes the next bytes of the body, before any decoding, in pieces of any size.
    pub fn update(&mut self, bytes: &[u8]) {
        self.has_body |= !bytes.is_empty();
        // A body that is not covered is refused in any case, so hashing it would be wasted.
        if self.has_body && self.covers_digest {
            self.validated.digest_mut().update(bytes);
        }
    }

    /// The proof, at the end of the body.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::BodyNotCovered`] if there is a body and the signature covers no digest of it,
    /// [`AuthErrorKind::WrongDigest`] if one of the digests is not that of the body.
    pub fn finish(self) -> Result<Validated, AuthError> {
        if self.has_body && !self.covers_digest {
            return Err(AuthErrorKind::BodyNotCovered.into());
        }
        // Checked even if it is not covered, as on a request without a body: a wrong one is never passed on.
        if self.validated.digest().matches() {
            Ok(self.validated)
        } else {
            Err(AuthErrorKind::WrongDigest.into())
        }
    }
}

impl fmt::Debug for VerifiedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedHead")
            .field("covers_body", &self.covers_digest)
            .finish_non_exhaustive()
    }
}
