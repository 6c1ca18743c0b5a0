//! The engine of the feature `rust-crypto`, the default one: pure Rust, from the project
//! `RustCrypto`.

use std::io;

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Digest;

use super::Mac;

/// Fills `bytes` from the generator of the operating system, or of the JavaScript host.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), io::Error> {
    Ok(getrandom::fill(bytes)?)
}

/// The keyed state of HMAC-SHA256; wiped when dropped.
pub(crate) struct HmacKey(Hmac<sha2::Sha256>);

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    pub(crate) fn mac(&self, message: &[u8]) -> Mac {
        let mut state = self.0.clone();
        state.update(message);
        Mac::new(state.finalize().into_bytes().into())
    }
}

#[derive(Clone)]
pub(crate) struct Sha256(sha2::Sha256);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
        let mut hash = Self::new();
        hash.update(bytes);
        hash.finish()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[derive(Clone)]
pub(crate) struct Sha512(sha2::Sha512);

impl Sha512 {
    pub(crate) fn new() -> Self {
        Self(sha2::Sha512::new())
    }

    pub(crate) fn digest(bytes: &[u8]) -> [u8; 64] {
        let mut hash = Self::new();
        hash.update(bytes);
        hash.finish()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 64] {
        self.0.finalize().into()
    }
}

// A key state that its library would leave in memory does not compile. `Hmac` keeps this of the
// key.
const _: () = {
    const fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}
    wiped_on_drop::<<sha2::Sha256 as hmac::EagerHash>::Core>();
};
