//! What a host asks for with `Accept-Signature` (RFC 9421 section 5).

use http::HeaderMap;

use super::options::SignOptions;
use crate::{
    message::{ACCEPT_SIGNATURE, Lines, RequestHead, SIGNATURE, SIGNATURE_INPUT},
    signature::{AskedSignatures, BaseLines, Budget, Component, ComponentName, profile},
};

impl SignOptions {
    /// The options for one more try, after a host has refused a request and its `Accept-Signature`
    /// asks for components that the signature did not cover; `None` if it asks for nothing more.
    ///
    /// Components are only added, never taken away. Label, secret, key id, tag, nonce and the list
    /// of authorities stay. Left out is what the request does not have or what cannot be signed, and
    /// a member that is meant for another key id, tag or algorithm.
    ///
    /// ```
    /// use hmac_auth::SignOptions;
    /// use http::{HeaderMap, HeaderValue};
    ///
    /// let request = http::Request::get("https://host.example/orders")
    ///     .header("x-tenant", "7")
    ///     .body(())?;
    /// // Of the 401.
    /// let mut refusal = HeaderMap::new();
    /// let asked = HeaderValue::from_static("sig1=(\"@method\" \"x-tenant\")");
    /// refusal.insert("accept-signature", asked);
    ///
    /// let options = SignOptions::new();
    /// let again = options.cover_asked(&request, &refusal);
    /// assert!(again.is_some());
    /// # Ok::<(), http::Error>(())
    /// ```
    ///
    /// # Security
    ///
    /// Nobody has signed the refusal. Anybody on the way can make a consumer cover more, which
    /// weakens nothing, and sign once more. So try once, and only what may happen twice.
    #[must_use]
    pub fn cover_asked<'a>(
        &self,
        request: impl Into<RequestHead<'a>>,
        refusal: &HeaderMap,
    ) -> Option<Self> {
        let request = request.into();
        let mut options = self.clone();
        for asked in AskedSignatures::of(Lines::of(refusal, ACCEPT_SIGNATURE)) {
            if !asked.is_for(self.key_id.as_deref(), self.asked_tag()) {
                continue;
            }
            for component in asked.components() {
                if is_to_add(&component, &request) {
                    options = options.cover(component.to_string());
                }
            }
        }
        let adds = options.covered().count() > self.covered().count();
        adds.then_some(options)
    }
}

/// Whether the request has a component, and the profile does not cover it anyway.
fn is_to_add(component: &Component<'_>, request: &RequestHead<'_>) -> bool {
    if !component.is_of_requests() || !can_be_signed(component, request) {
        return false;
    }
    let name = component.name();
    if let ComponentName::Field(field) = name {
        let is_of_profile =
            component.is_plain() && profile::OF_BODY.iter().any(|known| known.as_str() == field);
        let is_of_signing = [SIGNATURE, SIGNATURE_INPUT]
            .iter()
            .any(|known| known.as_str() == field);
        !is_of_profile && !is_of_signing
    } else {
        !(component.is_plain() && profile::ALWAYS.contains(&name))
    }
}

/// Whether the request has the component, with a value that a signature base can hold.
fn can_be_signed(component: &Component<'_>, request: &RequestHead<'_>) -> bool {
    let mut text = Vec::new();
    let mut lines = BaseLines::new(&mut text, Budget::WHOLE);
    lines.push_component(component, request).is_ok()
}
