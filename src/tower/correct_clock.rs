//! The layer of a consumer that signs each request, and finds the time of the host.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, combinators::Collect};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    BoxError, SignRequestLayer,
    sign_request::{Signer, whole_body},
    take_ready,
};
use crate::{
    eventual::POLLED_AFTER_END,
    host_clock::{HostClocks, RequestTime},
};

/// Signs each request, and corrects the own clock by that of the host.
///
/// Create it with [`SignRequestLayer::correct_clock`]. Where the layer belongs, and how its services
/// fail, stands at [`SignRequestLayer`].
#[derive(Clone)]
pub struct CorrectClockLayer {
    signer: Arc<Signer>,
    clocks: Arc<HostClocks>,
}

impl SignRequestLayer {
    /// Signs with an earlier time if the own clock is ahead of that of a host, as the `Date` of a
    /// refusal says.
    ///
    /// After a 401, a request is signed anew with the time of the host, and sent once more. If the
    /// status is then 2xx, the later requests to this host get the same correction, until one of them
    /// is refused. The services of a layer share that, for up to 64 hosts.
    ///
    /// A `Date` counts only if the URI of the request says `https`, only if it differs by more than
    /// 10 s from an own clock that is ahead, and only if
    /// [`SignOptions::clock`](crate::SignOptions::clock) is wrong by at most 5 minutes. A refusal with
    /// `Age` is that of a cache, and says nothing.
    ///
    /// Each correction that is tried, kept or dropped is an event of the feature `tracing`.
    /// [The guide](crate::guide::refusals#a-consumer-whose-clock-is-wrong) says more. Setting the clock
    /// of the machine is the better cure.
    ///
    /// Where responses must be signed, call
    /// [`require_signed_response`](Self::require_signed_response) first: its layer has this setter too.
    ///
    /// ```
    /// # use hmac_auth::{MemorySecrets, SignOptions, tower::SignRequestLayer};
    /// # let secrets = MemorySecrets::new();
    /// let layer =
    ///     SignRequestLayer::new(secrets, SignOptions::new()).correct_clock();
    /// ```
    ///
    /// # Security
    ///
    /// Nobody has signed that 401. Whoever ends the TLS connection can write one, although the host has
    /// acted. So use this only for requests that may happen twice. A wrong `Date` can make a signature
    /// too old, and no more. The client inside must check certificates: this layer sees only what the
    /// URI says.
    #[must_use]
    pub fn correct_clock(self) -> CorrectClockLayer {
        self.with_clocks(HostClocks::into_the_past())
    }

    /// Like [`correct_clock`](Self::correct_clock), and also signs with a later time if the own clock
    /// is more than 30 s behind that of a host.
    ///
    /// # Security
    ///
    /// A signature of the future lives longer. Whoever ends the TLS connection, such as a CDN, can get
    /// one with a wrong `Date`, keep the request, and send it up to 5 minutes later than others. So use
    /// this only if you trust all who do so, and where the clock of the machine cannot be set.
    #[must_use]
    pub fn correct_clock_into_the_future(self) -> CorrectClockLayer {
        self.with_clocks(HostClocks::into_the_future())
    }

    fn with_clocks(self, clocks: Arc<HostClocks>) -> CorrectClockLayer {
        CorrectClockLayer {
            signer: self.signer,
            clocks,
        }
    }
}

impl<S> Layer<S> for CorrectClockLayer {
    type Service = CorrectClock<S>;

    fn layer(&self, inner: S) -> CorrectClock<S> {
        CorrectClock {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for CorrectClockLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrectClockLayer")
            .field("options", &self.signer.options)
            .finish_non_exhaustive()
    }
}

/// The service of [`CorrectClockLayer`].
#[derive(Clone)]
pub struct CorrectClock<S> {
    inner: S,
    layer: CorrectClockLayer,
}

impl<S, B, R> Service<Request<B>> for CorrectClock<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = CorrectClockFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> CorrectClockFuture<S, B> {
        let service = take_ready(&mut self.inner);
        let (parts, body) = request.into_parts();
        CorrectClockFuture {
            layer: self.layer.clone(),
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

impl<S: fmt::Debug> fmt::Debug for CorrectClock<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrectClock")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}

pin_project! {
    /// The response to a request that was signed, perhaps twice.
    pub struct CorrectClockFuture<S: Service<Request<B>>, B: Body> {
        layer: CorrectClockLayer,
        service: S,
        // The unsigned request, if it may be sent once more.
        again: Option<(Parts, Bytes)>,
        time: Option<RequestTime>,
        #[pin]
        state: State<S::Future, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B: Body> {
        Collecting {
            // Until the request is signed.
            parts: Option<Parts>,
            #[pin] body: Collect<B>,
        },
        Calling { #[pin] response: F },
        // Before the second try, until the service is ready.
        Ready { request: Option<Request<B>> },
        Finished,
    }
}

impl<S, B, R> Future for CorrectClockFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body + From<Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let CorrectClockLayer { signer, clocks } = this.layer;
        let result = loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Collecting { parts, body } => {
                    let body = ready!(body.poll(cx)).map_err(Into::into);
                    let parts = parts.take().expect(POLLED_AFTER_END);
                    let body = match body.and_then(whole_body) {
                        Ok(body) => body,
                        Err(error) => break Err(error),
                    };
                    let options = &signer.options;
                    *this.time = RequestTime::begin(clocks, &parts.uri, (&parts).into(), options);
                    if this.time.is_some() {
                        *this.again = Some((parts.clone(), body.clone()));
                    }
                    match signer.sign_at(parts, body, this.time.as_ref()) {
                        Ok(request) => State::Calling {
                            response: this.service.call(request),
                        },
                        Err(error) => break Err(error),
                    }
                }
                StateProjection::Calling { response } => {
                    let response = match ready!(response.poll(cx)) {
                        Ok(response) => response,
                        Err(error) => break Err(error.into()),
                    };
                    let (status, headers) = (response.status(), response.headers());
                    let is_corrected = (this.time.as_mut())
                        .is_some_and(|time| time.after(status, headers, &signer.options));
                    let again = this.again.take().filter(|_| is_corrected);
                    let again = again.and_then(|(parts, body)| {
                        signer.sign_at(parts, body, this.time.as_ref()).ok()
                    });
                    if again.is_none() {
                        if let Some(time) = this.time {
                            time.succeeded(status);
                        }
                        break Ok(response);
                    }
                    State::Ready { request: again }
                }
                StateProjection::Ready { request } => {
                    if let Err(error) = ready!(this.service.poll_ready(cx)) {
                        break Err(error.into());
                    }
                    let request = request.take().expect(POLLED_AFTER_END);
                    State::Calling {
                        response: this.service.call(request),
                    }
                }
                StateProjection::Finished => panic!("{POLLED_AFTER_END}"),
            };
            this.state.set(next);
        };
        this.state.set(State::Finished);
        Poll::Ready(result)
    }
}

impl Signer {
    fn sign_at<B: Body + From<Bytes>>(
        &self,
        parts: Parts,
        body: Bytes,
        time: Option<&RequestTime>,
    ) -> Result<Request<B>, BoxError> {
        let options = RequestTime::to_sign(time, &self.options);
        let (request, _) = self.sign_with(parts, body, &options)?;
        Ok(request)
    }
}

impl<S: Service<Request<B>>, B: Body> fmt::Debug for CorrectClockFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrectClockFuture").finish_non_exhaustive()
    }
}
