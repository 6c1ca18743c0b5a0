//! Sending a signed request, and validating the response.

use bytes::{Bytes, BytesMut};
use reqwest::{Request, Response, ResponseBuilderExt};

use super::{
    Client, InvokeError,
    sign::{sign, target},
};
use crate::{
    host_clock::RequestTime,
    message::{ACCEPT_SIGNATURE, RequestHead, ResponseHead},
    response::{
        ResponseError, ResponseErrorKind, ValidateResponseOptions, ValidatedResponse,
        VerifiedResponse,
    },
    secret::SecretStore,
    sign::{SentRequest, SignOptions},
};

/// The largest accepted body of a signed response unless configured otherwise: 2 MiB, in bytes.
pub const DEFAULT_MAX_RESPONSE_LEN: u64 = 2 * 1024 * 1024;

/// What a client requires of responses.
#[derive(Clone, Debug)]
pub(super) struct Responses {
    /// `None` if they need not be signed.
    pub(super) options: Option<ValidateResponseOptions>,
    /// In bytes.
    pub(super) max_len: u64,
    pub(super) retries: bool,
}

impl Default for Responses {
    fn default() -> Self {
        Self {
            options: None,
            max_len: DEFAULT_MAX_RESPONSE_LEN,
            retries: false,
        }
    }
}

impl Client {
    pub(super) async fn exchange(
        &self,
        mut request: Request,
        secrets: &(impl SecretStore + ?Sized),
        options: &SignOptions,
    ) -> Result<Response, InvokeError> {
        let asked;
        let mut options = options;
        let asks = self.responses.options.as_ref();
        if let Some(value) = asks.and_then(ValidateResponseOptions::accept_signature) {
            request.headers_mut().insert(ACCEPT_SIGNATURE, value);
            asked = options.clone().cover(ACCEPT_SIGNATURE);
            options = &asked;
        }
        let mut time = self.time(&request, options);
        let may_repeat = self.responses.retries || time.is_some();
        let unsigned = may_repeat.then(|| request.try_clone());
        let to_sign = RequestTime::to_sign(time.as_ref(), options);
        let mut sent = sign(&mut request, secrets, &to_sign)?;
        let mut response = self.send(request).await?;
        let again = unsigned.flatten();
        let is_corrected = corrects(time.as_mut(), &response, options);
        let to_sign = RequestTime::to_sign(time.as_ref(), options);
        let again = again.and_then(|request| {
            let asked = self.asked(&request, &response, &to_sign);
            let options = match &asked {
                Some(options) => options,
                None if is_corrected => &*to_sign,
                None => return None,
            };
            sign_again(request, secrets, options)
        });
        if let Some((request, sent_again)) = again {
            sent = sent_again;
            response = self.send(request).await?;
            corrects(time.as_mut(), &response, options);
        }
        let response = match &self.responses.options {
            Some(options) => {
                let options = RequestTime::to_validate(time.as_ref(), options);
                validated(response, &sent, &options, self.responses.max_len).await?
            }
            None => response,
        };
        if let Some(time) = time {
            time.succeeded(response.status());
        }
        Ok(response)
    }

    async fn send(&self, request: Request) -> Result<Response, InvokeError> {
        let response = self.http.execute(request).await;
        response.map_err(InvokeError::send)
    }

    /// By which clock a request is signed; `None` if only the own one counts.
    fn time(&self, request: &Request, options: &SignOptions) -> Option<RequestTime> {
        let clocks = self.clocks.as_ref()?;
        let uri = target(request.url()).ok()?;
        let head = RequestHead::new(request.method(), &uri, request.version(), request.headers());
        RequestTime::begin(clocks, &uri, head, options)
    }

    /// The options with what an unsigned refusal asks for, if that is more.
    fn asked(
        &self,
        request: &Request,
        response: &Response,
        options: &SignOptions,
    ) -> Option<SignOptions> {
        let answer = ResponseHead::new(response.status(), response.headers());
        if !self.responses.retries || !answer.is_unsigned_401() {
            return None;
        }
        let uri = target(request.url()).ok()?;
        let head = RequestHead::new(request.method(), &uri, request.version(), request.headers());
        options.cover_asked(head, response.headers())
    }
}

/// Takes notice of an answer. Says whether one more try is of use, with another time.
fn corrects(time: Option<&mut RequestTime>, response: &Response, options: &SignOptions) -> bool {
    time.is_some_and(|time| time.after(response.status(), response.headers(), options))
}

/// The request for one more try.
fn sign_again(
    mut request: Request,
    secrets: &(impl SecretStore + ?Sized),
    options: &SignOptions,
) -> Option<(Request, SentRequest)> {
    let sent = sign(&mut request, secrets, options).ok()?;
    Some((request, sent))
}

/// Reads the body, and validates the response.
async fn validated(
    mut response: Response,
    request: &SentRequest,
    options: &ValidateResponseOptions,
    max_len: u64,
) -> Result<Response, ResponseError> {
    let status = response.status();
    let refuse = |kind| ResponseError::new(kind, status);
    let head = ResponseHead::new(status, response.headers());
    let mut verified = VerifiedResponse::verify(&head, request, options)?;
    let mut body = BytesMut::new();
    loop {
        let piece = response.chunk().await;
        let piece = piece.map_err(|mut error| {
            // It may hold tokens.
            if let Some(url) = error.url_mut() {
                url.set_query(None);
                url.set_fragment(None);
            }
            refuse(ResponseErrorKind::BodyUnreadable).caused_by(error)
        })?;
        let Some(piece) = piece else { break };
        let len = u64::try_from(body.len() + piece.len()).unwrap_or(u64::MAX);
        if len > max_len {
            let error = refuse(ResponseErrorKind::BodyTooLarge);
            return Err(error.detail(format!("at most {max_len} bytes are accepted")));
        }
        verified.update(&piece);
        body.extend_from_slice(&piece);
    }
    let proof = verified.finish()?;
    Ok(with_body(response, body.freeze(), proof))
}

/// The same response with a body that was read, and the proof.
fn with_body(response: Response, body: Bytes, proof: ValidatedResponse) -> Response {
    let url = response.url().clone();
    let (parts, _) = http::Response::from(response).into_parts();
    let with_url = http::Response::builder().url(url).body(body);
    let mut whole = with_url.expect("a URL is always accepted");
    *whole.status_mut() = parts.status;
    *whole.version_mut() = parts.version;
    *whole.headers_mut() = parts.headers;
    whole.extensions_mut().extend(parts.extensions);
    whole.extensions_mut().insert(proof);
    Response::from(whole)
}
