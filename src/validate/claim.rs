//! The checks of a request in phases.

use std::{borrow::Cow, fmt, sync::Arc};

#[cfg(feature = "metrics")]
use super::validated::known_consumer;
use super::{
    candidate::{Candidate, Candidates, unknown_key_id},
    consumer::Consumer,
    directory::ConsumerDirectory,
    error::{AuthError, AuthErrorKind},
    options::{ValidateOptions, consumers::ASKS_FOR_DIRECTORY},
    policy,
    replay_id::ReplayId,
    seen::Seen,
    validated::{Proof, SignedText},
    verified_head::VerifiedHead,
    verify_in::VerifyIn,
};
use crate::{
    digest::BodyDigest,
    message::{KnownField, RequestHead},
    secret::{Secret, SecretError, SecretSet, SecretStore},
    signature::{BaseError, Budget, SignatureBase, SignatureInput},
};

/// What follows the detail of a wrong MAC.
pub(crate) const HOST_ADVICE: &str = "; if a proxy has changed `Host`, see `trust_forwarded_host`";

/// The claim of a request: read and acceptable in form, but not proven.
///
/// A claim offers [`validate_auth`](crate::validate_auth) in phases. Use it to fetch secrets
/// asynchronously, or to stream the body:
///
/// ```
/// # use hmac_auth::{AuthError, Claim, SecretSet, ValidateOptions, Validated};
/// # async fn fetch(name: &str) -> Result<SecretSet, AuthError> {
/// #     Err(hmac_auth::AuthErrorKind::SecretUnavailable.into())
/// # }
/// # async fn next_chunk() -> Option<Vec<u8>> { None }
/// async fn validate(
///     parts: &http::request::Parts,
///     options: &ValidateOptions,
/// ) -> Result<Validated, AuthError> {
///     // Needs neither secret nor body.
///     let mut claim = Claim::parse(parts, options)?;
///     let mut head = loop {
///         let secrets = fetch(claim.secret_name()).await?;
///         match claim.verify_head(&secrets) {
///             Ok(head) => break head,
///             Err(error) if !claim.advance() => return Err(error),
///             // Another signature of the request may be the right one.
///             Err(_) => {}
///         }
///     };
///     while let Some(chunk) = next_chunk().await {
///         head.update(&chunk);
///     }
///     head.finish() // the proof
/// }
/// ```
pub struct Claim<'a> {
    request: RequestHead<'a>,
    options: &'a ValidateOptions,
    now: i64,
    /// The first of them is the one in question.
    candidates: Candidates<'a>,
}

impl<'a> Claim<'a> {
    /// Makes all checks that need neither a secret nor the body: shape, coverage, freshness,
    /// authority.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if this host can accept no signature of the request.
    pub fn parse(
        request: impl Into<RequestHead<'a>>,
        options: &'a ValidateOptions,
    ) -> Result<Self, AuthError> {
        Self::parse_head(request.into(), options)
    }

    fn parse_head(
        mut request: RequestHead<'a>,
        options: &'a ValidateOptions,
    ) -> Result<Self, AuthError> {
        options.check()?;
        let now = options.now();
        request.set_scheme(options.external_scheme);
        let candidates = Candidates::read(&request, options, now)?;
        request.set_authority(policy::authority_of(&request, options)?);
        Ok(Self {
            request,
            options,
            now,
            candidates,
        })
    }

