//! What a consumer keeps of a signed request, to validate the response.

use std::{fmt, ops::Range};

use bytes::Bytes;
use http::HeaderValue;

use crate::{
    message::Lines,
    secret::SecretSet,
    signature::{AnsweredRequest, SignatureInput, SignatureInputs},
};

/// What [`validate_response`](crate::validate_response) needs to know of a signed request: what its
/// signature covers, its nonce, and the secret.
///
/// If you do not validate the response, drop it: it costs nothing more. It owns all it needs, shares
/// its memory with the header fields of the request, and holds nothing of the body. `Debug` shows no
/// value of the request.
#[derive(Clone)]
pub struct SentRequest {
    /// `Content-Digest`, `Signature-Input`, the signature base and `Signature`.
    text: Bytes,
    input: Range<usize>,
    base: Range<usize>,
    /// Where the value of `@signature-params` starts in the base.
    params_start: usize,
    /// Signed with the current one.
    secrets: SecretSet,
}

impl SentRequest {
    #[inline]
    pub(super) fn new(
        text: Bytes,
        input: Range<usize>,
        base: Range<usize>,
        params_start: usize,
        secrets: SecretSet,
    ) -> Self {
        Self {
            text,
            input,
            base,
            params_start,
            secrets,
        }
    }

    /// The lines that the signature covers.
    pub(crate) fn answered(&self) -> AnsweredRequest<'_> {
        AnsweredRequest::new(&self.text[self.base.clone()], self.params_start)
    }

    /// The secrets of the consumer when it signed. It signed with the current one.
    pub(crate) fn secrets(&self) -> &SecretSet {
        &self.secrets
    }

    /// The member of `Signature-Input` that was sent.
    pub(crate) fn input_field(&self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.text.slice(self.input.clone()))
            .expect("a value that was sent")
    }

    /// Reads what [`input_field`](Self::input_field) returns.
    pub(crate) fn read_input(field: &HeaderValue) -> SignatureInput<'_> {
        let inputs = &mut SignatureInputs::of(Lines::Only(Some(field)));
        let input = inputs.next().and_then(Result::ok);
        input.expect("a member that this crate has written")
    }

    /// The nonce of the request, by which its response is known.
    #[must_use]
    pub fn nonce(&self) -> String {
        let field = self.input_field();
        Self::read_input(&field)
            .nonce()
            .unwrap_or_default()
            .into_owned()
    }
}

impl fmt::Debug for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<_> = (self.answered().components())
            .map(|component| component.to_string())
            .collect();
        f.debug_struct("SentRequest")
            .field("nonce", &self.nonce())
            .field("components", &components)
            .finish_non_exhaustive()
    }
}
