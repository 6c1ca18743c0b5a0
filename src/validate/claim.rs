use std::{borrow::Cow, fmt, iter, mem, sync::Arc};

use super::{ValidateOptions, Validated, VerifiedHead};
use crate::{
    crypto::Mac,
    error::{AuthError, AuthErrorKind},
    replay::ReplayId,
    secret::{SecretSet, SecretStore},
    shown::{push_shown, shown},
    signature::{
        ByteSequences, ComponentName, Coverage, Known, MAX_BASE_LEN, RequestHead, SignatureBase,
        SignatureInput, SignatureInputs, text,
    },
};

/// How many signatures of one request may be meant for this host.
const MAX_CANDIDATES: usize = 4;

/// What a request claims: read and found acceptable in form, but not proven.
///
/// [`validate_auth`](crate::validate_auth) in phases, for those who fetch secrets asynchronously or stream the body:
///
/// ```
/// # use hmac_auth::{AuthError, Claim, SecretSet, ValidateOptions, Validated};
/// # async fn fetch(name: &str) -> Result<SecretSet, AuthError> { Err(hmac_auth::AuthErrorKind::SecretUnavailable.into()) }
/// # async fn next_chunk() -> Option<Vec<u8>> { None }
/// async fn validate(parts: &http::request::Parts, options: &ValidateOptions) -> Result<Validated, AuthError> {
///     let mut claim = Claim::parse(parts, options)?; // needs neither secret nor body
///     let mut head = loop {
///         let secrets = fetch(claim.secret_name()).await?;
///         match claim.verify_head(&secrets) {
///             Ok(head) => break head,
///             Err(error) if !claim.advance() => return Err(error),
///             Err(_) => {} // another signature of the request may be the right one
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
    current: Candidate<'a>,
    /// Further ones, which are rare.
    others: Vec<Candidate<'a>>,
    /// What a signature base may have: all of a request together cost no more than one may.
    max_base_len: usize,
}

/// A signature that may be meant for this host.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    input: SignatureInput<'a>,
    secret_name: &'a Arc<str>,
    /// `None` until a signature of 32 bytes was found.
    mac: Option<Mac>,
}

impl<'a> Claim<'a> {
    /// Makes all checks that need neither a secret nor the body: shape, coverage, freshness, authority.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if no signature of the request could be accepted by this host.
    pub fn parse(
        request: impl Into<RequestHead<'a>>,
        options: &'a ValidateOptions,
    ) -> Result<Self, AuthError> {
        let mut claim = Self::unread(request.into(), options);
        claim.read()?;
        Ok(claim)
    }

    /// What [`read`](Self::read) then fills in place: to move a claim about takes as long as to read it.
    #[inline]
    pub(crate) fn unread(request: RequestHead<'a>, options: &'a ValidateOptions) -> Self {
        let request = request
            .scheme(options.external_scheme)
            .listed(&options.normal_authorities);
        let request = request.trust_forwarded_host(options.forwarded_host.as_ref());
        let current = Candidate::unread(options);
        Self {
            request,
            options,
            now: options.now(),
            current,
            others: Vec::new(),
            max_base_len: MAX_BASE_LEN,
        }
    }

    /// Makes the checks of [`parse`](Self::parse).
    pub(crate) fn read(&mut self) -> Result<(), AuthError> {
        self.options.check()?;
        self.read_candidates()?;
        self.max_base_len = MAX_BASE_LEN / (1 + self.others.len());
        let mut refusal = None;
        while let Err(error) = self
            .current
            .check(&mut self.request, self.options, self.now)
        {
            let furthest = AuthError::furthest(refusal, error);
            if !self.advance() {
                return Err(furthest);
            }
            refusal = Some(furthest);
        }
        self.others.retain(|candidate| {
            candidate
                .check(&mut self.request, self.options, self.now)
                .is_ok()
        });
        Ok(())
    }

