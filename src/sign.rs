use std::{cell::RefCell, io};

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, request};

use crate::{
    digest::{BodyDigest, push_base64},
    error::SignError,
    secret::SecretStore,
    signature::{
        ALWAYS_LIST, ByteSequences, CONTENT_DIGEST, Fields, Known, MAX_COMPONENTS, MAX_FIELD_LEN,
        RequestHead, SIGNATURE, SIGNATURE_INPUT, SIGNATURE_PARAMS, SignatureInputs, push_always,
        push_field_line, push_integer,
    },
    time::{unix_seconds, whole_seconds},
};

pub use self::options::{AlgParameter, SignOptions};

mod options;

/// The label used when none is configured. Labels mean nothing and are not signed.
pub const DEFAULT_LABEL: &str = "sig1";

/// Signs a request, as the consumer's last step before sending it.
///
/// Adds `Signature-Input` and `Signature` (RFC 9421) and, if there is a body and it is not there yet, `Content-Digest` (RFC
/// 9530). Signed are the method, the authority, the path, the query, the body by its digest, `Content-Type` and
/// `Content-Encoding` when present, and what [`SignOptions::cover`] adds. Signatures of others are kept.
///
/// Sign the request as it will be sent: a client that changes the URI (`/a/../b`, `//`), the `Content-Type` or the encoding of
/// the body afterwards makes the signature wrong. What a client adds that is not covered, like `User-Agent`, does no harm.
///
/// ```
/// use hmac_auth::{DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, generate_secret, sign_request};
///
/// let secrets = MemorySecrets::new();
/// secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
///
/// let mut request = http::Request::post("https://host.example/_functions/siteStats")
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
/// [`SignError`] names the value and the remedy; the request is then unchanged.
pub fn sign_request<B: AsRef<[u8]>>(
    request: &mut Request<B>,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<(), SignError> {
    let fields = sign(
        RequestHead::from(&*request),
        request.body().as_ref(),
        secrets,
        options,
    )?;
    fields.add_to(request.headers_mut())
}

/// Signs a request whose body has another type: [`sign_request`] over the head and the bytes that will be sent.
///
/// # Errors
///
/// [`SignError`] names the value and the remedy; the request is then unchanged.
pub fn sign_parts(
    parts: &mut request::Parts,
    body: &[u8],
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<(), SignError> {
    let fields = sign(RequestHead::from(&*parts), body, secrets, options)?;
    fields.add_to(&mut parts.headers)
}

/// The fields that signing adds. All three values share one buffer.
struct NewFields {
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
        if let Some(content_digest) = self.content_digest {
            headers.insert(CONTENT_DIGEST, content_digest);
        }
        headers.append(SIGNATURE_INPUT, self.signature_input);
        headers.append(SIGNATURE, self.signature);
        Ok(())
    }
}

fn sign(
    request: RequestHead<'_>,
    body: &[u8],
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Result<NewFields, SignError> {
    let secrets = secrets.secrets(&options.secret_name)?;
    if let Some((parameter, value, remedy)) = &options.problem {
        return Err(SignError::InvalidParameter {
            parameter,
            value: value.clone(),
            remedy,
        });
    }
    check_label(request.fields(), &options.label)?;

    // One buffer for the values of all three fields and, for a while, the signature base.
    let mut text = Vec::with_capacity(1024);
    let covers_body = push_digest(&mut text, request.fields(), body, options)?;
    let covered = Covered::new(request.fields(), covers_body, options);
    let input_start = text.len();
    text.extend_from_slice(options.label.as_bytes());
    text.push(b'=');
    let params = text.len();
    push_component_list(&mut text, &covered)?;
    push_params(&mut text, options)?;
    let base = text.len();
    if base - input_start > MAX_FIELD_LEN {
        return Err(SignError::TooLarge);
    }
    push_always(&mut text, &request)?;
    for field in covered.iter() {
        if field == "content-digest" && input_start > 0 {
            text.extend_from_slice(b"\"content-digest\": ");
            text.extend_from_within(..input_start);
            text.push(b'\n');
        } else {
            push_field_line(&mut text, field, &request)?;
        }
    }
    let (lines, params) = (&text[base..], &text[params..base]);
    let mac = secrets.current().mac_of([lines, SIGNATURE_PARAMS, params]);

    text.truncate(base);
    text.extend_from_slice(options.label.as_bytes());
    text.extend_from_slice(b"=:");
    push_base64(&mut text, &STANDARD, &mac);
    text.push(b':');
    let text = Bytes::from(text);
    let value = |range| {
        HeaderValue::from_maybe_shared(text.slice(range))
            .expect("all that was written is printable ASCII")
    };
    let mut signature = value(base..text.len());
    signature.set_sensitive(true);
    Ok(NewFields {
        content_digest: (input_start > 0).then(|| value(0..input_start)),
        signature_input: value(input_start..base),
        signature,
    })
}

/// Writes the value of a `Content-Digest` field if one has to be added; says whether there is one to cover then.
fn push_digest(
    text: &mut Vec<u8>,
    fields: &Fields<'_>,
    body: &[u8],
    options: &SignOptions,
) -> Result<bool, SignError> {
    if fields.has(Known::ContentDigest) {
        let mut digest = BodyDigest::default();
        digest
            .read(fields.lines(Known::ContentDigest))
            .map_err(|_| SignError::UnusableDigest)?;
        digest.update(body);
        return if digest.matches() {
            Ok(true)
        } else {
            Err(SignError::WrongDigest)
        };
    }
    let covers_body = !body.is_empty() || options.cover.contains(&CONTENT_DIGEST);
    if covers_body {
        options.digest.push_value(text, body);
    }
    Ok(covers_body)
}

/// The fields that are covered, in the order of the wire profile.
struct Covered<'a> {
    /// Which of `CONTENT`.
    content: [bool; 3],
    further: &'a [HeaderName],
}

const CONTENT: [&str; 3] = ["content-digest", "content-type", "content-encoding"];

impl<'a> Covered<'a> {
    fn new(fields: &Fields<'_>, covers_body: bool, options: &'a SignOptions) -> Self {
        let content = [
            covers_body,
            fields.has(Known::ContentType),
            fields.has(Known::ContentEncoding),
        ];
        Self {
            content,
            further: &options.cover,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let content = || {
            CONTENT
                .iter()
                .zip(&self.content)
                .filter(|(_, is_covered)| **is_covered)
                .map(|(name, _)| *name)
        };
        let further = self
            .further
            .iter()
            .map(HeaderName::as_str)
            .filter(move |field| !content().any(|name| name == *field));
        content().chain(further)
    }
}

fn push_component_list(text: &mut Vec<u8>, covered: &Covered<'_>) -> Result<(), SignError> {
    // The list begins with four.
    let mut count = 4;
    text.extend_from_slice(ALWAYS_LIST);
    for field in covered.iter() {
        if field == "signature" || field == "signature-input" {
            return Err(SignError::NotCoverable {
                name: field.to_owned(),
            });
        }
        text.extend_from_slice(b" \"");
        text.extend_from_slice(field.as_bytes());
        text.push(b'"');
        count += 1;
    }
    text.push(b')');
    if count > MAX_COMPONENTS {
        Err(SignError::TooManyComponents { count })
    } else {
        Ok(())
    }
}

/// The parameters, in the order of the wire profile.
fn push_params(text: &mut Vec<u8>, options: &SignOptions) -> Result<(), SignError> {
    let created = options.at.unwrap_or_else(|| unix_seconds(None));
    push_time(text, ";created=", Some(created))?;
    if let Some(duration) = options.expires_in {
        push_time(
            text,
            ";expires=",
            created.checked_add(whole_seconds(duration)),
        )?;
    }
    text.extend_from_slice(b";nonce=\"");
    push_base64(text, &URL_SAFE_NO_PAD, &nonce()?);
    text.push(b'"');
    text.extend_from_slice(&options.fixed_params);
    Ok(())
}

fn push_time(text: &mut Vec<u8>, key: &str, seconds: Option<i64>) -> Result<(), SignError> {
    // RFC 8941 section 3.3.1: at most 15 digits.
    const MAX: u64 = 999_999_999_999_999;
    let seconds = seconds
        .filter(|seconds| seconds.unsigned_abs() <= MAX)
        .ok_or(SignError::TimeOutOfRange)?;
    text.extend_from_slice(key.as_bytes());
    push_integer(text, seconds);
    Ok(())
}

fn check_label(fields: &Fields<'_>, label: &str) -> Result<(), SignError> {
    if !fields.has(Known::SignatureInput) && !fields.has(Known::Signature) {
        return Ok(());
    }
    let taken = || {
        Err(SignError::LabelTaken {
            label: label.to_owned(),
        })
    };
    for input in SignatureInputs::of(fields.lines(Known::SignatureInput)) {
        if input.map_err(SignError::MalformedSignature)?.label() == label {
            return taken();
        }
    }
    let mut signatures = ByteSequences::new(fields.lines(Known::Signature));
    while let Some(signature) = signatures
        .next_member()
        .map_err(SignError::MalformedSignature)?
    {
        if signature.key == label.as_bytes() {
            return taken();
        }
    }
    Ok(())
}

/// 128 random bits, so that two signatures are never the same.
///
/// Taken from the operating system for sixteen signatures at once: a system call for each would take a quarter of the time
/// of signing. A nonce is public and only has to be new; a process that forks would repeat some, which its host would refuse
/// as replays if the requests were otherwise the same.
fn nonce() -> Result<[u8; 16], SignError> {
    const BATCH: usize = 16;
    thread_local! {
        static NEXT: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    let fresh = || {
        let mut batch = [[0; 16]; BATCH];
        getrandom::fill(batch.as_flattened_mut())
            .map(|()| batch)
            .map_err(|error| SignError::Random(error.into()))
    };
    let kept = NEXT.try_with(|next| {
        let mut next = next.borrow_mut();
        if next.is_empty() {
            next.extend(fresh()?);
        }
        next.pop()
            .ok_or_else(|| SignError::Random(io::ErrorKind::Other.into()))
    });
    // A thread that is ending keeps nothing any more.
    kept.unwrap_or_else(|_| fresh().map(|[first, ..]| first))
}