    /// The host's own name of the secret to verify with. Without meaning if the options ask for a
    /// [directory](ValidateOptions::consumer_directory).
    #[must_use]
    pub fn secret_name(&self) -> &'a str {
        self.candidates.first.secret_name
    }

    /// The key that the signature names. The peer chose it; it is not proven.
    #[must_use]
    pub fn key_id(&self) -> Option<Cow<'_, str>> {
        self.candidates.first.input.key_id()
    }

    /// The signature as parsed. The peer chose it; it is not proven.
    #[must_use]
    pub fn input(&self) -> &SignatureInput<'a> {
        &self.candidates.first.input
    }

    /// The text that this host takes to be signed. If the MAC is wrong, compare it with the
    /// consumer's.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if a covered component is absent or cannot be written.
    #[inline]
    pub fn signature_base(&self) -> Result<SignatureBase, AuthError> {
        let budget = Budget::part_of(self.candidates.meant);
        SignatureBase::within(budget, &self.request, &self.candidates.first.input).map_err(
            |error| {
                let is_too_large = matches!(error, BaseError::TooLarge { .. });
                let error = AuthError::from(error);
                if is_too_large && self.candidates.meant > 1 {
                    error.more_detail("; several signatures share the limit of one")
                } else {
                    error
                }
            },
        )
    }

    /// The secret under which the MAC of the signature is that of `text`, and whether it is the
    /// current one.
    // Only explanations need it: the compiler shall not share the validation's code with it.
    #[cold]
    pub(crate) fn signed_by<'s>(
        &self,
        text: &str,
        secrets: &'s SecretSet,
    ) -> Option<(&'s Secret, bool)> {
        secrets.verified_by(text.as_bytes(), &self.candidates.first.mac)
    }

    /// Checks the MAC of the head under each secret of the set.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::WrongMac`](crate::AuthErrorKind::WrongMac) if no secret matches. Other kinds if a covered component cannot
    /// be written, or if `Content-Digest` cannot be used.
    pub fn verify_head(&self, secrets: &SecretSet) -> Result<VerifiedHead, AuthError> {
        if self.options.finds_consumers {
            return Err(AuthError::new(AuthErrorKind::Misconfigured).detail(ASKS_FOR_DIRECTORY));
        }
        self.verify(secrets, self.candidates.first.secret_name, None)
    }

    /// Checks the MAC of the head under each secret of a consumer, which has the
    /// [key id](Self::key_id) of the claim.
    ///
    /// # Errors
    ///
    /// As [`verify_head`](Self::verify_head), and
    /// [`AuthErrorKind::Misconfigured`](crate::AuthErrorKind::Misconfigured) if the options do not
    /// ask for a [directory](ValidateOptions::consumer_directory).
    pub fn verify_consumer(&self, consumer: &Consumer) -> Result<VerifiedHead, AuthError> {
        if !self.options.finds_consumers {
            return Err(AuthError::new(AuthErrorKind::Misconfigured)
                .detail("consumers come from a directory only with `consumer_directory`"));
        }
        let name = consumer.shared_name();
        self.verify(consumer.secrets(), name, Some(consumer))
    }

    /// Finds the consumer of each signature that may be meant for this host, and checks the MACs,
    /// until one matches.
    ///
    /// ```
    /// # use hmac_auth::{AuthError, Claim, ConsumerDirectory, ValidateOptions, Validated};
    /// async fn validate(
    ///     request: &http::Request<Vec<u8>>,
    ///     directory: &dyn ConsumerDirectory,
    ///     // With `consumer_directory`.
    ///     options: &ValidateOptions,
    /// ) -> Result<Validated, AuthError> {
    ///     let claim = Claim::parse(request, options)?;
    ///     let mut head = claim.verify_in(directory).await?;
    ///     head.update(request.body());
    ///     head.finish()
    /// }
    /// ```
    #[must_use]
    pub fn verify_in(self, directory: &'a dyn ConsumerDirectory) -> VerifyIn<'a> {
        VerifyIn::new(self, directory)
    }

    fn verify(
        &self,
        secrets: &SecretSet,
        secret_name: &Arc<str>,
        consumer: Option<&Consumer>,
    ) -> Result<VerifiedHead, AuthError> {
        let Candidate {
            input,
            mac,
            created,
            uncovered,
            ..
        } = &self.candidates.first;
        let base = self.signature_base()?;
        let Some((secret, is_current)) = secrets.verified_by(base.as_bytes(), mac) else {
            return Err(AuthError::wrong_mac(Seen::new(
                &self.request,
                secrets,
                base,
            )));
        };
        let fields = self.request.fields();
        let proof = Proof {
            secret_name: Arc::clone(secret_name),
            consumer: consumer.cloned(),
            secret: secret.clone(),
            by_previous_secret: !is_current,
            key_id_is_listed: self.options.key_ids.is_some(),
            replay_id: ReplayId {
                mac: *mac,
                created: *created,
                fresh_until: created.saturating_add(self.options.max_age()),
                validated_at: self.now,
            },
            signed: SignedText::new(base, input),
            digest: if fields.has(KnownField::ContentDigest) {
                BodyDigest::read(fields.lines(KnownField::ContentDigest))
                    .map_err(|error| self.proven(error.into(), consumer))?
            } else {
                BodyDigest::default()
            },
        };
        Ok(VerifiedHead::new(Arc::new(proof), *uncovered))
    }

    /// The refusal of a signature whose MAC is right.
    #[cfg(feature = "metrics")]
    fn proven(&self, error: AuthError, consumer: Option<&Consumer>) -> AuthError {
        let listed = self.options.key_ids.as_ref().and(self.key_id());
        error.by_consumer(known_consumer(consumer, listed.as_deref()))
    }

    #[cfg(not(feature = "metrics"))]
    #[expect(clippy::unused_self, reason = "counters only")]
    fn proven(&self, error: AuthError, _: Option<&Consumer>) -> AuthError {
        error
    }

    /// Goes on to the next signature of the request that may be meant for this host; `false` if
    /// there is none.
    ///
    /// A request may carry signatures of others beside that of the consumer. With one secret for
    /// all consumers, only the MAC can separate them.
    pub fn advance(&mut self) -> bool {
        let Candidates { first, others, .. } = &mut self.candidates;
        let found = !others.is_empty();
        if found {
            *first = others.remove(0);
        }
        found
    }

    /// Takes note that time has passed since the claim was read.
    pub(super) fn go_on_at_present(&mut self) {
        self.now = self.options.now();
    }

    /// Refuses a head whose signature has become stale since the claim was read.
    pub(super) fn check_in_time(&self, head: VerifiedHead) -> Result<VerifiedHead, AuthError> {
        let when = "while the directory was asked";
        head.proof().check_in_time(self.now, when).map(|()| head)
    }

    /// Whether there are further signatures to [advance](Self::advance) to.
    pub(super) fn has_others(&self) -> bool {
        !self.candidates.others.is_empty()
    }

    /// The refusal of the signature if nobody knows its key id.
    pub(super) fn unknown_key_id(&self) -> AuthError {
        unknown_key_id(self.key_id().as_deref())
    }

    /// The refusal if a store has no secret to give. Options that ask for a directory come first: no
    /// store can be right for them.
    #[cold]
    fn no_secret(&self, error: SecretError) -> AuthError {
        if self.options.finds_consumers {
            return AuthError::new(AuthErrorKind::Misconfigured).detail(ASKS_FOR_DIRECTORY);
        }
        error.into()
    }

    /// Checks the MACs of all signatures that may be meant for this host, until one matches, with
    /// secrets that need not be awaited.
    ///
    /// So a host reads the body only of a request whose head is proven:
    ///
    /// ```
    /// # use hmac_auth::{AuthError, AuthErrorKind, Claim, SecretStore, ValidateOptions, Validated};
    /// # async fn read_body(_limit: usize) -> Option<Vec<u8>> { None }
    /// async fn validate(
    ///     parts: &http::request::Parts,
    ///     secrets: &dyn SecretStore,
    ///     options: &ValidateOptions,
    /// ) -> Result<(Validated, Vec<u8>), AuthError> {
    ///     let mut head = Claim::parse(parts, options)?.verify_any(secrets)?;
    ///     let body = read_body(1 << 20).await;
    ///     let body = body.ok_or(AuthErrorKind::BodyTooLarge)?;
    ///     head.update(&body);
    ///     Ok((head.finish()?, body))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`verify_head`](Self::verify_head), and the error of the store. Of several signatures, the
    /// refusal of the one that came furthest.
    #[expect(
        clippy::missing_panics_doc,
        reason = "each signature is accepted or refused"
    )]
    pub fn verify_any(
        &mut self,
        secrets: &(impl SecretStore + ?Sized),
    ) -> Result<VerifiedHead, AuthError> {
        // Nearly all requests have one.
        if self.candidates.others.is_empty() {
            return match secrets.lookup(self.secret_name()) {
                Ok(set) => self.verify_head(&set),
                Err(error) => Err(self.no_secret(error)),
            };
        }
        let mut refusal = None;
        // A store is asked once for a name: a peer must not make it work for each signature.
        let mut known: Vec<(&str, Option<SecretSet>)> = Vec::new();
        loop {
            let name = self.secret_name();
            let asked = known.iter().find(|(one, _)| *one == name);
            let set = asked.map_or_else(
                || {
                    let set = secrets.lookup(name).map_err(|error| {
                        let error = self.no_secret(error);
                        refusal = Some(AuthError::furthest(refusal.take(), error));
                    });
                    set.ok()
                },
                |(_, set)| set.clone(),
            );
            known.push((name, set.clone()));
            if let Some(set) = set {
                match self.verify_head(&set) {
                    Ok(head) => return Ok(head),
                    Err(error) => refusal = Some(AuthError::furthest(refusal, error)),
                }
            }
            if !self.advance() {
                return Err(refusal.expect("each signature is accepted or refused"));
            }
        }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("secret_name", &self.secret_name())
            .field("input", self.input())
            .finish_non_exhaustive()
    }
}
