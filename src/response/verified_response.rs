//! A response between the proof of its head and the proof of its body.

use http::StatusCode;

use super::{
    content::is_without_content,
    error::{ResponseError, ResponseErrorKind},
    validate_options::ValidateResponseOptions,
    validated_response::ValidatedResponse,
};
use crate::{
    crypto::Mac,
    digest::BodyDigest,
    escape::escape,
    message::{CONTENT_DIGEST, ResponseHead, SIGNATURE, SIGNATURE_INPUT},
    sign::SentRequest,
    signature::{
        AnsweredRequest, ComponentName, SignatureBase, SignatureInput, SignatureInputs, profile,
    },
    structured::ByteSequences,
};

/// A response whose head is proven and whose body is not yet.
#[must_use = "only `finish` gives the proof"]
pub(crate) struct VerifiedResponse {
    proof: ValidatedResponse,
    /// The expected digest of the body, if there is one.
    digest: Option<BodyDigest>,
    is_without_content: bool,
    has_body: bool,
}

impl VerifiedResponse {
    /// Makes all checks that do not need the body.
    pub(crate) fn verify(
        response: &ResponseHead<'_>,
        request: &SentRequest,
        options: &ValidateResponseOptions,
    ) -> Result<Self, ResponseError> {
        let check = Check {
            response,
            request: request.answered(),
            options,
        };
        options.check().map_err(|why| {
            let error = check.refuse(ResponseErrorKind::Misconfigured);
            error.detail(why)
        })?;
        let (input, mac) = check.find_signature()?;
        let sent = request.input_field();
        let now = options.now();
        check.check_origin(&input, &SentRequest::read_input(&sent))?;
        check.check_coverage(&input)?;
        let created = check.check_freshness(&input, now)?;

        let status = response.status();
        let base = SignatureBase::of_answer(response, check.request, &input)
            .map_err(|error| ResponseError::of_base(error, status))?;
        let secret = request.secrets().current();
        if !secret.verifies(base.as_bytes(), &mac) {
            let verifies = |base: &[u8]| secret.verifies(base, &mac);
            return Err(check.wrong_mac(&base, verifies));
        }

        let is_without_content = is_without_content(check.request, status);
        let has_digest = response.has(CONTENT_DIGEST.as_str()) && !is_without_content;
        let digest = has_digest
            .then(|| BodyDigest::read(response.lines(CONTENT_DIGEST.as_str())))
            .transpose()
            .map_err(|error| ResponseError::of_digest(error, status))?;
        Ok(Self {
            proof: ValidatedResponse::new(input.value(), created, status),
            digest,
            is_without_content,
            has_body: false,
        })
    }

    /// Takes the next bytes of the body, before any decoding, in pieces of any size.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.has_body |= !bytes.is_empty();
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    /// Compares the digests at the end of the body.
    pub(crate) fn finish(self) -> Result<ValidatedResponse, ResponseError> {
        let refuse = |kind| Err(ResponseError::new(kind, self.proof.status()));
        match &self.digest {
            None if self.has_body => {
                let mut error =
                    ResponseError::new(ResponseErrorKind::BodyNotCovered, self.proof.status());
                if self.is_without_content {
                    error = error.detail("such a response has no content");
                }
                Err(error)
            }
            Some(digest) if !digest.matches() => refuse(ResponseErrorKind::WrongDigest),
            _ => Ok(self.proof),
        }
    }
}

/// The checks of the head of a response.
struct Check<'a> {
    response: &'a ResponseHead<'a>,
    request: AnsweredRequest<'a>,
    options: &'a ValidateResponseOptions,
}

impl<'a> Check<'a> {
    fn refuse(&self, kind: ResponseErrorKind) -> ResponseError {
        ResponseError::new(kind, self.response.status())
    }

