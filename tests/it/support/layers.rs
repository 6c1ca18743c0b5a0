//! Bodies written frame by frame, a handler for both modes of a host, and what came of a request.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, ready},
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, MemoryReplayGuard, ReplayGuard, ReplayId, SecretStore, SignOptions,
    UseOnce, ValidateOptions, Validated,
    tower::{SignRequestLayer, StreamedBody, Upload, ValidateAuthLayer, ValidateStreamLayer},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Collected};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{
    recorder::Recorder,
    request::{
        INPUT, NOW, TestRequest, options, post, secrets, sign_options, signed, signed_as,
        signed_with, time, with_header,
    },
};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The length of the body of [`post`].
pub(crate) const LEN: u64 = 23;

/// A body that comes as written, and counts how often it is asked.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) steps: VecDeque<Step>,
    /// What it says its length is, at least.
    pub(crate) hint: u64,
    pub(crate) polls: Arc<AtomicUsize>,
}

pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Fail(&'static str),
    /// Not yet.
    Wait,
    /// Only after this time.
    Late(Duration),
}

impl From<Bytes> for Script {
    fn from(bytes: Bytes) -> Self {
        Self {
            steps: [Step::Data(bytes)].into(),
            ..Self::default()
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let Some(step) = self.steps.pop_front() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match step {
            Step::Data(data) => Ok(Frame::data(data)),
            Step::Trailers(trailers) => Ok(Frame::trailers(trailers)),
            Step::Fail(text) => Err(text.into()),
            Step::Late(duration) => {
                std::thread::sleep(duration);
                Ok(Frame::data(Bytes::new()))
            }
            Step::Wait => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.hint);
        hint
    }
}

/// The request with a body of these steps instead of its own.
pub(crate) fn with_body(request: TestRequest, steps: impl Into<VecDeque<Step>>) -> Request<Script> {
    let steps = steps.into();
    request.map(|_| Script {
        steps,
        ..Script::default()
    })
}

/// The request as it comes in chunks: nothing says how long its body is.
pub(crate) fn chunked(request: TestRequest, size: usize) -> Request<Script> {
    let steps: Vec<Step> = request
        .body()
        .chunks(size)
        .map(|chunk| Step::Data(Bytes::copy_from_slice(chunk)))
        .collect();
    with_body(request, steps)
}

pub(crate) fn whole(request: TestRequest) -> Request<Script> {
    chunked(request, usize::MAX)
}

pub(crate) fn declared(mut request: Request<Script>, len: u64) -> Request<Script> {
    request.headers_mut().insert("content-length", len.into());
    request
}

pub(crate) fn hinted(mut request: Request<Script>, len: u64) -> Request<Script> {
    request.body_mut().hint = len;
    request
}

/// The peer sends its body only after `100 Continue`.
pub(crate) fn expecting(mut request: Request<Script>) -> Request<Script> {
    let value = HeaderValue::from_static("100-continue");
    request.headers_mut().insert("expect", value);
    request
}

pub(crate) fn stale() -> TestRequest {
    signed_with(post(), &SignOptions::new().at(time(NOW - 61)))
}

pub(crate) fn with_wrong_mac() -> TestRequest {
    with_header(signed(post()), "content-type", "text/plain")
}

/// A body, but no digest of it in the signature.
pub(crate) fn uncovered() -> TestRequest {
    signed_as(post(), INPUT)
}

pub(crate) fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

pub(crate) fn trailers(names: &[&'static str]) -> Step {
    Step::Trailers(
        names
            .iter()
            .map(|name| (name.parse().unwrap(), HeaderValue::from_static("1")))
            .collect(),
    )
}

pub(crate) fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new().started_at(time(NOW))
}

/// A guard that has just forgotten all signatures, as it may once they are stale.
pub(crate) struct Forgetful;

impl ReplayGuard for Forgetful {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::ready(Ok(()))
    }
}

pub(crate) fn host(
    secrets: impl SecretStore + 'static,
    options: ValidateOptions,
) -> ValidateAuthLayer {
    Recorder::install();
    ValidateAuthLayer::new(secrets, options)
}

pub(crate) fn layer_with(options: ValidateOptions) -> ValidateAuthLayer {
    host(secrets(), options).replay_guard(guard())
}

pub(crate) fn layer() -> ValidateAuthLayer {
    layer_with(options())
}

pub(crate) fn sign_layer() -> SignRequestLayer {
    sign_layer_with(sign_options())
}

pub(crate) fn sign_layer_with(options: SignOptions) -> SignRequestLayer {
    Recorder::install();
    SignRequestLayer::new(secrets(), options)
}

