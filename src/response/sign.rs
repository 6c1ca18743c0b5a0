//! Signing a response: the host's side.

use http::{HeaderMap, HeaderValue, Response, StatusCode, response};

use super::{
    content::is_without_content, sign_error::SignResponseError, sign_options::SignResponseOptions,
};
use crate::{
    digest::BodyDigest,
    message::{ACCEPT_SIGNATURE, CONTENT_DIGEST, Lines, ResponseHead, SIGNATURE, SIGNATURE_INPUT},
    signature::{
        AnsweredRequest, AskedSignatures, Component, ComponentName, MAX_COMPONENTS, MAX_FIELD_LEN,
        MemberWriter, SignatureBase, SignatureInputs, profile, push_signature,
    },
    structured::ByteSequences,
    validate::Validated,
};

/// Signs the response to a validated request, as the host's last step before sending it.
///
/// The signature is made with the secret that has proven the request. It covers the status, the body
/// by its digest, `Content-Type`, `Content-Encoding` and `Location` where present, the fields of
/// [`SignResponseOptions::cover`], and copies of all that the signature of the request covers. Its
/// nonce is that of the request, so that nobody can give the response to another request.
///
/// If there is a body without a `Content-Digest`, that is added. A response without content, such as
/// that to `HEAD`, a 204 or a 304, gets none.
///
/// ```
/// use hmac_auth::{
///     DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions,
///     SignResponseOptions, ValidateOptions, ValidateResponseOptions,
///     generate_secret, sign_request, sign_response, validate_auth,
///     validate_response,
/// };
///
/// let secrets = MemorySecrets::new();
/// let secret = Secret::from_text(&generate_secret()?)?;
/// secrets.insert(DEFAULT_SECRET_NAME, secret);
///
/// // The consumer.
/// let url = "https://host.example/stats";
/// let mut request = http::Request::get(url).body("")?;
/// let sent = sign_request(&mut request, &secrets, &SignOptions::new())?;
///
/// // The host.
/// let options = ValidateOptions::new().authorities(["host.example"]);
/// let validated = validate_auth(&request, &secrets, &options)?;
/// let mut response = http::Response::new("42 visits");
/// sign_response(&mut response, &validated, &SignResponseOptions::new())?;
///
/// // The consumer again.
/// let options = ValidateResponseOptions::new();
/// validate_response(&response, &sent, &options)?;
/// *response.status_mut() = http::StatusCode::NOT_FOUND;
/// assert!(validate_response(&response, &sent, &options).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`SignResponseError`] says why there is no signature. The response is then unchanged.
///
/// # Security
///
/// There is no way to sign a refusal: without the proof of a request, nothing is signed. A refusal
/// that is signed before the MAC has matched would show a stranger what a secret does.
///
/// Sign the response as it will be sent. Whatever changes status, body or a covered field later,
/// such as compression, makes the signature wrong.
pub fn sign_response<B: AsRef<[u8]>>(
    response: &mut Response<B>,
    request: &Validated,
    options: &SignResponseOptions,
) -> Result<(), SignResponseError> {
    let status = response.status();
    let new = new_fields(
        ResponseHead::from(&*response),
        status,
        response.body().as_ref(),
        request,
        options,
    )?;
    new.add_to(response.headers_mut())
}

/// Signs a response whose body has another type: [`sign_response`] over the head and the bytes that
/// will be sent.
///
/// # Errors
///
/// [`SignResponseError`] says why there is no signature. The response is then unchanged.
pub fn sign_response_parts(
    parts: &mut response::Parts,
    body: &[u8],
    request: &Validated,
    options: &SignResponseOptions,
) -> Result<(), SignResponseError> {
    let status = parts.status;
    let new = new_fields(ResponseHead::from(&*parts), status, body, request, options)?;
    new.add_to(&mut parts.headers)
}

/// The fields that signing adds.
struct NewFields {
    content_digest: Option<HeaderValue>,
    signature_input: HeaderValue,
    signature: HeaderValue,
}

impl NewFields {
    fn add_to(self, headers: &mut HeaderMap) -> Result<(), SignResponseError> {
        // Room for all of them first, so that none is added without the others.
        headers
            .try_reserve(3)
            .map_err(|_| SignResponseError::TooManyFields)?;
        if let Some(content_digest) = self.content_digest {
            headers.insert(CONTENT_DIGEST, content_digest);
        }
        headers.append(SIGNATURE_INPUT, self.signature_input);
        headers.append(SIGNATURE, self.signature);
        Ok(())
    }
}

