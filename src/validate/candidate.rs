//! The signatures of a request that may be meant for this host.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    error::{AuthError, AuthErrorKind},
    options::ValidateOptions,
};
use crate::{
    crypto::Mac,
    escape::{escape, push_escaped},
    message::{Fields, KnownField},
    signature::{SignatureInput, SignatureInputs, profile},
    structured::{ByteSequences, text},
};

/// How many signatures of one request may be meant for this host.
const MAX_CANDIDATES: usize = 4;

/// A signature that may be meant for this host, with its MAC and the name of the secret to verify
/// with.
pub(super) struct Candidate<'a> {
    pub(super) input: SignatureInput<'a>,
    pub(super) secret_name: &'a Arc<str>,
    pub(super) mac: Mac,
}

/// What the signature fields hold for this host.
pub(super) struct Candidates<'a> {
    pub(super) list: SmallVec<[Candidate<'a>; 1]>,
    /// Why a signature that is meant for this host is no candidate.
    pub(super) refusal: Option<AuthError>,
}

impl<'a> Candidates<'a> {
    /// Reads both signature fields, and picks the signatures that may be meant for this host. If
    /// there is no candidate, there is a refusal.
    pub(super) fn read(
        fields: &Fields<'a>,
        options: &'a ValidateOptions,
    ) -> Result<Self, AuthError> {
        let inputs = read_inputs(fields)?;
        let signatures = Signature::read_all(fields)?;
        if let Some(label) = unpaired_label(&inputs, &signatures) {
            return Err(AuthError::new(AuthErrorKind::UnpairedLabel).detail(escape(label)));
        }
        let mut candidates = Self {
            list: SmallVec::new(),
            refusal: None,
        };
        let mut count = 0;
        let mut not_meant = None;
        for input in inputs {
            let mac = Signature::mac_of(&signatures, input.label());
            let secret_name = match secret_name_for(&input, options) {
                Ok(secret_name) => secret_name,
                Err(kind) => {
                    not_meant = Some((kind, input));
                    continue;
                }
            };
            count += 1;
            if count > MAX_CANDIDATES {
                return Err(AuthErrorKind::TooManyCandidates.into());
            }
            match mac {
                Some(mac) => candidates.list.push(Candidate {
                    input,
                    secret_name,
                    mac,
                }),
                None => candidates.refusal = Some(no_mac()),
            }
        }
        match not_meant {
            _ if count > 0 => Ok(candidates),
            Some((kind, input)) => Err(refusal_of(kind, &input)),
            None => Err(AuthErrorKind::MissingSignature.into()),
        }
    }
}

/// A member of the `Signature` field.
struct Signature<'a> {
    label: &'a str,
    /// `None` unless the value is 32 bytes without parameters. A parameter here is not signed.
    mac: Option<Mac>,
}

impl<'a> Signature<'a> {
    fn read_all(fields: &Fields<'a>) -> Result<SmallVec<[Self; 1]>, AuthError> {
        let mut signatures = SmallVec::new();
        for member in ByteSequences::new(fields.lines(KnownField::Signature)) {
            let member = member.map_err(|syntax| {
                AuthError::malformed(AuthErrorKind::MalformedSignature, syntax)
            })?;
            let bytes = member.decode().filter(|_| !member.has_parameters);
            signatures.push(Self {
                label: text(member.key),
                mac: bytes.map(Mac::new),
            });
        }
        Ok(signatures)
    }

    fn mac_of(signatures: &[Self], label: &str) -> Option<Mac> {
        signatures.iter().find(|one| one.label == label)?.mac
    }
}

fn read_inputs<'a>(fields: &Fields<'a>) -> Result<SmallVec<[SignatureInput<'a>; 1]>, AuthError> {
    SignatureInputs::of(fields.lines(KnownField::SignatureInput))
        .collect::<Result<_, _>>()
        .map_err(|syntax| AuthError::malformed(AuthErrorKind::MalformedSignatureInput, syntax))
}

/// A label that stands in only one of the two fields. No label is repeated in either of them.
fn unpaired_label<'a>(
    inputs: &[SignatureInput<'a>],
    signatures: &[Signature<'a>],
) -> Option<&'a str> {
    let of_inputs = || inputs.iter().map(SignatureInput::label);
    let of_signatures = || signatures.iter().map(|signature| signature.label);
    of_inputs()
        .find(|label| of_signatures().all(|one| one != *label))
        .or_else(|| of_signatures().find(|label| of_inputs().all(|one| one != *label)))
}

/// The host's name of the secret for a signature that may be meant for the host.
fn secret_name_for<'a>(
    input: &SignatureInput<'_>,
    options: &'a ValidateOptions,
) -> Result<&'a Arc<str>, AuthErrorKind> {
    let secret_name = match &options.key_ids {
        None => &options.secret_name,
        Some(listed) => input
            .key_id()
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