    /// Reads both signature fields and picks what may be meant for this host.
    fn read_candidates(&mut self) -> Result<(), AuthError> {
        let (fields, options) = (*self.request.fields(), self.options);
        let mut count = 0;
        let mut not_meant = None;
        let malformed =
            |syntax| AuthError::malformed(AuthErrorKind::MalformedSignatureInput, syntax);
        let mut inputs = SignatureInputs::of(fields.lines(Known::SignatureInput));
        while let Some(label) = inputs.next_label().map_err(malformed)? {
            let mut other = None;
            let candidate = if count == 0 {
                &mut self.current
            } else {
                other.insert(Candidate::unread(options))
            };
            inputs
                .read(label, &mut candidate.input)
                .map_err(malformed)?;
            match options.secret_name_for(&candidate.input) {
                Ok(_) if count == MAX_CANDIDATES => {
                    return Err(AuthErrorKind::TooManyCandidates.into());
                }
                Ok(secret_name) => {
                    candidate.secret_name = secret_name;
                    if let Some(other) = other {
                        self.others.push(other);
                    }
                    count += 1;
                }
                Err(kind) => {
                    not_meant = Some((
                        kind,
                        mem::replace(&mut candidate.input, SignatureInput::unread()),
                    ));
                }
            }
        }

        let malformed = |syntax| AuthError::malformed(AuthErrorKind::MalformedSignature, syntax);
        let mut signatures = ByteSequences::new(fields.lines(Known::Signature));
        while let Some(signature) = signatures.next_member().map_err(malformed)? {
            let mut candidates = iter::once(&mut self.current).chain(&mut self.others);
            match candidates.find(|candidate| candidate.input.has_label(signature.key)) {
                // A parameter of the signature itself is not signed.
                Some(candidate) => {
                    candidate.mac = signature
                        .value
                        .of_32()
                        .filter(|_| !signature.has_parameters);
                }
                None if inputs.labels().any(|label| label == signature.key) => {}
                None => {
                    return Err(AuthError::new(AuthErrorKind::UnpairedLabel)
                        .detail(shown(text(signature.key))));
                }
            }
        }
        // No label is repeated in either field, and all of the second are in the first.
        if signatures.len() != inputs.len() {
            return Err(AuthErrorKind::UnpairedLabel.into());
        }
        match not_meant {
            _ if count > 0 => Ok(()),
            Some((kind, input)) => Err(refusal_of(kind, &input)),
            None => Err(AuthErrorKind::MissingSignature.into()),
        }
    }