fn new_fields(
    head: ResponseHead<'_>,
    status: StatusCode,
    body: &[u8],
    request: &Validated,
    options: &SignResponseOptions,
) -> Result<NewFields, SignResponseError> {
    let nonce = request.nonce().ok_or(SignResponseError::NoNonce)?;
    options.check()?;
    check_label(&head, options)?;
    let answered = request.proof().answered();
    let content_digest = new_digest(&head, status, body, answered, options)?;
    let head = match &content_digest {
        Some(value) => head.content_digest(value),
        None => head,
    };

    let mut text = Vec::with_capacity(1024);
    write_components(&mut text, &head, answered, options)?;
    options.write_params(&mut MemberWriter::go_on(&mut text), request, nonce)?;
    if text.len() > MAX_FIELD_LEN {
        return Err(SignResponseError::TooLarge);
    }
    let signature_input = to_value(text);
    let mut inputs = SignatureInputs::of(Lines::Only(Some(&signature_input)));
    let input = inputs.next().and_then(Result::ok);
    let input = input.expect("a member that this crate has written");
    let base = SignatureBase::of_answer(&head, answered, &input)?;
    let mac = request.proof().secret().mac(base.as_bytes());
    let mut text = Vec::with_capacity(64);
    push_signature(&mut text, options.label_text(), &mac);
    Ok(NewFields {
        content_digest,
        signature: to_value(text),
        signature_input,
    })
}

fn to_value(text: Vec<u8>) -> HeaderValue {
    HeaderValue::try_from(text).expect("the writers of this crate write printable ASCII")
}

/// The `Content-Digest` that is to be added, if any.
fn new_digest(
    head: &ResponseHead<'_>,
    status: StatusCode,
    body: &[u8],
    request: AnsweredRequest<'_>,
    options: &SignResponseOptions,
) -> Result<Option<HeaderValue>, SignResponseError> {
    if is_without_content(request, status) {
        return Ok(None);
    }
    if head.has(CONTENT_DIGEST.as_str()) {
        let mut digest = BodyDigest::read(head.lines(CONTENT_DIGEST.as_str()))
            .map_err(|_| SignResponseError::UnusableDigest)?;
        digest.update(body);
        return if digest.matches() {
            Ok(None)
        } else {
            Err(SignResponseError::WrongDigest)
        };
    }
    if body.is_empty() {
        return Ok(None);
    }
    let mut text = Vec::with_capacity(64);
    options.digest_algorithm().push_field_value(&mut text, body);
    Ok(Some(to_value(text)))
}

/// Writes the label and the list of components.
fn write_components(
    text: &mut Vec<u8>,
    head: &ResponseHead<'_>,
    request: AnsweredRequest<'_>,
    options: &SignResponseOptions,
) -> Result<(), SignResponseError> {
    let asked = request.value(ACCEPT_SIGNATURE.as_str());
    let asked = asked.and_then(|line| HeaderValue::from_str(line).ok());
    let asked: Vec<_> = AskedSignatures::of(Lines::Only(asked.as_ref())).collect();

    let of_profile = profile::OF_RESPONSE.into_iter();
    let mut fields: Vec<&str> = of_profile.filter(|name| head.has(name)).collect();
    let by_host = options.covered().filter(|name| head.has(name));
    let by_consumer = asked
        .iter()
        .flat_map(|signature| signature.components())
        .filter_map(|component| asked_field(&component))
        .filter(|name| head.has(name));
    for name in by_host.chain(by_consumer) {
        if !fields.contains(&name) {
            fields.push(name);
        }
    }
    let count = 1 + fields.len() + request.components().count();
    if count > MAX_COMPONENTS {
        return Err(SignResponseError::TooManyComponents { count });
    }

    let mut member = MemberWriter::new(text, options.label_text());
    member.component(ComponentName::Status);
    for name in fields {
        member.component(ComponentName::Field(name));
    }
    for component in request.components() {
        member.copy(&component);
    }
    member.end_components();
    Ok(())
}

/// The name of a field of the response that a consumer may ask for. The fields of signatures cannot
/// be covered: signing changes them.
fn asked_field<'a>(component: &Component<'a>) -> Option<&'a str> {
    match component.name() {
        ComponentName::Field(name) if component.is_plain() => {
            (name != SIGNATURE.as_str() && name != SIGNATURE_INPUT.as_str()).then_some(name)
        }
        _ => None,
    }
}

/// Refuses a response that has a signature with this label already.
fn check_label(
    head: &ResponseHead<'_>,
    options: &SignResponseOptions,
) -> Result<(), SignResponseError> {
    let label = options.label_text();
    let mut is_taken = false;
    let mut inputs = SignatureInputs::of(head.lines(SIGNATURE_INPUT.as_str()));
    while let Some(input) = inputs.next() {
        match (input, inputs.label_read_over()) {
            (Ok(input), _) => is_taken |= input.label() == label,
            (Err(_), Some(other)) => is_taken |= other == label,
            (Err(syntax), None) => return Err(SignResponseError::MalformedSignature(syntax)),
        }
    }
    for signature in ByteSequences::new(head.lines(SIGNATURE.as_str())) {
        let signature = signature.map_err(SignResponseError::MalformedSignature)?;
        is_taken |= signature.key == label.as_bytes();
    }
    if is_taken {
        let label = label.to_owned();
        return Err(SignResponseError::LabelTaken { label });
    }
    Ok(())
}
