//! The layer of a consumer that signs each request and validates each response.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use http_body_util::{BodyExt, combinators::Collect};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    BoxError, BufferedBody, DEFAULT_MAX_BODY_LEN, SignRequestLayer,
    proven_response::ProvenResponse,
    sign_request::{Signer, whole_body},
    take_ready,
};
use crate::{
    eventual::POLLED_AFTER_END,
    host_clock::{HostClocks, RequestTime},
    message::{ACCEPT_SIGNATURE, ResponseHead},
    response::{ValidateResponseOptions, VerifiedResponse},
    sign::{SentRequest, SignOptions},
};

/// Signs each request, and lets only responses through that the host has signed for it.
///
/// Create it with [`SignRequestLayer::require_signed_response`]:
///
/// ```
/// # use hmac_auth::{MemorySecrets, SignOptions, tower::SignRequestLayer};
/// # let secrets = MemorySecrets::new();
/// use hmac_auth::ValidateResponseOptions;
///
/// let layer = SignRequestLayer::new(secrets, SignOptions::new())
///     .require_signed_response(ValidateResponseOptions::new());
/// ```
///
/// The layer reads the whole body of the response and validates it, as
/// [`validate_response`](crate::validate_response) does. The response then has that body, and
/// [`ValidatedResponse`](crate::ValidatedResponse) in its extensions.
///
/// [`SignRequestLayer`] says where in the stack the layer belongs. What decompresses responses
/// belongs outside of this layer.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`max_body_len`](Self::max_body_len) | [`DEFAULT_MAX_BODY_LEN`], 2 MiB |
/// | [`retry_as_asked`](Self::retry_as_asked) | no: each request is sent once |
/// | [`correct_clock`](Self::correct_clock) | no: a wrong clock stays wrong |
/// | [`correct_clock_into_the_future`](Self::correct_clock_into_the_future) | no |
///
/// # Errors
///
/// The services of this layer fail as those of [`SignRequestLayer`], and with a boxed
/// [`ResponseError`]. Also a refusal of the host is one, because a host signs no refusal:
/// [`UnsignedRefusal`], with the status that nobody has proven.
///
/// [`ResponseError`]: crate::ResponseError
/// [`UnsignedRefusal`]: crate::ResponseErrorKind::UnsignedRefusal
#[derive(Clone)]
pub struct SignedExchangeLayer {
    exchange: Arc<Exchange>,
}

#[derive(Clone)]
struct Exchange {
    signer: Arc<Signer>,
    /// With what the responses ask for.
    sign_options: SignOptions,
    options: ValidateResponseOptions,
    /// In bytes.
    max_body_len: u64,
    retries: bool,
    /// `None` if the own clock counts alone.
    clocks: Option<Arc<HostClocks>>,
}

impl SignRequestLayer {
    /// Requires that the host has signed each response for its request.
    ///
    /// If `options` name [further fields](ValidateResponseOptions::cover), each request asks for
    /// them with `Accept-Signature`, in place of such a field that it already has.
    #[must_use]
    pub fn require_signed_response(self, options: ValidateResponseOptions) -> SignedExchangeLayer {
        let sign_options = self.signer.options.clone();
        let sign_options = match options.accept_signature() {
            Some(_) => sign_options.cover(ACCEPT_SIGNATURE),
            None => sign_options,
        };
        SignedExchangeLayer {
            exchange: Arc::new(Exchange {
                signer: self.signer,
                sign_options,
                options,
                max_body_len: DEFAULT_MAX_BODY_LEN,
                retries: false,
                clocks: None,
            }),
        }
    }
}

