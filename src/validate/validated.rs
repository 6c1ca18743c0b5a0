//! The proof that a request was validated.

use std::{any::Any, fmt, sync::Arc, time::SystemTime};

use super::{
    consumer::Consumer,
    error::{AuthError, AuthErrorKind},
    replay_id::ReplayId,
};
use crate::{
    digest::BodyDigest,
    secret::Secret,
    signature::{
        AnsweredRequest, Component, Components, Coverage, SignatureBase, SignatureInput, Span,
    },
    structured::text,
    time::system_time,
};

/// The proof that a request was validated.
///
/// It comes out of [`validate_auth`](crate::validate_auth) or
/// [`VerifiedHead::finish`](crate::VerifiedHead::finish), and from nowhere else. The MAC covers all
/// that it says. A clone shares it. `Debug` shows neither the MAC nor any value of the request.
#[derive(Clone)]
pub struct Validated(Arc<Proof>);

/// The proven facts about the head of a request.
///
/// All of it stands in one allocation, because a proof goes through many futures.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(super) secret_name: Arc<str>,
    /// From a directory: its name is that of the secret, too.
    pub(super) consumer: Option<Consumer>,
    /// The one that proves the request, to sign the response with.
    pub(super) secret: Secret,
    pub(super) by_previous_secret: bool,
    pub(super) key_id_is_listed: bool,
    pub(super) replay_id: ReplayId,
    pub(super) signed: SignedText,
    /// The expected digest of the body, and the state of hashing the body.
    pub(super) digest: BodyDigest,
}

impl Proof {
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.signed.part(self.signed.key_id)
    }

    pub(crate) fn consumer(&self) -> &str {
        self.key_id()
            .filter(|_| self.key_id_is_listed)
            .unwrap_or(&self.secret_name)
    }

    /// Refuses what has become stale or expired by `now`. `when` is for the operator.
    pub(crate) fn check_in_time(&self, now: i64, when: &'static str) -> Result<(), AuthError> {
        let too_late = |kind| Err(AuthError::new(kind).detail(when).proven(self));
        if now > self.replay_id.fresh_until {
            return too_late(AuthErrorKind::Stale);
        }
        if self.signed.expires.is_some_and(|expires| now > expires) {
            return too_late(AuthErrorKind::Expired);
        }
        Ok(())
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn known_consumer(&self) -> Option<Arc<str>> {
        let listed = self.key_id().filter(|_| self.key_id_is_listed);
        known_consumer(self.consumer.as_ref(), listed)
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn secret_name(&self) -> &str {
        &self.secret_name
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn by_previous_secret(&self) -> bool {
        self.by_previous_secret
    }

    #[cfg(feature = "tower")]
    pub(crate) fn replay_id(&self) -> &ReplayId {
        &self.replay_id
    }

    /// Whether the signature covers the whole field, as it is.
    #[cfg(feature = "tower")]
    pub(crate) fn covers_field(&self, name: &str) -> bool {
        self.components().cover_field(name)
    }

    fn components(&self) -> Components<'_> {
        Components::of(&self.signed.text[self.signed.params_start..])
    }

    /// The secret that has proven the request.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The lines that the signature covers.
    pub(crate) fn answered(&self) -> AnsweredRequest<'_> {
        AnsweredRequest::new(&self.signed.text, self.signed.params_start)
    }

    pub(super) fn covers_digest(&self) -> bool {
        self.signed.coverage.includes(Coverage::CONTENT_DIGEST)
    }
}

/// The name of a consumer for counters: one that a directory has found, or a listed key id. So the
/// host decides how many names there are.
#[cfg(feature = "metrics")]
pub(super) fn known_consumer(
    found: Option<&Consumer>,
    listed_key_id: Option<&str>,
) -> Option<Arc<str>> {
    match found {
        Some(consumer) => Some(Arc::clone(consumer.shared_name())),
        None => listed_key_id.map(Arc::from),
    }
}