/// A service for both modes. It answers 201 whatever comes of the body, and insists on being asked
/// whether it is ready.
#[derive(Debug, Default)]
pub(crate) struct Handler {
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) is_ready: bool,
}

impl Clone for Handler {
    /// A clone is not ready because the original was.
    fn clone(&self) -> Self {
        Self {
            calls: Arc::clone(&self.calls),
            is_ready: false,
        }
    }
}

impl<B> Service<Request<B>> for Handler
where
    B: Body<Data = Bytes, Error: Send> + Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(mem::take(&mut self.is_ready), "called before it was ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map(Collected::to_bytes)
                .unwrap_or_default();
            let of_upload = parts.extensions.get::<Upload>().and_then(Upload::validated);
            let validated = parts.extensions.get::<Validated>().or(of_upload);
            let consumer = validated.map_or("nobody", Validated::consumer);
            Ok(Response::builder()
                .status(201)
                .header("x-consumer", consumer)
                .body(body)?)
        })
    }
}

/// Either layer of a host.
pub(crate) trait Host:
    Layer<
        Handler,
        Service: Service<
            Request<Script>,
            Response = Response<Bytes>,
            Error = BoxError,
            Future: Send,
        >,
    >
{
}

impl<L> Host for L where
    L: Layer<
            Handler,
            Service: Service<
                Request<Script>,
                Response = Response<Bytes>,
                Error = BoxError,
                Future: Send,
            >,
        >
{
}

/// What came of a request.
pub(crate) struct Seen {
    pub(crate) response: Response<Bytes>,
    /// How often the service was called.
    pub(crate) calls: usize,
    /// How often the body was asked.
    pub(crate) polls: usize,
}

impl Seen {
    pub(crate) fn refusal(&self) -> Option<Kind> {
        self.response.extensions().get().copied()
    }
}

pub(crate) async fn ask(layer: &impl Host, request: Request<Script>) -> Seen {
    let (handler, polls) = (Handler::default(), Arc::clone(&request.body().polls));
    let calls = Arc::clone(&handler.calls);
    let response = layer
        .layer(handler)
        .oneshot(request)
        .await
        .expect("the handler does not fail");
    Seen {
        response,
        calls: calls.load(Ordering::Relaxed),
        polls: polls.load(Ordering::Relaxed),
    }
}

/// The same in both modes, buffered first, with a signature each.
pub(crate) async fn ask_both(
    layer: &ValidateAuthLayer,
    request: impl Fn() -> Request<Script>,
) -> [Seen; 2] {
    [
        ask(layer, request()).await,
        ask(&layer.clone().streaming(), request()).await,
    ]
}

/// Hyper hands over frames of up to this size.
pub(crate) const LARGE: usize = 480 * 1024;

pub(crate) fn large() -> TestRequest {
    signed(post().map(|_| vec![b'x'; LARGE]))
}

/// Takes out of a service in streaming mode what it gets.
pub(crate) async fn open<B>(
    layer: &ValidateStreamLayer,
    request: Request<B>,
) -> (StreamedBody<B>, Upload)
where
    B: Body<Error: Into<BoxError>>,
{
    let taken = Mutex::new(None);
    let service = service_fn(|request: Request<StreamedBody<B>>| {
        *taken.lock().unwrap() = Some(request);
        ready(Ok::<_, Infallible>(Response::new(Bytes::new())))
    });
    let response = layer.layer(service).oneshot(request).await.unwrap();
    // It has not read the body, which is its own affair.
    assert_eq!(
        (response.status(), response.extensions().get::<Kind>()),
        (StatusCode::OK, None)
    );
    let (parts, body) = taken
        .lock()
        .unwrap()
        .take()
        .expect("the service was called")
        .into_parts();
    assert!(
        parts.extensions.get::<Validated>().is_none(),
        "not proven yet"
    );
    (
        body,
        parts
            .extensions
            .get::<Upload>()
            .expect("there is an upload")
            .clone(),
    )
}

/// What a reader gets right now.
pub(crate) fn read<B>(body: &mut StreamedBody<B>) -> Poll<Option<Result<Bytes, Kind>>>
where
    B: Body<Error: Into<BoxError>> + Unpin,
{
    let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
    frame.map(|frame| {
        frame.map(|frame| {
            frame
                .map(|frame| frame.into_data().unwrap())
                .map_err(|error| error.kind())
        })
    })
}

pub(crate) fn poll_ready(service: &mut impl Service<Request<Script>>) -> bool {
    service
        .poll_ready(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}