impl SignedExchangeLayer {
    /// Sets the largest accepted body of a response, in bytes.
    #[must_use]
    pub fn max_body_len(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.exchange).max_body_len = bytes;
        self
    }

    /// Sends a request once more if an unsigned 401 asks with `Accept-Signature` for components that
    /// the signature did not cover. [`SignOptions::cover_asked`] says what may be added.
    ///
    /// The refusal of the second try is the last one.
    ///
    /// # Security
    ///
    /// Nobody has signed that 401. Somebody on the way can write one, although the host has acted.
    /// So use this only for requests that may happen twice.
    #[must_use]
    pub fn retry_as_asked(mut self) -> Self {
        Arc::make_mut(&mut self.exchange).retries = true;
        self
    }

    /// As [`SignRequestLayer::correct_clock`]. A correction is kept only if a 2xx was proven.
    ///
    /// The response is validated by the time of the host too. Together with
    /// [`retry_as_asked`](Self::retry_as_asked), there is one further try, never two.
    #[must_use]
    pub fn correct_clock(mut self) -> Self {
        Arc::make_mut(&mut self.exchange).clocks = Some(HostClocks::into_the_past());
        self
    }

    /// As [`SignRequestLayer::correct_clock_into_the_future`]. A correction is kept only if a 2xx was
    /// proven.
    #[must_use]
    pub fn correct_clock_into_the_future(mut self) -> Self {
        Arc::make_mut(&mut self.exchange).clocks = Some(HostClocks::into_the_future());
        self
    }
}

impl<S> Layer<S> for SignedExchangeLayer {
    type Service = SignedExchange<S>;

    fn layer(&self, inner: S) -> SignedExchange<S> {
        SignedExchange {
            inner,
            exchange: Arc::clone(&self.exchange),
        }
    }
}

impl fmt::Debug for SignedExchangeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exchange
            .debug(&mut f.debug_struct("SignedExchangeLayer"))
    }
}

/// The service of [`SignedExchangeLayer`].
#[derive(Clone)]
pub struct SignedExchange<S> {
    inner: S,
    exchange: Arc<Exchange>,
}

impl<S, B, R> Service<Request<B>> for SignedExchange<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Response = Response<BufferedBody<R>>;
    type Error = BoxError;
    type Future = SignedExchangeFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> SignedExchangeFuture<S, B, R> {
        let service = take_ready(&mut self.inner);
        let (parts, body) = request.into_parts();
        SignedExchangeFuture {
            exchange: Arc::clone(&self.exchange),
            service,
            again: None,
            time: None,
            state: State::Collecting {
                parts: Some(parts),
                body: body.collect(),
            },
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for SignedExchange<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SignedExchange");
        self.exchange.debug(debug.field("inner", &self.inner))
    }
}