/// The text that was signed, and what it says.
#[derive(Clone)]
pub(super) struct SignedText {
    /// The signature base, then the strings of its last line that are spelled with escapes, without
    /// them.
    text: Vec<u8>,
    params_start: usize,
    coverage: Coverage,
    expires: Option<i64>,
    key_id: Option<Span>,
    nonce: Option<Span>,
    tag: Option<Span>,
}

impl SignedText {
    #[inline]
    pub(super) fn new(base: SignatureBase, input: &SignatureInput<'_>) -> Self {
        let params = input.params();
        let (mut text, params_start) = base.into_parts();
        let mut keep = |span: Option<Span>| {
            let span = span?;
            if !params.may_have_escapes {
                return Some(span.moved_to(params_start));
            }
            let string = params.string(span, &text[params_start..]);
            let unescaped = string.text().into_owned();
            let start = text.len();
            text.extend_from_slice(unescaped.as_bytes());
            Some(Span::new(start, text.len()))
        };
        let (key_id, nonce, tag) = (keep(params.key_id), keep(params.nonce), keep(params.tag));
        Self {
            text,
            params_start,
            coverage: input.coverage(),
            expires: params.expires,
            key_id,
            nonce,
            tag,
        }
    }

    fn part(&self, span: Option<Span>) -> Option<&str> {
        span.map(|span| text(span.of(&self.text)))
    }
}

impl AuthError {
    /// For a refusal after the MAC, whose consumer is proven: counters name it.
    #[cfg(feature = "metrics")]
    pub(crate) fn proven(self, proof: &Proof) -> Self {
        self.by_consumer(proof.known_consumer())
    }

    #[cfg(not(feature = "metrics"))]
    #[inline]
    pub(crate) fn proven(self, _: &Proof) -> Self {
        self
    }
}

impl Validated {
    /// Only for a head whose body is proven, too.
    pub(super) fn new(proof: Arc<Proof>) -> Self {
        Self(proof)
    }

    pub(crate) fn proof(&self) -> &Proof {
        &self.0
    }

    /// The host's own name of the secret that has proven the request. With a
    /// [directory](crate::ConsumerDirectory), it is that of the consumer.
    #[must_use]
    pub fn secret_name(&self) -> &str {
        &self.0.secret_name
    }

    /// Whether the consumer still signs with a previous secret. When no consumer does any more, a
    /// rotation is over.
    #[must_use]
    pub fn by_previous_secret(&self) -> bool {
        self.0.by_previous_secret
    }

    /// The key id. If the host [lists key ids](crate::ValidateOptions::key_ids), it is one of them.
    /// Otherwise, a holder of the one secret chose it.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id()
    }

    /// The consumer, as far as the host knows: its name in the
    /// [directory](crate::ConsumerDirectory), or its listed key id, or else the name of the secret.
    #[must_use]
    pub fn consumer(&self) -> &str {
        self.0.consumer()
    }

    /// What the [directory](crate::ConsumerDirectory) has attached to the consumer; `None` if that
    /// is nothing, or of another type.
    #[must_use]
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.consumer.as_ref()?.attached()
    }

    /// When the consumer signed, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.0.replay_id.created()
    }

    /// [`created`](Self::created) as a time; `None` if the platform cannot represent it.
    #[must_use]
    pub fn created_at(&self) -> Option<SystemTime> {
        system_time(self.created())
    }

    /// Until when the consumer meant the request to be accepted, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.0.signed.expires
    }

    /// A value that makes the signature unique, if the consumer sent one.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.0.signed.part(self.0.signed.nonce)
    }

    /// The application that the signature is for.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.signed.part(self.0.signed.tag)
    }

    /// The components that the signature covers: nothing else of the head is proven.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        self.0.components()
    }

    /// The id that a replay guard remembers.
    #[must_use]
    pub fn replay_id(&self) -> &ReplayId {
        &self.0.replay_id
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
