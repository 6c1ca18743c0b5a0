//! What is known about a request once it was validated: the same steps, one after the other.

use http::Request;

use crate::{
    message::{KnownField, RequestHead},
    secret::{Fingerprint, Secret, SecretSet},
    signature::{SignatureBase, SignatureInput, SignatureInputs},
    validate::{AuthError, AuthErrorKind, Claim, ValidateOptions, named_authority},
};

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The options cannot be used.
    Options,
    /// Refused by [`Claim::parse`].
    Head,
    /// Refused by the check of the MAC, or before it.
    Mac,
    /// The MAC is right, and the body is refused.
    Body,
    Accepted,
}

/// The values that the checks have compared.
pub(super) struct Facts<'a> {
    pub(super) phase: Phase,
    pub(super) options: &'a ValidateOptions,
    pub(super) request: RequestHead<'a>,
    pub(super) body: &'a [u8],
    /// The labels of all signatures.
    pub(super) labels: Vec<String>,
    /// The signature in question: the accepted one, or that of the refusal.
    pub(super) input: Option<SignatureInput<'a>>,
    /// The claim of that signature, if its head is acceptable.
    pub(super) claim: Option<Claim<'a>>,
    pub(super) secrets: Option<SecretSet>,
    pub(super) base: Option<Result<SignatureBase, AuthError>>,
}

impl<'a> Facts<'a> {
    pub(super) fn of<B: AsRef<[u8]>>(
        request: &'a Request<B>,
        options: &'a ValidateOptions,
        error: Option<&AuthError>,
        set_named: &dyn Fn(&str) -> Option<SecretSet>,
    ) -> Self {
        let mut head = RequestHead::from(request);
        head.set_scheme(options.scheme());
        if let Ok(authority) = named_authority(&head, options) {
            head.set_authority(authority);
        }
        let labels = SignatureInputs::of(head.fields().lines(KnownField::SignatureInput))
            .filter_map(Result::ok)
            .map(|input| input.label().to_owned())
            .collect();
        let kind = error.map(AuthError::kind);
        let claim = claim_in_question(request, options, kind, set_named);
        let secrets = claim
            .as_ref()
            .and_then(|claim| set_named(claim.secret_name()));
        let input = match &claim {
            Some(claim) => Some(claim.input().clone()),
            None => input_in_question(&head, options),
        };
        let is_proven = claim
            .as_ref()
            .zip(secrets.as_ref())
            .is_some_and(|(claim, secrets)| claim.verify_head(secrets).is_ok());
        let phase = match kind {
            None => Phase::Accepted,
            Some(_) if options.check_without_directory().is_err() => Phase::Options,
            Some(_) if is_proven => Phase::Body,
            // The digest is read once the MAC is right.
            Some(AuthErrorKind::MalformedDigest | AuthErrorKind::UnsupportedDigest) => Phase::Body,
            Some(_) if claim.is_some() => Phase::Mac,
            Some(_) => Phase::Head,
        };
        let base = match (&claim, &input) {
            (Some(claim), _) => Some(claim.signature_base()),
            (None, Some(input)) => {
                Some(SignatureBase::of_request(&head, input).map_err(AuthError::from))
            }
            (None, None) => None,
        };
        Self {
            phase,
            options,
            request: head,
            body: request.body().as_ref(),
            labels,
            input,
            claim,
            secrets,
            base,
        }
    }

    /// The present, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.options.now()
    }

    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        let sets = self.secrets.iter();
        sets.flat_map(SecretSet::fingerprints).collect()
    }

    /// The secret under which the MAC of the request is that of `text`, and whether it is the
    /// current one.
    pub(super) fn signed_by(&self, text: &str) -> Option<(&Secret, bool)> {
        let (claim, secrets) = self.claim.as_ref().zip(self.secrets.as_ref())?;
        claim.signed_by(text, secrets)
    }
}

/// The claim of the signature that is accepted, or else of the one whose refusal counts.
fn claim_in_question<'a, B>(
    request: &'a Request<B>,
    options: &'a ValidateOptions,
    kind: Option<AuthErrorKind>,
    set_named: &dyn Fn(&str) -> Option<SecretSet>,
) -> Option<Claim<'a>> {
    let mut claim = Claim::parse(request, options).ok()?;
    let (mut refused, mut index) = (None, 0);
    loop {
        match set_named(claim.secret_name()).map(|set| claim.verify_head(&set)) {
            Some(Ok(_)) => return Some(claim),
            Some(Err(error)) if Some(error.kind()) != kind => {}
            _ => refused = refused.or(Some(index)),
        }
        index += 1;
        if !claim.advance() {
            break;
        }
    }
    let mut claim = Claim::parse(request, options).ok()?;
    for _ in 0..refused.unwrap_or(0) {
        claim.advance();
    }
    Some(claim)
}

/// The first signature with a key id that the host lists, or else the first one.
fn input_in_question<'a>(
    head: &RequestHead<'a>,
    options: &ValidateOptions,
) -> Option<SignatureInput<'a>> {
    let inputs = || {
        SignatureInputs::of(head.fields().lines(KnownField::SignatureInput)).filter_map(Result::ok)
    };
    let is_listed = |input: &SignatureInput<'_>| {
        let key_id = input.key_id();
        let mut listed = options.listed_key_ids().into_iter().flatten();
        listed.any(|one| Some(one) == key_id.as_deref())
    };
    inputs().find(is_listed).or_else(|| inputs().next())
}
