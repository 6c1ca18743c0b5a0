//! The layer of a host that signs the answers to validated requests.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::{Layer, Stack};
use tower_service::Service;

#[cfg(feature = "tracing")]
use super::events;
use super::{
    DEFAULT_MAX_BODY_LEN, ValidateAuthLayer, ValidateStreamLayer,
    answer_body::{AnswerBody, Last},
    pieces::Pieces,
};
use crate::{
    eventual::POLLED_AFTER_END,
    response::{SignResponseOptions, is_without_content, sign_response_parts},
    validate::Validated,
};

/// Signs each answer to a validated request (RFC 9421 section 2.4).
///
/// The layer stands outside of [`ValidateAuthLayer`] or [`ValidateStreamLayer`], whose
/// `sign_responses` puts it there. It knows a validated request by the
/// [`Validated`](crate::Validated) in the extensions of the response. All other answers pass
/// unsigned: refusals, and those of routes without protection.
///
/// ```
/// # use axum::{Router, routing::get};
/// # use hmac_auth::{MemorySecrets, ValidateOptions, tower::ValidateAuthLayer};
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// let app: Router = Router::new()
///     .route("/orders", get(async || "none"))
///     .layer(ValidateAuthLayer::new(secrets, options).sign_responses());
/// ```
///
/// # Bodies
///
/// A signature stands in the head, so the layer reads the whole body first, up to
/// [`max_body_len`](Self::max_body_len). These answers pass unsigned, and a consumer that requires a
/// signed response refuses them:
///
/// - a larger body, which goes on as it comes;
/// - a body with trailers, such as that of gRPC, or one that breaks off;
/// - `text/event-stream`, gRPC and 101, of which nothing is read ahead;
/// - the answer to a request without a nonce;
/// - behind [`ValidateStreamLayer`], an answer that comes before the end of the request.
///
/// With the feature `tracing`, each of them is an event.
///
/// # Where in the stack
///
/// What changes status, body, `Content-Type`, `Content-Encoding` or `Location` belongs inside of this
/// layer. Compression outside of it makes each signature wrong. To compress and sign, put the
/// compression between the two layers:
///
/// ```
/// # use axum::{Router, routing::get};
/// # use hmac_auth::{MemorySecrets, ValidateOptions};
/// # use tower_layer::Identity as CompressionLayer;
/// use hmac_auth::tower::{SignResponseLayer, ValidateAuthLayer};
///
/// # let (secrets, options) = (MemorySecrets::new(), ValidateOptions::new());
/// let app: Router = Router::new()
///     .route("/orders", get(async || "none"))
///     // The last one is the outermost.
///     .layer(ValidateAuthLayer::new(secrets, options))
///     .layer(CompressionLayer::new())
///     .layer(SignResponseLayer::new());
/// ```
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`options`](Self::options) | those of [`SignResponseOptions::new`] |
/// | [`max_body_len`](Self::max_body_len) | [`DEFAULT_MAX_BODY_LEN`], 2 MiB |
#[derive(Clone, Debug)]
pub struct SignResponseLayer {
    signer: Arc<Signer>,
}

#[derive(Clone, Debug)]
struct Signer {
    options: SignResponseOptions,
    /// In bytes.
    max_body_len: u64,
}

impl Default for SignResponseLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl SignResponseLayer {
    /// A layer with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            signer: Arc::new(Signer {
                options: SignResponseOptions::new(),
                max_body_len: DEFAULT_MAX_BODY_LEN,
            }),
        }
    }

    /// Signs with these options.
    #[must_use]
    pub fn options(mut self, options: SignResponseOptions) -> Self {
        Arc::make_mut(&mut self.signer).options = options;
        self
    }

    /// Sets the largest body that is signed, in bytes. A larger one passes unsigned.
    ///
    /// Each answer takes as much memory as its body has bytes.
    #[must_use]
    pub fn max_body_len(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.signer).max_body_len = bytes;
        self
    }
}

impl ValidateAuthLayer {
    /// Signs the answers to validated requests, too: with [`SignResponseLayer`] around this layer.
    ///
    /// Set all other options before. For options of signing, add the layer itself.
    #[must_use]
    pub fn sign_responses(self) -> Stack<Self, SignResponseLayer> {
        Stack::new(self, SignResponseLayer::new())
    }
}

impl ValidateStreamLayer {
    /// Signs the answers to validated requests, too: with [`SignResponseLayer`] around this layer.
    ///
    /// An answer is signed only if the body of the request has ended before.
    #[must_use]
    pub fn sign_responses(self) -> Stack<Self, SignResponseLayer> {
        Stack::new(self, SignResponseLayer::new())
    }
}

impl<S> Layer<S> for SignResponseLayer {
    type Service = SignResponse<S>;

    fn layer(&self, inner: S) -> SignResponse<S> {
        SignResponse {
            inner,
            signer: Arc::clone(&self.signer),
        }
    }
}

/// The service of [`SignResponseLayer`].
#[derive(Clone, Debug)]
pub struct SignResponse<S> {
    inner: S,
    signer: Arc<Signer>,
}

impl<S, Q, R> Service<Q> for SignResponse<S>
where
    S: Service<Q, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Response = Response<AnswerBody<R>>;
    type Error = S::Error;
    type Future = SignResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Q) -> SignResponseFuture<S::Future, R> {
        SignResponseFuture {
            signer: Arc::clone(&self.signer),
            state: State::Waiting {
                response: self.inner.call(request),
            },
        }
    }
}

