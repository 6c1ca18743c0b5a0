//! The proof that a response was validated.

use std::{fmt, sync::Arc};

use http::StatusCode;

use crate::signature::{Component, Components};

/// The proof that a response was validated: it is the host's answer to this very request.
///
/// It comes out of [`validate_response`](crate::validate_response) and of the clients of this crate,
/// and from nowhere else. A clone shares it.
#[derive(Clone)]
pub struct ValidatedResponse {
    /// The value of `@signature-params`.
    params: Arc<[u8]>,
    created: i64,
    status: StatusCode,
}

impl ValidatedResponse {
    pub(super) fn new(params: &[u8], created: i64, status: StatusCode) -> Self {
        Self {
            params: params.into(),
            created,
            status,
        }
    }

    /// The status that the host has signed.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// When the host signed, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.created
    }

    /// The components that the signature covers: nothing else of the head is proven. Those with the
    /// parameter `req` are copies of the request.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        Components::of(&self.params)
    }
}

impl fmt::Debug for ValidatedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<_> = self
            .components()
            .map(|component| component.to_string())
            .collect();
        f.debug_struct("ValidatedResponse")
            .field("status", &self.status)
            .field("created", &self.created)
            .field("components", &components)
            .finish_non_exhaustive()
    }
}
