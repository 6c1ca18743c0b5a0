//! The layer of a host that signs the answers to validated requests.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::{Layer, Stack};
use tower_service::Service;

use super::{
    ValidateAuthLayer, ValidateStreamLayer,
    answer_body::AnswerBody,
    response_signer::{Begun, End, Reading, ResponseSigner},
};
use crate::{eventual::POLLED_AFTER_END, response::SignResponseOptions};

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
/// [`max_body_len`](Self::max_body_len), and as long as that takes: the peer gets no head before.
/// These answers pass unsigned, and a consumer that requires a signed response refuses them:
///
/// - a larger body, which goes on as it comes;
/// - a body with trailers, such as that of gRPC, or one that breaks off;
/// - a body that is not as long as its `Content-Length` says;
/// - `text/event-stream`, gRPC and 101, of which nothing is read ahead;
/// - one with [`LeaveUnsigned`](super::LeaveUnsigned) in its extensions, for other streams that
///   come slowly or have no end;
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
/// | [`max_body_len`](Self::max_body_len) | [`DEFAULT_MAX_BODY_LEN`](super::DEFAULT_MAX_BODY_LEN), 2 MiB |
#[derive(Clone, Debug)]
pub struct SignResponseLayer {
    signer: Arc<ResponseSigner>,
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
            signer: Arc::default(),
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
    signer: Arc<ResponseSigner>,
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
        signer: Arc<ResponseSigner>,
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
                        Ok(Begun::Passing(response)) => {
                            (Some(Ok(response.map(AnswerBody::passing))), None)
                        }
                        Err(error) => (Some(Err(error)), None),
                    };
                    this.state.set(State::Reading { reading });
                    if let Some(result) = result {
                        return Poll::Ready(result);
                    }
                }
                StateProjection::Reading { reading } => {
                    let read = reading.as_mut().expect(POLLED_AFTER_END);
                    let end = match ready!(this.signer.poll_end(read, cx)) {
                        // Signed, a part would pass for the whole. The server would believe its
                        // length, too, and the next answer would begin in the wrong place.
                        End::Whole if read.differs_from_head() => End::WrongLength,
                        end => end,
                    };
                    let reading = reading.take().expect("it was just read");
                    let response = this.signer.end(reading, end);
                    return Poll::Ready(Ok(response.map(AnswerBody::read)));
                }
            }
        }
    }
}

impl<F, R> fmt::Debug for SignResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignResponseFuture").finish_non_exhaustive()
    }
}
