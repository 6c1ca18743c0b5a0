//! Signing requests: the consumer's side.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, request};

use self::retry::OtherSignatures;
use crate::{
    digest::BodyDigest,
    message::{CONTENT_DIGEST, Fields, KnownField, RequestHead, SIGNATURE, SIGNATURE_INPUT},
    secret::SecretStore,
    signature::{
        BaseLines, Budget, Component, ComponentName, MAX_COMPONENTS, MAX_FIELD_LEN, MemberWriter,
        profile, push_signature,
    },
};

pub use self::{
    error::SignError,
    options::{AlgParameter, SignOptions},
    sent_request::SentRequest,
};
pub use crate::signature::profile::DEFAULT_LABEL;

mod asked;
mod error;
mod nonce;
mod options;
mod retry;
mod sent_request;

/// Signs a request, as the consumer's last step before sending it.
///
/// Adds `Signature-Input` and `Signature` (RFC 9421). If there is a body without a `Content-Digest`
/// (RFC 9530), that is added too. The signature covers the method, the authority, the path, the
/// query, the body by its digest, `Content-Type` and `Content-Encoding` where present, and the
/// fields of [`SignOptions::cover`]. Signatures of others are kept.
///
/// The result is for [`validate_response`](crate::validate_response), and may be dropped.
///
/// To send a request again, sign it again: a host with a replay guard accepts no signature twice. A
/// signature with the label *and* the key id of `options` is replaced. Without a key id, remove the
/// fields `Signature` and `Signature-Input` first.
///
/// Sign the request as it will be sent. A client that changes the URI (`/a/../b`, `//`), the
/// `Content-Type` or the encoding of the body afterwards makes the signature wrong. A field that
/// the client adds and that is not covered, such as `User-Agent`, does no harm.
///
/// ```
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions,
///     generate_secret, sign_request,
/// };
///
/// let secrets = MemorySecrets::new();
/// let secret = Secret::from_text(&generate_secret()?)?;
/// secrets.insert(DEFAULT_SECRET_NAME, secret);
///
/// let mut request = http::Request::post("https://host.example/stats")
///     .header("content-type", "application/json")
///     .body(r#"{"month":11}"#)?;
/// sign_request(&mut request, &secrets, &SignOptions::new())?;
///
/// assert!(request.headers().contains_key("signature"));
/// assert!(request.headers().contains_key("content-digest"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`SignError`] names the value and the remedy. The request is then unchanged.
pub fn sign_request<B: AsRef<[u8]>>(
    request: &mut Request<B>,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<SentRequest, SignError> {
    let (fields, sent) = sign(
        RequestHead::from(&*request),
        request.body().as_ref(),
        secrets,
        options,
    )?;
    fields.add_to(request.headers_mut())?;
    Ok(sent)
}

/// Signs a request that has no body: [`sign_request`] for the body type `()`.
///
/// ```
/// # use hmac_auth::{MemorySecrets, Secret, SignOptions, generate_secret};
/// # let secrets = MemorySecrets::new();
/// # let secret = Secret::from_text(&generate_secret()?)?;
/// # secrets.insert(hmac_auth::DEFAULT_SECRET_NAME, secret);
/// let url = "https://host.example/stats";
/// let mut request = http::Request::get(url).body(())?;
/// hmac_auth::sign_empty(&mut request, &secrets, &SignOptions::new())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`SignError`] names the value and the remedy. The request is then unchanged.
pub fn sign_empty(
    request: &mut Request<()>,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<SentRequest, SignError> {
    let (fields, sent) = sign(RequestHead::from(&*request), &[], secrets, options)?;
    fields.add_to(request.headers_mut())?;
    Ok(sent)
}

/// Signs a request whose body has another type: [`sign_request`] over the head and the bytes that
/// will be sent.
///
/// # Errors
///
/// [`SignError`] names the value and the remedy. The request is then unchanged.
pub fn sign_parts(
    parts: &mut request::Parts,
    body: &[u8],
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<SentRequest, SignError> {
    let (fields, sent) = sign(RequestHead::from(&*parts), body, secrets, options)?;
    fields.add_to(&mut parts.headers)?;
    Ok(sent)
}

/// The fields that signing adds.
struct NewFields {
    /// The signatures that stay, if one of them has to give way.
    others: Option<OtherSignatures>,
    content_digest: Option<HeaderValue>,
    signature_input: HeaderValue,
    signature: HeaderValue,
}

impl NewFields {
    fn add_to(self, headers: &mut HeaderMap) -> Result<(), SignError> {
        // Room for all of them first, so that none is added without the others.
        headers
            .try_reserve(3)
            .map_err(|_| SignError::TooManyFields)?;
        if let Some(others) = self.others {
            for (name, lines) in [
                (SIGNATURE_INPUT, others.inputs),
                (SIGNATURE, others.signatures),
            ] {
                headers.remove(&name);
                for line in lines {
                    headers.append(&name, line);
                }
            }
        }
        if let Some(content_digest) = self.content_digest {
            headers.insert(CONTENT_DIGEST, content_digest);
        }
        headers.append(SIGNATURE_INPUT, self.signature_input);
        headers.append(SIGNATURE, self.signature);
        Ok(())
    }
}

fn sign(
    mut request: RequestHead<'_>,
    body: &[u8],
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<(NewFields, SentRequest), SignError> {
    let secrets = secrets.lookup(&options.secret_name)?;
    options.check()?;
    request.set_scheme_without_uri(options.scheme);
    options.check_authority(&request)?;
    let others = OtherSignatures::find(request.fields(), options)?;

    // The values of all three fields and the signature base share one buffer: each buffer would be
    // an allocation of its own.
    let mut text = Vec::with_capacity(1024);
    let digest = write_digest(&mut text, request.fields(), body, options)?;
    let covered = Covered::new(request.fields(), &digest, options)?;
    let input = text.len()..write_input(&mut text, &covered, options)?;
    if input.len() > MAX_FIELD_LEN {
        return Err(SignError::TooLarge);
    }

    let base = text.len();
    let mut lines = BaseLines::new(&mut text, Budget::WHOLE);
    lines.push_always(&request)?;
    for index in (0..profile::OF_BODY.len()).filter(|index| covered.of_body[*index]) {
        match (&digest, profile::OF_BODY[index]) {
            (Digest::New(value), KnownField::ContentDigest) => {
                lines.push_copy_of_body(index, value.clone());
            }
            _ => lines.push_of_body(index, &request)?,
        }
    }
    for component in covered.further() {
        lines.push_component(&component, &request)?;
    }
    // The label is not signed.
    let params = input.start + options.label.len() + "=".len()..input.end;
    let params_len = params.len();
    lines.finish_copy(params)?;
    let mac = secrets.current().mac(&text[base..]);

    let base = base..text.len();
    push_signature(&mut text, &options.label, &mac);
    let text = Bytes::from(text);
    let value = |range: Range<usize>| {
        HeaderValue::from_maybe_shared(text.slice(range))
            .expect("the writers of this crate write printable ASCII")
    };
    let mut signature = value(base.end..text.len());
    signature.set_sensitive(true);
    let fields = NewFields {
        others,
        content_digest: match digest {
            Digest::New(range) => Some(value(range)),
            Digest::None | Digest::Present => None,
        },
        signature_input: value(input.clone()),
        signature,
    };
    let params_start = base.len() - params_len;
    let sent = SentRequest::new(text, input, base, params_start, secrets);
    Ok((fields, sent))
}

/// The `Content-Digest` of a request.
enum Digest {
    /// There is none, and none is needed.
    None,
    /// The request has a right one.
    Present,
    /// Where the value of the field stands that is to be added.
    New(Range<usize>),
}

/// Writes the value of `Content-Digest`, if the field has to be added.
fn write_digest(
    text: &mut Vec<u8>,
    fields: &Fields<'_>,
    body: &[u8],
    options: &SignOptions,
) -> Result<Digest, SignError> {
    if fields.has(KnownField::ContentDigest) {
        let mut digest = BodyDigest::read(fields.lines(KnownField::ContentDigest))
            .map_err(|_| SignError::UnusableDigest)?;
        digest.update(body);
        if digest.matches() {
            return Ok(Digest::Present);
        }
        return Err(SignError::WrongDigest);
    }
    if body.is_empty() && !options.covers(CONTENT_DIGEST.as_str()) {
        return Ok(Digest::None);
    }
    let start = text.len();
    options.digest.push_field_value(text, body);
    Ok(Digest::New(start..text.len()))
}

/// Writes the value of `Signature-Input`. Returns where it ends.
fn write_input(
    text: &mut Vec<u8>,
    covered: &Covered<'_>,
    options: &SignOptions,
) -> Result<usize, SignError> {
    let mut member = MemberWriter::profile(text, &options.label, covered.of_body);
    for component in covered.further() {
        member.identifier(&component);
    }
    member.end_components();
    let nonce = options.nonces.next().map_err(SignError::Random)?;
    options.write_params(&mut member, &nonce)?;
    Ok(text.len())
}

/// The components that a signature covers.
struct Covered<'a> {
    /// Which fields of [`profile::OF_BODY`] the request has or gets.
    of_body: [bool; profile::OF_BODY.len()],
    options: &'a SignOptions,
}

impl<'a> Covered<'a> {
    fn new(
        fields: &Fields<'_>,
        digest: &Digest,
        options: &'a SignOptions,
    ) -> Result<Self, SignError> {
        let of_body = profile::OF_BODY.map(|field| match (field, digest) {
            (KnownField::ContentDigest, Digest::New(_)) => true,
            _ => fields.has(field),
        });
        let covered = Self { of_body, options };
        for name in [SIGNATURE, SIGNATURE_INPUT] {
            if options.covers(name.as_str()) {
                let name = name.as_str().to_owned();
                return Err(SignError::NotCoverable { name });
            }
        }
        let of_body = of_body.iter().filter(|is_there| **is_there).count();
        match profile::ALWAYS.len() + of_body + covered.further().count() {
            count if count > MAX_COMPONENTS => Err(SignError::TooManyComponents { count }),
            _ => Ok(covered),
        }
    }

    /// The components that the profile would not cover.
    fn further(&self) -> impl Iterator<Item = Component<'_>> {
        let is_of_body = |name: ComponentName<&str>| {
            let of_body = profile::OF_BODY.iter().zip(self.of_body);
            of_body
                .filter(|(_, is_there)| *is_there)
                .any(|(one, _)| name == ComponentName::Field(one.as_str()))
        };
        self.options.covered().filter(move |component| {
            let name = component.name();
            !(component.is_plain() && (profile::ALWAYS.contains(&name) || is_of_body(name)))
        })
    }
}
