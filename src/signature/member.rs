//! Writes members of `Signature-Input`, `Accept-Signature` and `Signature` (RFC 9421 sections 4 and
//! 5).

use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{
    component::{Component, ComponentName},
    profile,
};
use crate::{
    crypto::Mac,
    structured::{push_base64, push_byte_sequence, push_integer, push_quoted},
};

/// A member of `Signature-Input` or `Accept-Signature` while it is written: first the label, then
/// the components, then the parameters.
pub(crate) struct MemberWriter<'t> {
    text: &'t mut Vec<u8>,
}

impl<'t> MemberWriter<'t> {
    /// Starts a member at the end of `text` with its label, which must be a key of RFC 9651.
    pub(crate) fn new(text: &'t mut Vec<u8>, label: &str) -> Self {
        text.extend_from_slice(label.as_bytes());
        text.extend_from_slice(b"=(");
        Self { text }
    }

    /// Goes on with a member that ends `text`.
    pub(crate) fn go_on(text: &'t mut Vec<u8>) -> Self {
        Self { text }
    }

    /// Starts with what the profile covers: always, and of the body.
    pub(crate) fn profile(
        text: &'t mut Vec<u8>,
        label: &str,
        of_body: [bool; profile::OF_BODY.len()],
    ) -> Self {
        text.extend_from_slice(label.as_bytes());
        text.push(b'=');
        text.extend_from_slice(profile::LIST_START.as_bytes());
        for (component, is_there) in profile::LIST_OF_BODY.iter().zip(of_body) {
            if is_there {
                text.extend_from_slice(component.as_bytes());
            }
        }
        Self { text }
    }

    /// Adds a component without parameters.
    pub(crate) fn component(&mut self, name: ComponentName<&str>) {
        self.separate();
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_str().as_bytes());
        self.text.push(b'"');
    }

    /// Adds a component with its parameters.
    pub(crate) fn identifier(&mut self, component: &Component<'_>) {
        self.separate();
        self.text.extend_from_slice(component.identifier());
    }

    /// Adds the copy of a component of the request that a response answers.
    pub(crate) fn copy(&mut self, component: &Component<'_>) {
        self.identifier(component);
        self.text.extend_from_slice(b";req");
    }

    fn separate(&mut self) {
        if self.text.last() != Some(&b'(') {
            self.text.push(b' ');
        }
    }

    pub(crate) fn end_components(&mut self) {
        self.text.push(b')');
    }

    /// Adds a parameter without a value, which asks for one.
    pub(crate) fn flag(&mut self, key: &str) {
        self.text.push(b';');
        self.text.extend_from_slice(key.as_bytes());
    }

    /// Adds a number of at most 15 digits.
    pub(crate) fn integer(&mut self, key: &str, number: i64) {
        self.key(key);
        push_integer(self.text, number);
    }

    /// Adds a text of printable ASCII.
    pub(crate) fn string(&mut self, key: &str, text: &str) {
        self.key(key);
        push_quoted(self.text, text);
    }

    /// Adds `nonce`, in base64url without padding.
    pub(crate) fn nonce(&mut self, nonce: &[u8; 16]) {
        self.key("nonce");
        self.text.push(b'"');
        push_base64(self.text, &URL_SAFE_NO_PAD, nonce);
        self.text.push(b'"');
    }

    /// Adds `alg` with the only algorithm.
    pub(crate) fn algorithm(&mut self) {
        self.string("alg", profile::ALGORITHM);
    }

    fn key(&mut self, key: &str) {
        self.flag(key);
        self.text.push(b'=');
    }
}

/// Writes a member of `Signature` to the end of `text`.
pub(crate) fn push_signature(text: &mut Vec<u8>, label: &str, mac: &Mac) {
    text.extend_from_slice(label.as_bytes());
    text.push(b'=');
    push_byte_sequence(text, mac.as_bytes());
}
