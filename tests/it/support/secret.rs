//! Two secrets, and a way to compare secrets without showing them.

use hmac_auth::{Secret, SecretSet};

pub(crate) const OLD: &str = "the old secret, long enough";

pub(crate) const NEW: &str = "the new secret, long enough";

pub(crate) fn secret(text: &str) -> Secret {
    Secret::from_text(text).expect("long enough")
}

/// Two secrets are the same if they give the same MAC.
pub(crate) fn same(left: &Secret, right: &Secret) -> bool {
    left.mac(b"probe").into_bytes() == right.mac(b"probe").into_bytes()
}

pub(crate) fn is_set_of(set: &SecretSet, texts: &[&str]) -> bool {
    set.accepted().count() == texts.len()
        && set
            .accepted()
            .zip(texts)
            .all(|(one, text)| same(one, &secret(text)))
}
