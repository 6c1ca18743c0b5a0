//! The signatures of a request that may be meant for this host.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    directory::MAX_DIRECTORY_KEY_ID_LEN,
    error::{AuthError, AuthErrorKind},
    options::ValidateOptions,
    policy::{self, LISTING_LEN, push_listed},
};
use crate::{
    crypto::Mac,
    escape::{escape, push_escaped},
    message::{Fields, KnownField, RequestHead},
    signature::{Coverage, SignatureInput, SignatureInputs, SignedValue, profile},
    structured::{ByteSequences, SyntaxError, text},
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
    /// What it must cover if there is a body, and does not.
    pub(super) uncovered: Coverage,
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
        let (mut refusal, mut unpaired) = (None, None);
        let (mut not_meant, mut read_over) = (None, None);
        let mut inputs = SignatureInputs::of(fields.lines(KnownField::SignatureInput));
        while let Some(input) = inputs.next_unchecked() {
            let label = match &input {
                Ok(input) => input.label(),
                Err(syntax) => inputs
                    .label_read_over()
                    .ok_or_else(|| malformed_input(*syntax))?
                    .as_bytes(),
            };
            let mut signatures = known.iter_mut();
            let Some(signature) = signatures.find(|one| one.label == label) else {
                unpaired = Some(text(label));
                continue;
            };
            signature.is_paired = true;
            let input = match input {
                Ok(input) => input,
                Err(syntax) => {
                    read_over = Some((label, syntax));
                    continue;
                }
            };
            let secret_name = match secret_name_for(input.text(), options) {
                Ok(secret_name) => secret_name,
                Err(kind) => {
                    not_meant = Some((kind, input));
                    continue;
                }
            };
            let input = match input.check() {
                Ok(input) => input,
                Err(syntax) => {
                    refusal = Some(AuthError::furthest(refusal, malformed_input(syntax)));
                    continue;
                }
            };
            meant += 1;
            if meant > MAX_CANDIDATES {
                return Err(AuthErrorKind::TooManyCandidates.into());
            }
            let mac = match signature.mac {
                Ok(mac) => mac,
                Err(syntax) => {
                    refusal = Some(AuthError::furthest(refusal, no_mac(syntax)));
                    continue;
                }
            };
            let (created, uncovered) = match policy::check_signature(&input, request, options, now)
            {
                Ok(checked) => checked,
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
                uncovered,
            };
            match first {
                None => first = Some(candidate),
                Some(_) => others.push(candidate),
            }
        }
        let signatures = signatures?;
        let lone = signatures.iter().find(|signature| !signature.is_paired);
        if let Some(Err(Some(syntax))) = lone.map(|signature| signature.mac) {
            return Err(no_mac(Some(syntax)));
        }
        if let Some(label) = unpaired.or(lone.map(|signature| text(signature.label))) {
            return Err(AuthError::new(AuthErrorKind::UnpairedLabel).detail(escape(label)));
        }
        if let Some(first) = first {
            return Ok(Self {
                first,
                others,
                meant,
            });
        }
        Err(match (refusal, not_meant, read_over) {
            (Some(refusal), ..) => refusal,
            (None, Some((kind, input)), read_over) => {
                refusal_of(kind, input.text(), options, read_over)
            }
            (None, None, Some((_, syntax))) => malformed_input(syntax),
            (None, None, None) => AuthErrorKind::MissingSignature.into(),
        })
    }
}

/// A member of the `Signature` field.
struct Signature<'a> {
    label: &'a [u8],
    /// An error unless the value is 32 bytes without parameters. A parameter here is not signed.
    mac: Result<Mac, Option<SyntaxError>>,
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
                        Some(bytes) if !member.has_parameters => Ok(Mac::new(bytes)),
                        _ => Err(member.error()),
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
    input: &SignedValue<'_>,
    options: &'a ValidateOptions,
) -> Result<&'a Arc<str>, AuthErrorKind> {
    let secret_name = match &options.key_ids {
        None if options.finds_consumers => input
            .key_id_bytes()
            .filter(|key_id| key_id.len() <= MAX_DIRECTORY_KEY_ID_LEN)
            .map(|_| &options.secret_name)
            .ok_or(AuthErrorKind::UnknownKeyId)?,
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

/// The refusal of a request whose signatures are all meant for others, or cannot be read.
fn refusal_of(
    kind: AuthErrorKind,
    input: &SignedValue<'_>,
    options: &ValidateOptions,
    read_over: Option<(&[u8], SyntaxError)>,
) -> AuthError {
    let (parameter, value) = match kind {
        AuthErrorKind::UnsupportedAlgorithm => ("alg", input.alg()),
        AuthErrorKind::UnknownKeyId => ("keyid", input.key_id()),
        _ => ("tag", input.tag()),
    };
    let mut detail = describe(parameter, value.as_deref());
    if kind == AuthErrorKind::UnknownKeyId {
        let listed = options.key_ids.iter().flatten();
        push_listed(&mut detail, listed.map(|(key_id, _)| key_id.as_str()));
    }
    if let Some((label, syntax)) = read_over {
        detail.push_str("; the signature `");
        push_escaped(&mut detail, text(label));
        detail.push_str("` is malformed ");
        detail.push_str(&syntax.to_string());
    }
    AuthError::new(kind).detail(detail)
}

/// The refusal of a key id that no consumer has.
pub(super) fn unknown_key_id(key_id: Option<&str>) -> AuthError {
    let mut detail = describe("keyid", key_id);
    detail.push_str(", which the directory does not know");
    AuthError::new(AuthErrorKind::UnknownKeyId).detail(detail)
}

fn describe(parameter: &str, value: Option<&str>) -> String {
    let mut text = String::with_capacity(LISTING_LEN);
    text.push_str(parameter);
    match value {
        Some(value) => {
            text.push_str(" \"");
            push_escaped(&mut text, value);
            text.push('"');
        }
        None => text.push_str(" is absent"),
    }
    text
}

fn malformed_input(syntax: SyntaxError) -> AuthError {
    AuthError::malformed(AuthErrorKind::MalformedSignatureInput, syntax)
}

/// The refusal of a signature that is no byte sequence, or not one of 32 bytes without parameters.
fn no_mac(syntax: Option<SyntaxError>) -> AuthError {
    let kind = AuthErrorKind::MalformedSignature;
    match syntax {
        Some(syntax) => AuthError::malformed(kind, syntax),
        None => AuthError::new(kind).detail("the signature is not 32 bytes without parameters"),
    }
}
