use std::{fmt, ops::Range, sync::Arc, time::SystemTime};

use crate::{
    digest::BodyDigest,
    replay::ReplayId,
    signature::{Component, QuotedString, SIGNATURE_PARAMS, SignatureBase, SignatureInput, text},
    time::system_time,
};

/// The proof that a request was validated: it comes out of [`validate_auth`](crate::validate_auth) or
/// [`VerifiedHead::finish`](crate::VerifiedHead::finish), and from nowhere else.
///
/// All it tells was covered by the MAC. A clone shares it. `Debug` shows neither the MAC nor any value of the request.
#[derive(Clone)]
pub struct Validated(Arc<Proof>);

/// In one place from the MAC on, because it goes through many futures, with room for the state of hashing: a place of its own for that
/// would be a third allocation.
#[derive(Clone)]
struct Proof {
    secret_name: Arc<str>,
    secret_is_previous: bool,
    /// The signature base, then the key id, the nonce and the tag without their quotes: all in one allocation.
    text: Vec<u8>,
    base_len: usize,
    key_id: Option<Range<usize>>,
    nonce: Option<Range<usize>>,
    tag: Option<Range<usize>>,
    expires: Option<i64>,
    key_id_is_listed: bool,
    replay_id: ReplayId,
    digest: BodyDigest,
}

impl Validated {
    /// What is proven of the head. Nobody gets it before the body is proven, too.
    #[inline]
    pub(super) fn of_head(
        base: SignatureBase,
        input: &SignatureInput<'_>,
        secret_name: Arc<str>,
        secret: usize,
        key_id_is_listed: bool,
        replay_id: ReplayId,
    ) -> Self {
        let mut text = base.into_bytes();
        let base_len = text.len();
        let mut keep = |string: Option<QuotedString<'_>>| {
            let start = text.len();
            text.extend_from_slice(&string?.bytes());
            Some(start..text.len())
        };
        let [key_id, nonce, tag] = input.strings();
        let (key_id, nonce, tag) = (keep(key_id), keep(nonce), keep(tag));
        let (expires, digest) = (input.expires(), BodyDigest::default());
        Self(Arc::new(Proof {
            secret_name,
            secret_is_previous: secret > 0,
            text,
            base_len,
            key_id,
            nonce,
            tag,
            expires,
            key_id_is_listed,
            replay_id,
            digest,
        }))
    }

    /// The digests that the body must have, and the state of hashing it.
    pub(super) fn digest(&self) -> &BodyDigest {
        &self.0.digest
    }

    /// The same, to go on with. There is one owner until the body has ended, so nothing is copied.
    pub(super) fn digest_mut(&mut self) -> &mut BodyDigest {
        &mut Arc::make_mut(&mut self.0).digest
    }

    /// The host's own name of the secret that has proven the request.
    #[must_use]
    pub fn secret_name(&self) -> &str {
        &self.0.secret_name
    }

    /// Whether the consumer still signs with a previous secret. When none does any more, a rotation is over.
    #[must_use]
    pub fn by_previous_secret(&self) -> bool {
        self.0.secret_is_previous
    }

    /// The key id. Listed by the host if it [lists key ids](crate::ValidateOptions::key_ids); otherwise whatever a holder of
    /// the one secret chose.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.kept(self.0.key_id.as_ref())
    }

    /// The consumer, by what the host knows of it: its listed key id, or else the name of the secret.
    #[must_use]
    pub fn consumer(&self) -> &str {
        self.key_id()
            .filter(|_| self.0.key_id_is_listed)
            .unwrap_or(&self.0.secret_name)
    }

    /// When the consumer signed, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.0.replay_id.created
    }

    /// [`created`](Self::created) as a time; `None` if the platform cannot represent it.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        system_time(self.created())
    }

    /// Until when the consumer meant it to be accepted, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.0.expires
    }

    /// What makes the signature unique, if the consumer sent it.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.kept(self.0.nonce.as_ref())
    }

    /// For which application the signature is.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.kept(self.0.tag.as_ref())
    }

    /// The components that the signature covers: nothing else of the head is proven.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        let last_line = self.0.text[..self.0.base_len]
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        SignatureInput::read_again(&last_line[SIGNATURE_PARAMS.len()..])
            .into_iter()
            .flat_map(|input| input.components())
    }

    /// What a replay guard remembers.
    #[must_use]
    pub fn replay_id(&self) -> &ReplayId {
        &self.0.replay_id
    }

    fn kept(&self, range: Option<&Range<usize>>) -> Option<&str> {
        range.map(|range| text(&self.0.text[range.clone()]))
    }
}

impl fmt::Debug for Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validated")
            .field("secret_name", &self.secret_name())
            .field("by_previous_secret", &self.by_previous_secret())
            .field("key_id", &self.key_id())
            .field("created", &self.created())
            .field("expires", &self.expires())
            .field("nonce", &self.nonce())
            .field("tag", &self.tag())
            .field(
                "components",
                &self
                    .components()
                    .map(|component| component.to_string())
                    .collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
