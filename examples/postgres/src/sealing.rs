//! Secrets as the database holds them: sealed, so that whoever reads the database learns none.

use std::{error::Error, fs, path::Path};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, KeyInit, Payload},
};
use zeroize::Zeroizing;

const NONCE_LEN: usize = 24;

/// The key of the host. It stands in no database.
pub(crate) struct SealingKey(XChaCha20Poly1305);

impl SealingKey {
    /// Reads 32 bytes, which nobody but the host and its operator can read.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Box<dyn Error>> {
        let key = Zeroizing::new(fs::read(path)?);
        let cipher = XChaCha20Poly1305::new_from_slice(&key);
        Ok(Self(cipher.map_err(|_| "a sealing key has 32 bytes")?))
    }

    /// A random nonce, then the sealed secret. It opens only for the same key id.
    pub(crate) fn seal(&self, key_id: &str, secret: &str) -> Vec<u8> {
        let nonce = XNonce::generate();
        let payload = Payload {
            msg: secret.as_bytes(),
            aad: key_id.as_bytes(),
        };
        let sealed = self.0.encrypt(&nonce, payload);
        let sealed = sealed.expect("a secret is shorter than 256 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    pub(crate) fn open(
        &self,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let payload = |msg| Payload {
            msg,
            aad: key_id.as_bytes(),
        };
        let opened = sealed
            .split_first_chunk::<NONCE_LEN>()
            .and_then(|(nonce, sealed)| {
                let nonce = XNonce::from(*nonce);
                self.0.decrypt(&nonce, payload(sealed)).ok()
            });
        opened
            .map(Zeroizing::new)
            .ok_or("a secret was not sealed with this key and for this key id")
    }
}