    /// Finds the signature by its label.
    fn find_signature(&self) -> Result<(SignatureInput<'a>, Mac), ResponseError> {
        if !self.response.has(SIGNATURE_INPUT.as_str()) && !self.response.has(SIGNATURE.as_str()) {
            return Err(self.refuse(self.kind_of_unsigned()));
        }
        match (self.find_input()?, self.find_mac()?) {
            (Some(input), Some(mac)) => Ok((input, mac)),
            (None, None) => {
                let label = self.options.label_text();
                let error = self.refuse(ResponseErrorKind::WrongLabel);
                Err(error.detail(format!("`{label}`")))
            }
            _ => Err(self.refuse(ResponseErrorKind::UnpairedLabel)),
        }
    }

    fn kind_of_unsigned(&self) -> ResponseErrorKind {
        let status = self.response.status();
        if status.is_client_error() || status.is_server_error() {
            ResponseErrorKind::UnsignedRefusal
        } else {
            ResponseErrorKind::Unsigned
        }
    }

    fn find_input(&self) -> Result<Option<SignatureInput<'a>>, ResponseError> {
        let label = self.options.label_text();
        let malformed = |syntax| {
            let kind = ResponseErrorKind::MalformedSignatureInput;
            ResponseError::malformed(kind, self.response.status(), syntax)
        };
        let mut found = None;
        let mut inputs = SignatureInputs::of(self.response.lines(SIGNATURE_INPUT.as_str()));
        while let Some(input) = inputs.next() {
            match (input, inputs.label_read_over()) {
                (Ok(input), _) if input.label() == label => found = Some(input),
                (Ok(_), _) => {}
                (Err(_), Some(other)) if other != label => {}
                (Err(syntax), _) => return Err(malformed(syntax)),
            }
        }
        Ok(found)
    }

    fn find_mac(&self) -> Result<Option<Mac>, ResponseError> {
        let label = self.options.label_text().as_bytes();
        let kind = ResponseErrorKind::MalformedSignature;
        let mut found = None;
        for member in ByteSequences::new(self.response.lines(SIGNATURE.as_str())) {
            let member = member
                .map_err(|syntax| ResponseError::malformed(kind, self.response.status(), syntax))?;
            if member.key != label {
                continue;
            }
            let bytes = member.of_32().filter(|_| !member.has_parameters);
            let bytes = bytes.ok_or_else(|| {
                let error = self.refuse(kind);
                error.detail("the signature is not 32 bytes without parameters")
            })?;
            found = Some(Mac::new(bytes));
        }
        Ok(found)
    }

    /// Checks that the signature names the request, and the same algorithm, key and application.
    fn check_origin(
        &self,
        input: &SignatureInput<'_>,
        sent: &SignatureInput<'_>,
    ) -> Result<(), ResponseError> {
        let refuse = |kind, parameter, value: Option<&str>| {
            let detail = match value {
                Some(value) => format!("{parameter} \"{}\"", escape(value)),
                None => format!("{parameter} is absent"),
            };
            Err(self.refuse(kind).detail(detail))
        };
        let alg = input.alg();
        if alg.as_deref().is_some_and(|alg| alg != profile::ALGORITHM) {
            let kind = ResponseErrorKind::UnsupportedAlgorithm;
            return refuse(kind, "alg", alg.as_deref());
        }
        let nonce = input.nonce();
        if nonce.is_none() {
            return Err(self.refuse(ResponseErrorKind::MissingNonce));
        }
        if nonce != sent.nonce() {
            // The two clocks may differ.
            let latest = |created: i64| created.saturating_add(self.options.max_skew());
            let times = input.created().zip(sent.created());
            let is_older = times.is_some_and(|(created, sent)| latest(created) < sent);
            return Err(self.refuse(if is_older {
                ResponseErrorKind::Replayed
            } else {
                ResponseErrorKind::OtherRequest
            }));
        }
        let key_id = input.key_id();
        if key_id != sent.key_id() {
            return refuse(ResponseErrorKind::WrongKeyId, "keyid", key_id.as_deref());
        }
        let tag = input.tag();
        if tag != sent.tag() {
            return refuse(ResponseErrorKind::WrongTag, "tag", tag.as_deref());
        }
        Ok(())
    }

    /// Checks that the signature covers all that it must.
    fn check_coverage(&self, input: &SignatureInput<'_>) -> Result<(), ResponseError> {
        let refuse = |what: String| Err(self.refuse(ResponseErrorKind::NotCovered).detail(what));
        let mut components = input.components();
        let is_status = |name| name == ComponentName::Status;
        if !components.any(|component| component.is_plain() && is_status(component.name())) {
            return refuse("@status".to_owned());
        }
        let of_profile = profile::OF_RESPONSE.into_iter();
        let mut fields = of_profile
            .chain(self.options.covered())
            .filter(|name| self.response.has(name));
        if let Some(name) = fields.find(|name| !input.components().cover_field(name)) {
            return refuse(name.to_owned());
        }
        let mut originals = self.request.components();
        let left_out = originals.find(|original| {
            let mut components = input.components();
            !components.any(|component| component.is_copy_of(original))
        });
        match left_out {
            Some(original) => refuse(format!("{original};req")),
            None => Ok(()),
        }
    }

    /// In whole seconds: `now - max_time_diff <= created <= now + max_clock_skew` and
    /// `now <= expires`. Returns `created`.
    fn check_freshness(&self, input: &SignatureInput<'_>, now: i64) -> Result<i64, ResponseError> {
        let created = input.created();
        let created = created.ok_or_else(|| self.refuse(ResponseErrorKind::MissingCreated))?;
        let (age, max_age) = (now.saturating_sub(created), self.options.max_age());
        if age > max_age {
            let error = self.refuse(ResponseErrorKind::Stale);
            return Err(error.detail(format!("{age} s old, {max_age} s allowed")));
        }
        let max_skew = self.options.max_skew();
        if created > now.saturating_add(max_skew) {
            let ahead = created.saturating_sub(now);
            let error = self.refuse(ResponseErrorKind::InFuture);
            return Err(error.detail(format!("{ahead} s ahead, {max_skew} s allowed")));
        }
        match input.expires() {
            Some(expires) if expires < now => {
                let ago = now.saturating_sub(expires);
                let error = self.refuse(ResponseErrorKind::Expired);
                Err(error.detail(format!("{ago} s ago")))
            }
            _ => Ok(created),
        }
    }

    /// The refusal of a wrong MAC, which says so if only the status is another one.
    #[cold]
    fn wrong_mac(&self, base: &SignatureBase, verifies: impl Fn(&[u8]) -> bool) -> ResponseError {
        match signed_status(base.as_bytes(), verifies) {
            Some(signed) => self
                .refuse(ResponseErrorKind::WrongStatus)
                .detail(format!("{} was signed", signed.as_u16())),
            None => self.refuse(ResponseErrorKind::WrongMac),
        }
    }
}

/// The registered status for which the signature would be right, if there is one.
fn signed_status(base: &[u8], verifies: impl Fn(&[u8]) -> bool) -> Option<StatusCode> {
    const LINE: &[u8] = b"\"@status\": ";
    // Each try is a MAC, and the peer chooses the length of the text.
    const MAX_LEN: usize = 4 * 1024;
    if base.len() > MAX_LEN {
        return None;
    }
    let mut lines = base.split(|byte| *byte == b'\n');
    let before: usize = (lines.by_ref())
        .take_while(|line| !line.starts_with(LINE))
        .map(|line| line.len() + 1)
        .sum();
    let place = before + LINE.len()..before + LINE.len() + 3;
    let mut other = base.to_vec();
    (100..600)
        .filter_map(|code| StatusCode::from_u16(code).ok())
        .filter(|status| status.canonical_reason().is_some())
        .find(|status| match other.get_mut(place.clone()) {
            Some(value) => {
                value.copy_from_slice(status.as_str().as_bytes());
                verifies(&other)
            }
            None => false,
        })
}
