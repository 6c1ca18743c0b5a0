//! The progress of a streamed upload.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use http::{Response, request::Parts};

use super::{hashed_body::Rest, policy::Policy};
use crate::validate::{AuthError, Proof, Validated};

/// A request whose head is proven while its body is still coming.
///
/// [`ValidateStreamLayer`](super::ValidateStreamLayer) adds it to the extensions of the request.
/// All clones share one state.
#[derive(Clone)]
pub struct Upload(Arc<Progress>);

struct Progress {
    consumer: Box<str>,
    /// A refusal needs the head of the request.
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

    /// The consumer that sends the request, as in
    /// [`Validated::consumer`](crate::Validated::consumer).
    ///
    /// The consumer is proven from the start.
    #[must_use]
    pub fn consumer(&self) -> &str {
        &self.0.consumer
    }

    /// The proof of the whole request; `None` until the signed body has ended.
    ///
    /// A request without a body is proven from the start if its body says that it is empty
    /// (`is_end_stream`). Some layers outside of this one wrap a body and lose that information.
    /// Behind such a layer, read the body to its end.
    #[must_use]
    pub fn validated(&self) -> Option<&Validated> {
        self.0.validated.get()
    }

    pub(super) fn prove(&self, validated: Validated) {
        // A body ends once.
        let _ = self.0.validated.set(validated);
    }

    /// Leaves a trace when the service is called. `unfinished` is the proof of a head whose body
    /// is still to come.
    pub(super) fn trace(&self, unfinished: Option<&Proof>) {
        let finished = self.validated().map(Validated::proof);
        #[cfg(feature = "tracing")]
        if let Some(proof) = finished.or(unfinished) {
            self.0.policy.trace_consumer(proof);
        }
        #[cfg(not(feature = "tracing"))]
        let _ = unfinished;
        if let Some(proof) = finished {
            self.0.policy.accept(proof);
        }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.0.policy
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// Refuses the request, whatever the service will answer.
    pub(super) fn fail(&self, error: &AuthError, left: Rest) {
        let refusal = self.0.policy.refuse(error, &self.0.parts, left);
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
