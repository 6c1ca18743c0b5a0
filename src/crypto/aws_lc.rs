//! The engine of the features `aws-lc-rs` and `fips`: AWS-LC, and its FIPS module.
//!
//! AWS-LC rather than `ring`, which is as fast and builds sooner. `rustls`, and so most clients and
//! servers with TLS, builds AWS-LC already, and AWS-LC cleanses keys when they are dropped, which
//! `ring` does not.

use std::io;

use aws_lc_rs::{
    digest::{Context, SHA256, SHA512},
    hmac::{self, HMAC_SHA256, Key},
    rand,
};

use super::Mac;
#[cfg(feature = "fips")]
use super::fips::assert_fips_mode as assert_mode;

#[cfg(not(feature = "fips"))]
const fn assert_mode() {}

/// Fills `bytes` from the generator of AWS-LC.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), io::Error> {
    assert_mode();
    rand::fill(bytes).map_err(|_| io::Error::other("the generator of AWS-LC has failed"))
}

/// The keyed state of HMAC-SHA256; AWS-LC cleanses it when dropped.
pub(crate) struct HmacKey(Key);

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        assert_mode();
        Self(Key::new(HMAC_SHA256, key))
    }

    pub(crate) fn mac(&self, message: &[u8]) -> Mac {
        Mac::new(array(hmac::sign(&self.0, message).as_ref()))
    }
}

#[derive(Clone)]
pub(crate) struct Sha256(Context);

impl Sha256 {
    pub(crate) fn new() -> Self {
        assert_mode();
        Self(Context::new(&SHA256))
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
        array(self.0.finish().as_ref())
    }
}

#[derive(Clone)]
pub(crate) struct Sha512(Context);

impl Sha512 {
    pub(crate) fn new() -> Self {
        assert_mode();
        Self(Context::new(&SHA512))
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
        array(self.0.finish().as_ref())
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes
        .try_into()
        .expect("the algorithm fixes the length of its output")
}
