//! A host at a fixed time, with a secret that no input of a fuzzer has.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret,
    signature::{RequestHead, SignatureBase, SignatureInputs},
};
use http::HeaderMap;

/// The present, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;

/// The present.
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// The secret of the host.
pub static SECRET: LazyLock<Secret> =
    LazyLock::new(|| Secret::from_text("a secret that no fuzzer has").expect("long enough"));

/// The store of the host.
pub static SECRETS: LazyLock<MemorySecrets> = LazyLock::new(|| {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, SECRET.clone());
    secrets
});

/// The MAC of the first signature, with the secret of the host; `None` if there is no text to sign.
#[must_use]
pub fn mac_of(head: &RequestHead<'_>, headers: &HeaderMap) -> Option<[u8; 32]> {
    let input = SignatureInputs::new(headers).next()?.ok()?;
    let base = SignatureBase::of_request(head, &input).ok()?;
    Some(SECRET.mac(base.as_str().as_bytes()).into_bytes())
}

/// Puts texts in the place of bytes that no header can have: of 1 the first one, of 2 the second.
///
/// So an input can hold what a fuzzer does not know, such as a MAC.
#[must_use]
pub fn with_texts(data: &[u8], texts: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 96);
    for byte in data {
        match usize::from(*byte)
            .checked_sub(1)
            .and_then(|at| texts.get(at))
        {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => out.push(*byte),
        }
    }
    out
}