pin_project! {
    /// The response to a signed request, once it is validated.
    pub struct SignedExchangeFuture<S: Service<Request<B>>, B: Body, R> {
        exchange: Arc<Exchange>,
        service: S,
        // The unsigned request, if it may be sent once more.
        again: Option<(request::Parts, Bytes)>,
        time: Option<RequestTime>,
        #[pin]
        state: State<S::Future, B, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B: Body, R> {
        Collecting {
            // Until the request is signed.
            parts: Option<request::Parts>,
            #[pin] body: Collect<B>,
        },
        Calling { sent: SentRequest, #[pin] response: F },
        // Before the second try, until the service is ready.
        Ready { signed: Option<(Request<B>, SentRequest)> },
        Validating { #[pin] response: ProvenResponse<R> },
        Finished,
    }
}

impl<S, B, R> Future for SignedExchangeFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<BufferedBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Collecting { parts, body } => {
                    let body = ready!(body.poll(cx)).map_err(Into::into);
                    let parts = parts.take().expect(POLLED_AFTER_END);
                    let body = match body.and_then(whole_body) {
                        Ok(body) => body,
                        Err(error) => break Err(error),
                    };
                    let options = &this.exchange.sign_options;
                    let clocks = this.exchange.clocks.as_ref();
                    *this.time = clocks.and_then(|clocks| {
                        RequestTime::begin(clocks, &parts.uri, (&parts).into(), options)
                    });
                    if this.exchange.retries || this.time.is_some() {
                        *this.again = Some((parts.clone(), body.clone()));
                    }
                    let options = RequestTime::to_sign(this.time.as_ref(), options);
                    match this.exchange.sign(parts, body, &options) {
                        Ok((request, sent)) => {
                            let response = this.service.call(request);
                            State::Calling { sent, response }
                        }
                        Err(error) => break Err(error),
                    }
                }
                StateProjection::Calling { sent, response } => {
                    let response = match ready!(response.poll(cx)) {
                        Ok(response) => response,
                        Err(error) => break Err(error.into()),
                    };
                    let again = this.again.take();
                    let again = this
                        .exchange
                        .sign_again(again, &response, this.time.as_mut());
                    if again.is_some() {
                        State::Ready { signed: again }
                    } else {
                        let head = ResponseHead::from(&response);
                        let options = &this.exchange.options;
                        let options = RequestTime::to_validate(this.time.as_ref(), options);
                        match VerifiedResponse::verify(&head, sent, &options) {
                            Ok(verified) => {
                                let max_len = this.exchange.max_body_len;
                                let response = ProvenResponse::new(response, verified, max_len);
                                State::Validating { response }
                            }
                            Err(error) => break Err(error.into()),
                        }
                    }
                }
                StateProjection::Ready { signed } => {
                    if let Err(error) = ready!(this.service.poll_ready(cx)) {
                        break Err(error.into());
                    }
                    let (request, sent) = signed.take().expect(POLLED_AFTER_END);
                    let response = this.service.call(request);
                    State::Calling { sent, response }
                }
                StateProjection::Validating { response } => {
                    break match ready!(response.poll(cx)) {
                        Ok(response) => {
                            if let Some(time) = this.time {
                                time.succeeded(response.status());
                            }
                            Ok(response)
                        }
                        Err(error) => Err(error.into()),
                    };
                }
                StateProjection::Finished => panic!("{POLLED_AFTER_END}"),
            };
            this.state.set(next);
        };
        this.state.set(State::Finished);
        Poll::Ready(result)
    }
}

impl Exchange {
    fn sign<B: Body + From<Bytes>>(
        &self,
        mut parts: request::Parts,
        body: Bytes,
        options: &SignOptions,
    ) -> Result<(Request<B>, SentRequest), BoxError> {
        if let Some(value) = self.options.accept_signature() {
            parts.headers.insert(ACCEPT_SIGNATURE, value);
        }
        self.signer.sign_with(parts, body, options)
    }

    /// The request for one more try, if the response asks for more or names another time.
    fn sign_again<B: Body + From<Bytes>, R>(
        &self,
        again: Option<(request::Parts, Bytes)>,
        response: &Response<R>,
        mut time: Option<&mut RequestTime>,
    ) -> Option<(Request<B>, SentRequest)> {
        let (status, headers) = (response.status(), response.headers());
        // Also the answer to the second try can end a correction.
        let is_corrected =
            (time.as_mut()).is_some_and(|time| time.after(status, headers, &self.sign_options));
        let (parts, body) = again?;
        let options = RequestTime::to_sign(time.as_deref(), &self.sign_options);
        let asks = self.retries && ResponseHead::from(response).is_unsigned_401();
        let asked = asks.then(|| options.cover_asked(&parts, headers));
        let options = match asked.flatten() {
            Some(asked) => Cow::Owned(asked),
            None if is_corrected => options,
            None => return None,
        };
        self.sign(parts, body, &options).ok()
    }

    fn debug(&self, debug: &mut fmt::DebugStruct<'_, '_>) -> fmt::Result {
        debug
            .field("sign_options", &self.sign_options)
            .field("options", &self.options)
            .field("max_body_len", &self.max_body_len)
            .field("retries", &self.retries)
            .field("corrects_clock", &self.clocks.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: Service<Request<B>>, B: Body, R> fmt::Debug for SignedExchangeFuture<S, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedExchangeFuture")
            .finish_non_exhaustive()
    }
}