pin_project! {
    /// The response, signed if it answers a validated request.
    pub struct SignResponseFuture<F, R> {
        signer: Arc<Signer>,
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        Waiting { #[pin] response: F },
        // `None` after the end.
        Reading { reading: Option<Reading<R>> },
    }
}

/// A response whose body is read before it is signed.
struct Reading<R> {
    parts: Parts,
    /// Boxed, because it may go on as the body of the response after it was polled.
    body: Pin<Box<R>>,
    pieces: Pieces,
    /// In bytes.
    len: u64,
}

impl<F, R, E> Future for SignResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<AnswerBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Waiting { response } => {
                    let response = ready!(response.poll(cx));
                    let begun = response.map(|response| this.signer.begin(response));
                    let (result, reading) = match begun {
                        Ok(Begun::Reading(reading)) => (None, Some(reading)),
                        Ok(Begun::Answered(response)) => (Some(Ok(response)), None),
                        Err(error) => (Some(Err(error)), None),
                    };
                    this.state.set(State::Reading { reading });
                    if let Some(result) = result {
                        return Poll::Ready(result);
                    }
                }
                StateProjection::Reading { reading } => {
                    let read = reading.as_mut().expect(POLLED_AFTER_END);
                    let end = ready!(read.poll_end(cx, this.signer.max_body_len));
                    let reading = reading.take().expect("it was just read");
                    return Poll::Ready(Ok(this.signer.end(reading, end)));
                }
            }
        }
    }
}

impl<R: Body<Data = Bytes>> Reading<R> {
    /// Reads until the body can be signed, or cannot be.
    fn poll_end(&mut self, cx: &mut Context<'_>, max_len: u64) -> Poll<End<R::Error>> {
        loop {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(End::Whole),
                Some(Err(error)) => return Poll::Ready(End::Broken(error)),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) => {
                    self.len += u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.pieces.push(data);
                    if self.len > max_len {
                        return Poll::Ready(End::TooLarge);
                    }
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) if !trailers.is_empty() => {
                        return Poll::Ready(End::Trailers(trailers));
                    }
                    _ => {}
                },
            }
        }
    }
}

/// How the reading of a body ends.
enum End<E> {
    Whole,
    TooLarge,
    Trailers(HeaderMap),
    Broken(E),
}

/// What becomes of a response.
enum Begun<R: Body> {
    Answered(Response<AnswerBody<R>>),
    Reading(Reading<R>),
}

impl Signer {
    /// Signs what needs no look at the body, and lets pass what cannot be signed.
    fn begin<R: Body<Data = Bytes>>(&self, response: Response<R>) -> Begun<R> {
        let pass = |response: Response<R>| Begun::Answered(response.map(AnswerBody::passing));
        let Some(validated) = response.extensions().get::<Validated>() else {
            return pass(response);
        };
        if let Some(why) = unsignable(&response) {
            not_signed(why);
            return pass(response);
        }
        let is_read = !response.body().is_end_stream()
            && !is_without_content(validated.proof().answered(), response.status());
        if is_read && response.body().size_hint().lower() > self.max_body_len {
            not_signed(TOO_LARGE);
            return pass(response);
        }
        let (mut parts, body) = response.into_parts();
        if is_read {
            return Begun::Reading(Reading {
                parts,
                body: Box::pin(body),
                pieces: Pieces::default(),
                len: 0,
            });
        }
        self.sign(&mut parts, &[]);
        Begun::Answered(Response::from_parts(parts, AnswerBody::passing(body)))
    }

    /// Signs a body that was read whole, and else gives back what was read of it.
    fn end<R: Body<Data = Bytes>>(
        &self,
        reading: Reading<R>,
        end: End<R::Error>,
    ) -> Response<AnswerBody<R>> {
        let Reading {
            mut parts,
            body,
            pieces,
            ..
        } = reading;
        let read = pieces.into_bytes();
        let body = match end {
            End::Whole => {
                self.sign(&mut parts, &read);
                AnswerBody::whole(read)
            }
            End::TooLarge => {
                not_signed(TOO_LARGE);
                AnswerBody::partly_read(read, Last::Rest { body })
            }
            End::Trailers(trailers) => {
                not_signed("the body has trailers, which no signature covers");
                AnswerBody::partly_read(read, Last::Trailers { trailers, body })
            }
            End::Broken(error) => {
                not_signed("the body broke off");
                AnswerBody::partly_read(read, Last::Error { error })
            }
        };
        Response::from_parts(parts, body)
    }

    fn sign(&self, parts: &mut Parts, body: &[u8]) {
        let Some(validated) = parts.extensions.get::<Validated>().cloned() else {
            return;
        };
        if let Err(error) = sign_response_parts(parts, body, &validated, &self.options) {
            not_signed(&format!("{error:#}"));
        }
    }
}

const TOO_LARGE: &str = "the body is larger than `max_body_len`";

/// Why nothing may be read ahead of the body of a response, if so.
fn unsignable<R>(response: &Response<R>) -> Option<&'static str> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Some("101 leads to another protocol");
    }
    let content_type = response.headers().get(CONTENT_TYPE)?.as_bytes();
    let begins_with = |start: &str| {
        let found = content_type.get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    if begins_with("text/event-stream") {
        return Some("events are sent as they come");
    }
    begins_with("application/grpc").then_some("gRPC has trailers, which no signature covers")
}

/// Notes for the operator that a response goes out without a signature.
fn not_signed(why: &str) {
    #[cfg(feature = "tracing")]
    events::response_not_signed(why);
    #[cfg(not(feature = "tracing"))]
    let _ = why;
}

impl<F, R> fmt::Debug for SignResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignResponseFuture").finish_non_exhaustive()
    }
}