    /// The host's own name of the secret to verify with.
    #[must_use]
    pub fn secret_name(&self) -> &'a str {
        self.current.secret_name
    }

    /// Which key the signature names. Chosen by the peer; not proven.
    #[must_use]
    pub fn key_id(&self) -> Option<Cow<'a, str>> {
        self.current.input.key_id()
    }

    /// The signature as parsed. Chosen by the peer; not proven.
    #[must_use]
    pub fn input(&self) -> &SignatureInput<'a> {
        &self.current.input
    }

    /// What this host takes the signed text to be, for comparing it with the consumer's when the MAC is wrong.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if a covered component is absent or cannot be written.
    pub fn signature_base(&self) -> Result<SignatureBase, AuthError> {
        Ok(SignatureBase::of_request(
            &self.request,
            &self.current.input,
        )?)
    }

    /// Checks the MAC of the head under each secret of the set.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::WrongMac`] if none matches; other kinds for a covered component that cannot be written and for an
    /// unusable `Content-Digest`.
    pub fn verify_head(&self, secrets: &SecretSet) -> Result<VerifiedHead, AuthError> {
        let Candidate {
            input,
            secret_name,
            mac,
            ..
        } = &self.current;
        let mac = mac.ok_or(AuthErrorKind::MalformedSignature)?;
        let created = input.created().ok_or(AuthErrorKind::MissingCreated)?;
        let base = self.signature_base()?;
        if base.as_bytes().len() > self.max_base_len {
            return Err(AuthError::new(AuthErrorKind::TooLarge)
                .detail("several signatures share the limit of one"));
        }
        let secret = secrets
            .verified_by(base.as_bytes(), &mac)
            .ok_or(AuthErrorKind::WrongMac)?;
        let replay_id = ReplayId {
            mac,
            created,
            fresh_until: created.saturating_add(self.options.max_time_diff),
            validated_at: self.now,
        };
        let secret_name = Arc::clone(secret_name);
        let mut validated = Validated::of_head(
            base,
            input,
            secret_name,
            secret,
            self.options.lists_key_ids(),
            replay_id,
        );
        if self.request.fields().has(Known::ContentDigest) {
            validated
                .digest_mut()
                .read(self.request.fields().lines(Known::ContentDigest))?;
        }
        let covers_digest = input.coverage().includes(Coverage::CONTENT_DIGEST);
        Ok(VerifiedHead {
            validated,
            covers_digest,
            has_body: false,
        })
    }

    /// Checks the MACs of all signatures that may be meant for this host, until one matches, and feeds its head with `body`.
    #[inline]
    pub(crate) fn verify_any(
        &mut self,
        secrets: &(impl SecretStore + ?Sized),
        body: &[u8],
    ) -> Result<VerifiedHead, AuthError> {
        let mut refusal: Option<AuthError> = None;
        loop {
            let verified = match secrets.secrets(self.secret_name()) {
                Ok(secrets) => self.verify_head(&secrets),
                Err(error) => Err(error.into()),
            };
            match verified {
                Ok(mut head) => {
                    head.update(body);
                    return Ok(head);
                }
                Err(error) => {
                    let furthest = AuthError::furthest(refusal, error);
                    if !self.advance() {
                        return Err(furthest);
                    }
                    refusal = Some(furthest);
                }
            }
        }
    }

    /// Goes on to the next signature of the request that may be meant for this host; `false` if there is none.
    ///
    /// A request may carry signatures of others beside that of the consumer. With one secret for all consumers, only the MAC
    /// tells them apart.
    pub fn advance(&mut self) -> bool {
        let found = !self.others.is_empty();
        if found {
            self.current = self.others.remove(0);
        }
        found
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

fn refusal_of(kind: AuthErrorKind, input: &SignatureInput<'_>) -> AuthError {
    let (parameter, value) = match kind {
        AuthErrorKind::UnsupportedAlgorithm => ("alg", input.alg()),
        AuthErrorKind::UnknownKeyId => ("keyid", input.key_id()),
        _ => ("tag", input.tag()),
    };
    let mut detail = String::with_capacity(80);
    detail.push_str(parameter);
    match value {
        Some(value) => {
            detail.push_str(" \"");
            push_shown(&mut detail, &value);
            detail.push('"');
        }
        None => detail.push_str(" is absent"),
    }
    AuthError::new(kind).detail(detail)
}

impl<'a> Candidate<'a> {
    #[inline]
    fn unread(options: &'a ValidateOptions) -> Self {
        Self {
            input: SignatureInput::unread(),
            secret_name: &options.secret_name,
            mac: None,
        }
    }

    fn check(
        &self,
        request: &mut RequestHead<'a>,
        options: &ValidateOptions,
        now: i64,
    ) -> Result<(), AuthError> {
        if self.mac.is_none() {
            return Err(AuthError::new(AuthErrorKind::MalformedSignature)
                .detail("the signature is not 32 bytes without parameters"));
        }
        self.check_coverage(request, options)?;
        self.check_freshness(options, now)?;
        let authority = request.resolve_authority()?;
        if options.lists_authority(authority) {
            Ok(())
        } else {
            Err(AuthError::new(AuthErrorKind::UnlistedAuthority).detail(shown(authority.as_str())))
        }
    }

    fn check_coverage(
        &self,
        request: &RequestHead<'_>,
        options: &ValidateOptions,
    ) -> Result<(), AuthError> {
        let not_covered = |name: &str| Err(AuthError::new(AuthErrorKind::NotCovered).detail(name));
        let covered = self.input.coverage();
        let required = if request.has_query() {
            options.required | Coverage::QUERY
        } else {
            options.required
        };
        if let Some(name) = covered.missing(required).names().next() {
            return not_covered(name);
        }
        let covers = |field: &str| {
            self.input.components().any(|component| {
                component.is_plain() && component.name() == ComponentName::Field(field)
            })
        };
        match options.required_fields.iter().find(|field| !covers(field)) {
            Some(field) => not_covered(field),
            None => Ok(()),
        }
    }

    /// In whole seconds: `now - max_time_diff <= created <= now + max_clock_skew` and `now <= expires`.
    fn check_freshness(&self, options: &ValidateOptions, now: i64) -> Result<(), AuthError> {
        let created = self.input.created().ok_or(AuthErrorKind::MissingCreated)?;
        let age = now.saturating_sub(created);
        if age > options.max_time_diff {
            return Err(AuthError::new(AuthErrorKind::Stale)
                .detail(format!("{age} s old, {} s allowed", options.max_time_diff)));
        }
        if created > now.saturating_add(options.max_clock_skew) {
            let ahead = created.saturating_sub(now);
            return Err(AuthError::new(AuthErrorKind::InFuture).detail(format!(
                "{ahead} s ahead, {} s allowed",
                options.max_clock_skew
            )));
        }
        match self.input.expires() {
            Some(expires) if expires < now => Err(AuthError::new(AuthErrorKind::Expired)
                .detail(format!("{} s ago", now.saturating_sub(expires)))),
            _ => Ok(()),
        }
    }
}
