use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use http::{Response, request::Parts};

use super::policy::Policy;
use crate::validate::{AuthError, Validated};

/// A request whose head is proven while its body is still coming; in the extensions of the request.
///
/// Its clones tell the same.
#[derive(Clone)]
pub struct Upload(Arc<Progress>);

struct Progress {
    consumer: Box<str>,
    /// For the refusal.
    parts: Parts,
    policy: Arc<Policy>,
    validated: OnceLock<Validated>,
    refusal: Mutex<Option<Response<Bytes>>>,
}

impl Upload {
    pub(super) fn new(consumer: &str, parts: Parts, policy: Arc<Policy>) -> Self {
        let consumer = consumer.into();
        Self(Arc::new(Progress {
            consumer,
            parts,
            policy,
            validated: OnceLock::new(),
            refusal: Mutex::default(),
        }))
    }

    /// Who sends it: the listed key id, or else the name of the secret. Proven from the start.
    #[must_use]
    pub fn consumer(&self) -> &str {
        &self.0.consumer
    }

    /// The proof for the whole request; `None` until the body has ended as the one that was signed.
    ///
    /// A request without a body is proven from the start, if all layers outside of this one tell
    /// that its body is empty; with those that wrap the body and do not, read it to its end.
    #[must_use]
    pub fn validated(&self) -> Option<&Validated> {
        self.0.validated.get()
    }

    pub(super) fn prove(&self, validated: Validated) {
        // A body ends once.
        let _ = self.0.validated.set(validated);
    }

    /// Refuses the request, whatever the service will answer.
    pub(super) fn fail(&self, error: &AuthError) {
        let refusal = self.0.policy.refuse(error, &self.0.parts);
        *self
            .0
            .refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }

    pub(super) fn take_refusal(&self) -> Option<Response<Bytes>> {
        self.0
            .refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("consumer", &self.consumer())
            .field("validated", &self.validated())
            .finish()
    }
}
