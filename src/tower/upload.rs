use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http::{Response, request::Parts};

use super::policy::Policy;
use crate::{error::AuthError, validate::Validated};

/// A request whose head is proven while its body is still coming; in the extensions of the request.
///
/// Its clones tell the same.
#[derive(Clone)]
pub struct Upload(Arc<Progress>);

struct Progress {
    head: Validated,
    /// For the refusal.
    parts: Parts,
    policy: Arc<Policy>,
    is_proven: AtomicBool,
    refusal: Mutex<Option<Response<Bytes>>>,
}

impl Upload {
    pub(super) fn new(head: Validated, parts: Parts, policy: Arc<Policy>) -> Self {
        Self(Arc::new(Progress { head, parts, policy, is_proven: AtomicBool::new(false), refusal: Mutex::default() }))
    }

    /// Who sends it: the listed key id, or else the name of the secret. Proven from the start.
    #[must_use]
    pub fn consumer(&self) -> &str {
        self.0.head.consumer()
    }

    /// The proof for the whole request; `None` until the body has ended as the one that was signed.
    ///
    /// A request without a body is proven from the start, if all layers outside of this one tell that its body is empty; with those
    /// that wrap the body and do not, read it to its end.
    #[must_use]
    pub fn validated(&self) -> Option<&Validated> {
        self.0.is_proven.load(Ordering::Acquire).then_some(&self.0.head)
    }

    /// What the head alone proves.
    pub(super) fn head(&self) -> &Validated {
        &self.0.head
    }

    pub(super) fn prove(&self) {
        self.0.is_proven.store(true, Ordering::Release);
    }

    /// Refuses the request, whatever the service will answer.
    pub(super) fn fail(&self, error: &AuthError) {
        let refusal = self.0.policy.refuse(error, &self.0.parts);
        *self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
    }

    pub(super) fn take_refusal(&self) -> Option<Response<Bytes>> {
        self.0.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("consumer", &self.consumer()).field("validated", &self.validated()).finish()
    }
}
