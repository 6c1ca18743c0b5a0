//! The signatures of a request that may be meant for this host.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    error::{AuthError, AuthErrorKind},
    options::ValidateOptions,
    policy,
};
use crate::{
    crypto::Mac,
    escape::{escape, push_escaped},
    message::{Fields, KnownField, RequestHead},
    signature::{SignatureInput, SignatureInputs, profile},
    structured::{ByteSequences, text},
};

/// How many signatures of one request may be meant for this host.
const MAX_CANDIDATES: usize = 4;

/// A signature that this host accepts if its MAC is right.
pub(super) struct Candidate<'a> {
    pub(super) input: SignatureInput<'a>,
    /// The host's name of the secret to verify with.
    pub(super) secret_name: &'a Arc<str>,
    pub(super) mac: Mac,
    /// When the signature was made, in seconds since 1970.
    pub(super) created: i64,
}

/// The candidates of a request: there is at least one.
pub(super) struct Candidates<'a> {
    pub(super) first: Candidate<'a>,
    /// Further ones, which are rare.
    pub(super) others: Vec<Candidate<'a>>,
    /// How many signatures are meant for this host, with those that are no candidates.
    pub(super) meant: usize,
}

impl<'a> Candidates<'a> {
    /// Reads both signature fields, picks the signatures that may be meant for this host, and
    /// checks each of them against the host's policy.
    pub(super) fn read(
        request: &RequestHead<'a>,
        options: &'a ValidateOptions,
        now: i64,
    ) -> Result<Self, AuthError> {
        let fields = request.fields();
        // An error in `Signature` counts only if `Signature-Input` has none.
        let mut signatures = Signature::read_all(fields);
        let known = signatures.as_mut().map_or(&mut [][..], |all| all);
        let (mut first, mut others) = (None, Vec::new());
        let mut meant = 0;
        let (mut refusal, mut unpaired, mut not_meant) = (None, None, None);
        for input in SignatureInputs::of(fields.lines(KnownField::SignatureInput)) {
            let input = match input {
                Ok(input) => input,
                Err(syntax) => {
                    let kind = AuthErrorKind::MalformedSignatureInput;
                    return Err(AuthError::malformed(kind, syntax));
                }
            };
            let mut signatures = known.iter_mut();
            let Some(signature) = signatures.find(|one| input.has_label(one.label)) else {
                unpaired = Some(input.label());
                continue;
            };
            signature.is_paired = true;
            let secret_name = match secret_name_for(&input, options) {
                Ok(secret_name) => secret_name,
                Err(kind) => {
                    not_meant = Some((kind, input));
                    continue;
                }
            };
            meant += 1;
            if meant > MAX_CANDIDATES {
                return Err(AuthErrorKind::TooManyCandidates.into());
            }
            let Some(mac) = signature.mac else {
                refusal = Some(AuthError::furthest(refusal, no_mac()));
                continue;
            };
            let created = match policy::check_signature(&input, request, options, now) {
                Ok(created) => created,
                Err(error) => {
                    refusal = Some(AuthError::furthest(refusal, error));
                    continue;
                }
            };
            let candidate = Candidate {
                input,
                secret_name,
                mac,
                created,
            };
            match first {
                None => first = Some(candidate),
                Some(_) => others.push(candidate),
            }
        }
        let signatures = signatures?;
        let lone = signatures.iter().find(|signature| !signature.is_paired);
        if let Some(label) = unpaired.or(lone.map(|signature| text(signature.label))) {
            return Err(AuthError::new(AuthErrorKind::UnpairedLabel).detail(escape(label)));
        }
        match (first, refusal, not_meant) {
            (Some(first), ..) => Ok(Self {
                first,
                others,
                meant,
            }),
            (None, Some(refusal), _) => Err(refusal),
            (None, None, Some((kind, input))) => Err(refusal_of(kind, &input)),
            (None, None, None) => Err(AuthErrorKind::MissingSignature.into()),
        }
    }
}

/// A member of the `Signature` field.
struct Signature<'a> {
    label: &'a [u8],
    /// `None` unless the value is 32 bytes without parameters. A parameter here is not signed.
    mac: Option<Mac>,
    /// Whether `Signature-Input` has a member with this label. No label is repeated in either
    /// field.
    is_paired: bool,
}

impl<'a> Signature<'a> {
    fn read_all(fields: &Fields<'a>) -> Result<SmallVec<[Self; 1]>, AuthError> {
        let mut signatures = SmallVec::new();
        for member in ByteSequences::new(fields.lines(KnownField::Signature)) {
            match member {
                Ok(member) => signatures.push(Self {
                    label: member.key,
                    mac: match member.of_32() {
                        Some(bytes) if !member.has_parameters => Some(Mac::new(bytes)),
                        _ => None,
                    },
                    is_paired: false,
                }),
                Err(syntax) => {
                    let kind = AuthErrorKind::MalformedSignature;
                    return Err(AuthError::malformed(kind, syntax));
                }
            }
        }
        Ok(signatures)
    }
}

/// The host's name of the secret for a signature that may be meant for the host.
fn secret_name_for<'a>(
    input: &SignatureInput<'_>,
    options: &'a ValidateOptions,
) -> Result<&'a Arc<str>, AuthErrorKind> {
    let secret_name = match &options.key_ids {
        None => &options.secret_name,
        Some(listed) => input
            .key_id_bytes()
            .and_then(|key_id| listed.get(&*key_id))
            .ok_or(AuthErrorKind::UnknownKeyId)?,
    };
    let tag = options.required_tag();
    if tag.is_some() && input.tag().as_deref() != tag {
        return Err(AuthErrorKind::WrongTag);
    }
    match input.alg() {
        Some(alg) if alg != profile::ALGORITHM => Err(AuthErrorKind::UnsupportedAlgorithm),
        _ => Ok(secret_name),
    }
}

fn refusal_of(kind: AuthErrorKind, input: &SignatureInput<'_>) -> AuthError {
    let (parameter, value) = match kind {
        AuthErrorKind::UnsupportedAlgorithm => ("alg", input.alg()),
        AuthErrorKind::UnknownKeyId => ("keyid", input.key_id()),
        _ => ("tag", input.tag()),
    };
    // Room for all of it: to refuse takes no more allocations than to accept.
    let mut detail = String::with_capacity(80);
    detail.push_str(parameter);
    match value {
        Some(value) => {
            detail.push_str(" \"");
            push_escaped(&mut detail, &value);
            detail.push('"');
        }
        None => detail.push_str(" is absent"),
    }
    AuthError::new(kind).detail(detail)
}

fn no_mac() -> AuthError {
    AuthError::new(AuthErrorKind::MalformedSignature)
        .detail("the signature is not 32 bytes without parameters")
}
