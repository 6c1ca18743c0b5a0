//! The layers for tower, in process: what they let through, what they refuse and when, and who learns what.

mod common;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    fmt,
    future::{Future, Ready, ready},
    io, mem,
    panic::{self, AssertUnwindSafe},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use axum::{Extension, Router, extract::OriginalUri, middleware, routing};
use bytes::Bytes;
use common::{
    INPUT, NOW, SECRET, TestRequest, get, options, post, secrets, sign_options, signed, signed_as,
    signed_with, time, with_header, with_signature,
};
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets,
    ReplayGuard, ReplayId, SecretError, SecretSet, SecretStore, SignError, SignOptions, UseOnce,
    ValidateOptions, Validated,
    tower::{
        BufferedBody, DEFAULT_MAX_BODY_LEN, SignRequest, SignRequestFuture, SignRequestLayer,
        StreamedBody, Upload, ValidateAuth, ValidateAuthFuture, ValidateAuthLayer, ValidateStream,
        ValidateStreamFuture, ValidateStreamLayer,
    },
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, BodyStream, Collected, Full, StreamBody};
use tokio::sync::{Semaphore, SemaphorePermit};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, retry, service_fn};
use tower_http::{limit::RequestBodyLimitLayer, map_request_body::MapRequestBodyLayer};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::SubscriberExt;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The length of the body of [`post`].
const LEN: u64 = 23;

/// A body that comes as written, and counts how often it is asked.
#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    /// What it says its length is, at least.
    hint: u64,
    polls: Arc<AtomicUsize>,
}

enum Step {
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
fn with_body(request: TestRequest, steps: impl Into<VecDeque<Step>>) -> Request<Script> {
    let steps = steps.into();
    request.map(|_| Script {
        steps,
        ..Script::default()
    })
}

/// The request as it comes in chunks: nothing says how long its body is.
fn chunked(request: TestRequest, size: usize) -> Request<Script> {
    let steps: Vec<Step> = request
        .body()
        .chunks(size)
        .map(|chunk| Step::Data(Bytes::copy_from_slice(chunk)))
        .collect();
    with_body(request, steps)
}

fn whole(request: TestRequest) -> Request<Script> {
    chunked(request, usize::MAX)
}

fn declared(mut request: Request<Script>, len: u64) -> Request<Script> {
    request.headers_mut().insert("content-length", len.into());
    request
}

fn hinted(mut request: Request<Script>, len: u64) -> Request<Script> {
    request.body_mut().hint = len;
    request
}

fn stale() -> TestRequest {
    signed_with(post(), &SignOptions::new().at(time(NOW - 61)))
}

fn with_wrong_mac() -> TestRequest {
    with_header(signed(post()), "content-type", "text/plain")
}

/// A body, but no digest of it in the signature.
fn uncovered() -> TestRequest {
    signed_as(post(), INPUT)
}

fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

fn trailers(names: &[&'static str]) -> Step {
    Step::Trailers(
        names
            .iter()
            .map(|name| (name.parse().unwrap(), HeaderValue::from_static("1")))
            .collect(),
    )
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new().started_at(time(NOW))
}

fn host(secrets: impl SecretStore + 'static, options: ValidateOptions) -> ValidateAuthLayer {
    Recorder::install();
    ValidateAuthLayer::new(secrets, options)
}

fn layer_with(options: ValidateOptions) -> ValidateAuthLayer {
    host(secrets(), options).replay_guard(guard())
}

fn layer() -> ValidateAuthLayer {
    layer_with(options())
}

fn sign_layer() -> SignRequestLayer {
    SignRequestLayer::new(secrets(), sign_options())
}

/// A service for both modes. It answers 201 whatever comes of the body, and insists on being asked whether it is ready.
#[derive(Debug, Default)]
struct Handler {
    calls: Arc<AtomicUsize>,
    is_ready: bool,
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
trait Host:
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
struct Seen {
    response: Response<Bytes>,
    /// How often the service was called.
    calls: usize,
    /// How often the body was asked.
    polls: usize,
}

impl Seen {
    fn refusal(&self) -> Option<Kind> {
        self.response.extensions().get().copied()
    }
}

async fn ask(layer: &impl Host, request: Request<Script>) -> Seen {
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
async fn ask_both(layer: &ValidateAuthLayer, request: impl Fn() -> Request<Script>) -> [Seen; 2] {
    [
        ask(layer, request()).await,
        ask(&layer.clone().streaming(), request()).await,
    ]
}

type Case = (Kind, ValidateAuthLayer, fn() -> Request<Script>);

/// Refused before the body is asked for.
fn bad_heads() -> Vec<Case> {
    let small = || layer().max_body_len(LEN - 1);
    vec![
        (Kind::MissingSignature, layer(), || whole(post())),
        (Kind::Stale, layer(), || whole(stale())),
        (Kind::WrongMac, layer(), || whole(with_wrong_mac())),
        (
            Kind::UnlistedAuthority,
            layer_with(options().authorities(["other.example"])),
            || whole(signed(post())),
        ),
        (Kind::BodyNotCovered, layer(), || {
            hinted(whole(uncovered()), 1)
        }),
        // The policy comes before the length, the length before the MAC.
        (Kind::Stale, small(), || declared(whole(stale()), LEN)),
        (Kind::BodyTooLarge, small(), || {
            declared(whole(with_wrong_mac()), LEN)
        }),
        (Kind::BodyTooLarge, small(), || {
            hinted(whole(with_wrong_mac()), LEN)
        }),
        (Kind::BodyTooLarge, small(), || {
            declared(whole(signed(post())), u64::MAX)
        }),
        (Kind::SecretUnavailable, host(Down, options()), || {
            whole(signed(post()))
        }),
        (
            Kind::Misconfigured,
            layer_with(options().require("@status")),
            || whole(signed(post())),
        ),
    ]
}

/// Refused by the guard: in streaming mode, before the body is asked for.
fn refused_by_guards() -> Vec<Case> {
    let late = guard().started_at(time(NOW + 1));
    vec![
        (
            Kind::ReplayGuardUnavailable,
            layer().replay_guard(Down),
            || whole(signed(post())),
        ),
        (
            Kind::ReplayGuardFull,
            layer().replay_guard(guard().capacity(0)),
            || whole(signed(post())),
        ),
        (Kind::BeforeGuardStart, layer().replay_guard(late), || {
            whole(signed(post()))
        }),
    ]
}

/// Refused for what is found in the body, which nothing has announced.
fn bad_bodies() -> Vec<Case> {
    let small = layer().max_body_len(LEN - 1);
    vec![
        (Kind::WrongDigest, layer(), || {
            with_body(signed(post()), [data(r#"{"month":12,"site":"a"}"#)])
        }),
        (Kind::WrongDigest, layer(), || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"#), data(r#""site":"b"}"#)],
            )
        }),
        (Kind::WrongDigest, layer(), || {
            declared(
                with_body(signed(post()), [data(r#"{"month":11,"site":"b"}"#)]),
                LEN,
            )
        }),
        (Kind::WrongDigest, layer(), || {
            with_body(signed(post()), [data("")])
        }),
        (Kind::BodyNotCovered, layer(), || whole(uncovered())),
        (Kind::BodyTooLarge, small, || whole(signed(post()))),
        (Kind::BodyUnreadable, layer(), || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"#), Step::Fail("gone")],
            )
        }),
        (Kind::TrailersNotCovered, layer(), || {
            with_body(signed(post()), [data(r#"{"month""#), trailers(&["x-site"])])
        }),
        (Kind::TrailersNotCovered, layer(), || {
            with_body(signed(get()), [trailers(&["x-site"])])
        }),
        (Kind::WrongContentLength, layer(), || {
            declared(chunked(signed(post()), 4), LEN - 1)
        }),
        (Kind::WrongContentLength, layer(), || {
            declared(chunked(signed(post()), 4), LEN + 1)
        }),
        (Kind::WrongContentLength, layer(), || {
            declared(with_body(signed(post()), []), LEN)
        }),
    ]
}

/// A guard and a store that cannot be reached.
struct Down;

impl ReplayGuard for Down {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::pending(async { Err(AuthError::replay_guard_unavailable("connection refused")) })
    }
}

impl SecretStore for Down {
    fn lookup(&self, name: &str) -> Result<SecretSet, SecretError> {
        Err(SecretError::Unavailable {
            name: name.to_owned(),
            source: "the vault is sealed".into(),
        })
    }
}

/// The answer of the profile, and nothing about the reason.
#[track_caller]
fn assert_profile(response: &Response<Bytes>, kind: Kind) {
    let (status, text) = match kind {
        Kind::BodyTooLarge => (413, "Payload too large"),
        Kind::BodyUnreadable | Kind::WrongContentLength => (400, "Incomplete body"),
        Kind::SecretUnavailable
        | Kind::Misconfigured
        | Kind::ReplayGuardUnavailable
        | Kind::ReplayGuardFull => (503, "Authentication unavailable"),
        _ => (401, "Invalid authentication token"),
    };
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (status, format!(r#"{{"error":"{text}"}}"#).as_bytes())
    );
    let mut names: Vec<&str> = response
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    let expected = match status {
        401 => &["accept-signature", "content-type", "www-authenticate"][..],
        503 => &["content-type", "retry-after"],
        _ => &["content-type"],
    };
    assert_eq!(names, expected);
    assert!(
        response
            .headers()
            .get("www-authenticate")
            .is_none_or(|value| value == "Signature")
    );
}

#[tokio::test]
async fn a_valid_request_reaches_the_service_whole_and_with_its_proof() {
    let layer = layer_with(options().key_ids([("site-a", DEFAULT_SECRET_NAME)]));
    for request in [get(), post()] {
        let sign = || {
            whole(signed_with(
                request.clone(),
                &sign_options().key_id("site-a"),
            ))
        };
        for Seen {
            response, calls, ..
        } in ask_both(&layer, sign).await
        {
            assert_eq!(
                (response.status(), calls),
                (StatusCode::CREATED, 1),
                "{response:?}"
            );
            // The answer of the service, as it is.
            assert_eq!(
                (&response.headers()["x-consumer"], response.headers().len()),
                (&HeaderValue::from_static("site-a"), 1)
            );
            assert_eq!(response.body(), request.body());
            assert!(response.extensions().is_empty());
        }
    }
}

#[tokio::test]
async fn whatever_the_head_shows_is_refused_unread_and_reaches_no_service() {
    for (kind, layer, request) in bad_heads() {
        for seen in ask_both(&layer, request).await {
            assert_eq!((seen.refusal(), seen.calls, seen.polls), (Some(kind), 0, 0));
            assert_profile(&seen.response, kind);
        }
    }
}

#[tokio::test]
async fn whatever_the_guard_refuses_reaches_no_service() {
    for (kind, layer, request) in refused_by_guards() {
        let [buffered, streamed] = ask_both(&layer, request).await;
        assert_eq!(streamed.polls, 0);
        for seen in [buffered, streamed] {
            assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
            assert_profile(&seen.response, kind);
        }
    }
}

/// In streaming mode the service has begun: its answer is replaced.
#[tokio::test]
async fn whatever_is_wrong_with_the_body_is_refused() {
    for (kind, layer, request) in bad_bodies() {
        let [buffered, streamed] = ask_both(&layer, request).await;
        assert_eq!((buffered.refusal(), buffered.calls), (Some(kind), 0));
        assert_eq!((streamed.refusal(), streamed.calls), (Some(kind), 1));
        assert_profile(&buffered.response, kind);
        assert_profile(&streamed.response, kind);
    }
    // A body that is known to be empty is refused before the service.
    for seen in ask_both(&layer(), || with_body(signed(post()), [])).await {
        assert_eq!((seen.refusal(), seen.calls), (Some(Kind::WrongDigest), 0));
    }
}

/// An endless body ends with the first frame that is too much.
#[tokio::test]
async fn no_body_is_read_beyond_its_content_length() {
    let endless = || {
        declared(
            with_body(signed(post()), [(); 100].map(|()| data("x"))),
            LEN,
        )
    };
    for seen in ask_both(&layer(), endless).await {
        assert_eq!(
            (seen.refusal(), seen.polls as u64),
            (Some(Kind::WrongContentLength), LEN + 1)
        );
    }
}

/// Most services give up with an error of their own when the body does.
#[tokio::test]
async fn an_error_of_the_service_about_a_bad_body_is_replaced_too() {
    let service = service_fn(|request: Request<StreamedBody<Script>>| async {
        request
            .into_body()
            .collect()
            .await
            .map(|body| Response::new(body.to_bytes()))
    });
    for (kind, layer, request) in bad_bodies() {
        let response = layer
            .streaming()
            .layer(service)
            .oneshot(request())
            .await
            .expect("an answer");
        assert_eq!(response.extensions().get(), Some(&kind));
        assert_profile(&response, kind);
    }
}

#[tokio::test]
async fn the_limit_is_exact_to_the_byte() {
    for (limit, is_enough) in [(LEN - 1, false), (LEN, true), (LEN + 1, true)] {
        for frame in [1, 4, 23] {
            let layer = layer().max_body_len(limit);
            let request = || chunked(signed(post()), frame);
            let undeclared = ask_both(&layer, request).await;
            let declared = ask_both(&layer, || declared(request(), LEN)).await;
            for seen in undeclared.iter().chain(&declared) {
                assert_eq!(
                    seen.refusal(),
                    (!is_enough).then_some(Kind::BodyTooLarge),
                    "{limit} {frame}"
                );
            }
            if !is_enough {
                assert!(declared.iter().all(|seen| seen.polls == 0));
                // Up to the frame with the first byte beyond the limit.
                let frames = usize::try_from(limit).unwrap() / frame + 1;
                assert!(undeclared.iter().all(|seen| seen.polls == frames));
            }
        }
    }
}

/// Whoever calls with gRPC reads the code of gRPC, and no body.
#[tokio::test]
async fn grpc_is_answered_in_its_own_words() {
    fn grpc() -> TestRequest {
        let mut request = post();
        request.headers_mut().insert(
            "content-type",
            HeaderValue::from_static("application/grpc+proto"),
        );
        request
    }
    let cases: [(&str, Case); 4] = [
        ("16", (Kind::MissingSignature, layer(), || whole(grpc()))),
        (
            "8",
            (Kind::BodyTooLarge, layer().max_body_len(LEN - 1), || {
                whole(signed(grpc()))
            }),
        ),
        (
            "13",
            (Kind::BodyUnreadable, layer(), || {
                with_body(signed(grpc()), [Step::Fail("gone")])
            }),
        ),
        (
            "14",
            (
                Kind::ReplayGuardUnavailable,
                layer().replay_guard(Down),
                || whole(signed(grpc())),
            ),
        ),
    ];
    for (code, (kind, layer, request)) in cases {
        for seen in ask_both(&layer, request).await {
            assert_eq!(seen.refusal(), Some(kind));
            let (head, body) = seen.response.into_parts();
            assert_eq!(head.status, AuthError::from(kind).status());
            assert_eq!(
                ["grpc-status", "content-type"].map(|name| &head.headers[name]),
                [code, "application/grpc"]
            );
            assert!(body.is_empty(), "{kind:?}");
        }
    }
    for seen in ask_both(&layer(), || whole(post())).await {
        assert!(
            !seen.response.headers().contains_key("grpc-status")
                && !seen.response.body().is_empty()
        );
    }
}

#[tokio::test]
async fn bodies_are_limited_by_default() {
    let sign = |len: u64| hinted(with_body(signed(get()), [Step::Fail("read")]), len);
    for (len, expected) in [
        (DEFAULT_MAX_BODY_LEN, Kind::BodyNotCovered),
        (DEFAULT_MAX_BODY_LEN + 1, Kind::BodyTooLarge),
        (u64::MAX, Kind::BodyTooLarge),
    ] {
        let seen = ask_both(&layer(), || sign(len))
            .await
            .map(|seen| seen.refusal().unwrap());
        assert_eq!(seen, [expected; 2], "{len}");
    }
}

#[tokio::test]
async fn harmless_bodies_are_accepted() {
    let cases: [fn() -> Request<Script>; 6] = [
        || chunked(signed(post()), 1),
        || declared(chunked(signed(post()), 1), LEN),
        || {
            with_body(
                signed(post()),
                [
                    data(""),
                    data(r#"{"month":11,"#),
                    data(""),
                    data(r#""site":"a"}"#),
                    data(""),
                ],
            )
        },
        || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"site":"a"}"#), trailers(&[])],
            )
        },
        || {
            with_body(
                signed(post()),
                [
                    Step::Wait,
                    data(r#"{"month":11,"#),
                    Step::Wait,
                    data(r#""site":"a"}"#),
                    Step::Wait,
                ],
            )
        },
        || hinted(declared(whole(signed(post())), LEN), LEN),
    ];
    for request in cases {
        for seen in ask_both(&layer(), request).await {
            assert_eq!(
                (seen.refusal(), &**seen.response.body()),
                (None, &**post().body())
            );
        }
    }
    // A frame without bytes is not a body that would have to be covered.
    for seen in ask_both(&layer(), || {
        with_body(signed(get()), [data(""), trailers(&[])])
    })
    .await
    {
        assert_eq!((seen.refusal(), seen.calls), (None, 1));
    }
}

/// A service that answers with its error, or is not even ready.
#[derive(Clone)]
struct Failing {
    is_ready: bool,
}

impl<B> Service<Request<B>> for Failing {
    type Response = Response<Bytes>;
    type Error = io::Error;
    type Future = Ready<io::Result<Response<Bytes>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(if self.is_ready {
            Ok(())
        } else {
            Err(io::Error::other("closed"))
        })
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(self.is_ready);
        ready(Err(io::Error::other("no database")))
    }
}

#[tokio::test]
async fn errors_of_the_service_are_passed_through() {
    for (is_ready, text) in [(true, "no database"), (false, "closed")] {
        let buffered = layer()
            .layer(Failing { is_ready })
            .oneshot(whole(signed(post())))
            .await
            .unwrap_err();
        let streamed = layer()
            .streaming()
            .layer(Failing { is_ready })
            .oneshot(whole(signed(post())))
            .await
            .unwrap_err();
        let sent = sign_layer()
            .layer(Failing { is_ready })
            .oneshot(whole(post()))
            .await
            .unwrap_err();
        let sent = sent.downcast::<io::Error>().expect("boxed, but the same");
        assert_eq!(
            [buffered, streamed, *sent].map(|error| error.to_string()),
            [text; 3]
        );
    }
}

#[tokio::test]
async fn the_answer_can_be_replaced_but_not_the_kind() {
    let layer = layer().map_refusal(|response, error, parts| {
        assert_eq!(response.status(), error.status());
        Response::builder()
            .status(418)
            .body(format!("{} {}", error.kind(), parts.uri.path()).into())
            .unwrap()
    });
    for request in [
        || whole(post()),
        || with_body(signed(post()), [data("forged")]),
    ] {
        for seen in ask_both(&layer, request).await {
            let kind = seen.refusal().expect("refused");
            assert_eq!(seen.response.status(), StatusCode::IM_A_TEAPOT);
            assert_eq!(seen.response.body(), &format!("{kind} /orders"));
        }
    }
}

/// Who has a proof may rely on it, so there is none of a replayed request.
#[tokio::test]
async fn what_is_refused_comes_without_a_proof() {
    for (_, layer, request) in [bad_heads(), refused_by_guards(), bad_bodies()]
        .into_iter()
        .flatten()
    {
        let layer = layer.map_refusal(|mut response, _, parts| {
            let proves = parts.extensions.get::<Validated>().is_some()
                || parts.extensions.get::<Upload>().is_some();
            response.extensions_mut().insert(proves);
            response
        });
        for seen in ask_both(&layer, request).await {
            assert_eq!(
                seen.response.extensions().get(),
                Some(&false),
                "{:?}",
                seen.refusal()
            );
        }
    }
}

#[tokio::test]
async fn a_signature_counts_once_for_all_layers_with_the_same_guard() {
    let guard = Arc::new(guard());
    let (one, other) = (
        layer().replay_guard(Arc::clone(&guard)),
        layer().replay_guard(guard).streaming(),
    );
    let (first, second) = (signed(post()), signed(post()));
    assert_eq!(ask(&one, whole(first.clone())).await.refusal(), None);
    assert_eq!(ask(&other, whole(second.clone())).await.refusal(), None);
    for request in [first, second] {
        for seen in [
            ask(&one, whole(request.clone())).await,
            ask(&other, whole(request.clone())).await,
        ] {
            assert_eq!((seen.refusal(), seen.calls), (Some(Kind::Replayed), 0));
        }
    }
}

#[tokio::test]
async fn a_layer_has_a_guard_unless_it_is_told_not_to() {
    let options = || ValidateOptions::new().authorities(["host.example"]);
    // The guard of a new layer goes by the clock, so here all do.
    let (layer, stream) = (
        host(secrets(), options()),
        host(secrets(), options()).streaming(),
    );
    let open = layer.clone().without_replay_guard();
    let request = signed_with(post(), &SignOptions::new());
    assert_eq!(ask(&layer, whole(request.clone())).await.refusal(), None);
    assert_eq!(
        ask(&layer.clone(), whole(request.clone())).await.refusal(),
        Some(Kind::Replayed)
    );
    assert_eq!(ask(&stream, whole(request.clone())).await.refusal(), None);
    assert_eq!(
        ask(&stream.clone(), whole(request.clone())).await.refusal(),
        Some(Kind::Replayed)
    );
    for _ in 0..2 {
        assert!(
            ask_both(&open, || whole(request.clone()))
                .await
                .iter()
                .all(|seen| seen.refusal().is_none())
        );
    }
}

#[tokio::test]
async fn a_wrong_body_uses_the_signature_up_only_if_it_is_streamed() {
    let (buffered, streamed) = (layer(), layer().streaming());
    let request = signed(post());
    let forged = || with_body(request.clone(), [data(r#"{"month":12,"site":"a"}"#)]);
    assert_eq!(
        ask(&buffered, forged()).await.refusal(),
        Some(Kind::WrongDigest)
    );
    assert_eq!(ask(&buffered, whole(request.clone())).await.refusal(), None);
    assert_eq!(
        ask(&streamed, forged()).await.refusal(),
        Some(Kind::WrongDigest)
    );
    assert_eq!(
        ask(&streamed, whole(request.clone())).await.refusal(),
        Some(Kind::Replayed)
    );
}

/// A guard that has just forgotten all signatures, as it may once they are stale.
struct Forgetful;

impl ReplayGuard for Forgetful {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::ready(Ok(()))
    }
}

/// A body that comes so late that the guard may have forgotten the signature would make a replay of it.
#[tokio::test]
async fn a_signature_that_goes_stale_during_the_body_is_refused() {
    let second = Duration::from_secs(1);
    let options = || ValidateOptions::new().authorities(["host.example"]);
    let ask_late = async |sign_options: SignOptions, options| {
        let request = signed_with(post(), &sign_options);
        let body = Bytes::from(request.body().clone());
        let late = with_body(
            request,
            [Step::Late(Duration::from_millis(2_100)), Step::Data(body)],
        );
        let seen = ask(&host(secrets(), options).replay_guard(Forgetful), late).await;
        (seen.refusal(), seen.calls)
    };
    let (stale, expired) = tokio::join!(
        ask_late(SignOptions::new(), options().max_time_diff(second)),
        ask_late(SignOptions::new().expires_in(second), options()),
    );
    assert_eq!(
        [stale, expired],
        [(Some(Kind::Stale), 0), (Some(Kind::Expired), 0)]
    );
}

/// A guard that answers when it is let.
struct Gate(Arc<Semaphore>);

impl ReplayGuard for Gate {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        let gate = Arc::clone(&self.0);
        UseOnce::pending(async move {
            gate.acquire()
                .await
                .map(SemaphorePermit::forget)
                .map_err(AuthError::replay_guard_unavailable)
        })
    }
}

async fn assert_waits_for(gate: &Semaphore, layer: &impl Host) {
    for kind in [None, Some(Kind::ReplayGuardUnavailable)] {
        let handler = Handler::default();
        let calls = Arc::clone(&handler.calls);
        let mut answer = pin!(layer.layer(handler).oneshot(whole(signed(post()))));
        let first = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending() && calls.load(Ordering::Relaxed) == 0);
        if kind.is_none() {
            gate.add_permits(1);
        } else {
            gate.close();
        }
        assert_eq!(answer.await.unwrap().extensions().get().copied(), kind);
        assert_eq!(calls.load(Ordering::Relaxed), usize::from(kind.is_none()));
    }
}

#[tokio::test]
async fn the_service_waits_for_the_guard() {
    let gate = || Arc::new(Semaphore::new(0));
    let (one, other) = (gate(), gate());
    assert_waits_for(&one, &layer().replay_guard(Gate(Arc::clone(&one)))).await;
    assert_waits_for(
        &other,
        &layer().replay_guard(Gate(Arc::clone(&other))).streaming(),
    )
    .await;
}

/// Told whenever a task may go on.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls until it is ready, with a turn for the runtime after each time. Returns how many there were.
async fn turns<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> (usize, T) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    for turns in 0.. {
        if let Poll::Ready(ready) = poll(&mut Context::from_waker(&waker)) {
            return (turns, ready);
        }
        // A task that is woken in its own turn would go on before the runtime has looked at its sockets.
        assert_eq!(woken.0.load(Ordering::Relaxed), turns, "woken at once");
        tokio::task::yield_now().await;
        assert_eq!(woken.0.load(Ordering::Relaxed), turns + 1, "never woken");
    }
    unreachable!("there is no last turn")
}

/// Hyper hands over frames of up to this size.
const LARGE: usize = 480 * 1024;

fn large() -> TestRequest {
    signed(post().map(|_| vec![b'x'; LARGE]))
}

#[tokio::test]
async fn others_have_their_turn_after_each_64_kib() {
    for frame in [LARGE, 100_000, 1024] {
        let mut answer = pin!(
            layer()
                .layer(Handler::default())
                .oneshot(chunked(large(), frame))
        );
        let (buffered, response) = turns(|cx| answer.as_mut().poll(cx)).await;
        assert_eq!((buffered, response.unwrap().body().len()), (7, LARGE));

        let (mut body, _) = open(&layer().streaming(), chunked(large(), frame)).await;
        let (mut streamed, mut len) = (0, 0);
        loop {
            let (some, piece) = turns(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            streamed += some;
            let Some(piece) = piece else { break };
            let piece = piece.unwrap().into_data().unwrap();
            assert!(piece.len() <= 64 * 1024);
            len += piece.len();
            assert!(
                len <= (streamed + 1) * 64 * 1024,
                "{len} bytes in {} turns",
                streamed + 1
            );
        }
        assert_eq!((streamed, len), (7, LARGE));
    }
}

/// Waiting for the peer is a turn for others as well.
#[tokio::test]
async fn a_slow_body_is_not_slowed_down_further() {
    let chunk = || Step::Data(Bytes::from(vec![b'x'; LARGE / 10]));
    let steps: Vec<Step> = (0..10).flat_map(|_| [chunk(), Step::Wait]).collect();
    let mut answer = pin!(
        layer()
            .layer(Handler::default())
            .oneshot(with_body(large(), steps))
    );
    let mut turns = 0;
    while answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
    {
        turns += 1;
    }
    assert_eq!(turns, 10);
}

/// Takes out of a service in streaming mode what it gets.
async fn open<B>(layer: &ValidateStreamLayer, request: Request<B>) -> (StreamedBody<B>, Upload)
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
fn read<B>(body: &mut StreamedBody<B>) -> Poll<Option<Result<Bytes, Kind>>>
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

#[tokio::test]
async fn pieces_are_handed_on_at_once_except_the_last() {
    let (first, second, third) = (r#"{"month""#, ":11,", r#""site":"a"}"#);
    let steps = [
        data(first),
        data(second),
        Step::Wait,
        data(third),
        Step::Wait,
    ];
    let (mut body, upload) = open(&layer().streaming(), with_body(signed(post()), steps)).await;
    let piece = |text: &'static str| Poll::Ready(Some(Ok(Bytes::from(text))));
    assert_eq!(read(&mut body), piece(first));
    assert!(read(&mut body).is_pending(), "what follows is not known");
    assert_eq!(read(&mut body), piece(second));
    assert!(read(&mut body).is_pending(), "the end is not known");
    assert_eq!(
        (upload.consumer(), upload.validated().is_some()),
        (DEFAULT_SECRET_NAME, false)
    );
    assert!(!body.is_end_stream());
    assert_eq!(read(&mut body), piece(third));
    assert_eq!(
        upload.clone().validated().map(Validated::created),
        Some(NOW)
    );
    assert!(body.is_end_stream());
    assert_eq!(
        [read(&mut body), read(&mut body)],
        [Poll::Ready(None), Poll::Ready(None)]
    );
}

/// Not even one that stops when all that was announced has come.
#[tokio::test]
async fn no_reader_gets_all_of_a_forged_body_or_a_clean_end() {
    for (kind, layer, request) in bad_bodies() {
        let (mut body, upload) = open(&layer.streaming(), request()).await;
        let mut len = 0;
        let error = loop {
            match read(&mut body) {
                Poll::Ready(Some(Ok(piece))) => len += piece.len(),
                Poll::Ready(Some(Err(error))) => break error,
                other => panic!("{other:?} instead of {kind:?}"),
            }
        };
        assert_eq!(error, kind);
        assert!(
            len < usize::try_from(LEN).unwrap() - 1,
            "{kind:?} after {len} bytes"
        );
        for _ in 0..2 {
            assert_eq!(read(&mut body), Poll::Ready(Some(Err(kind))), "for ever");
        }
        assert!(!body.is_end_stream() && upload.validated().is_none());
    }
}

#[tokio::test]
async fn what_is_not_covered_is_never_handed_on() {
    let (mut body, _) = open(&layer().streaming(), chunked(uncovered(), 1)).await;
    assert_eq!(
        read(&mut body),
        Poll::Ready(Some(Err(Kind::BodyNotCovered)))
    );
}

/// What is announced by `Content-Length` alone is not covered either, and no service has to find out.
#[tokio::test]
async fn a_declared_body_that_is_not_covered_is_refused_unread() {
    for seen in ask_both(&layer(), || declared(whole(uncovered()), LEN)).await {
        assert_eq!(
            (seen.refusal(), seen.calls, seen.polls),
            (Some(Kind::BodyNotCovered), 0, 0)
        );
    }
}

#[tokio::test]
async fn an_empty_body_is_proven_before_the_service_is_called() {
    let (mut body, upload) = open(&layer().streaming(), whole(signed(get()))).await;
    assert!(upload.validated().is_some() && body.is_end_stream());
    assert_eq!(
        (body.size_hint().exact(), read(&mut body)),
        (Some(0), Poll::Ready(None))
    );
    // What is announced has to come.
    let cover_digest = sign_options().cover(http::HeaderName::from_static("content-digest"));
    let (_, upload) = open(
        &layer().streaming(),
        whole(signed_with(get(), &cover_digest)),
    )
    .await;
    assert!(upload.validated().is_some());
    let (_, upload) = open(
        &layer().streaming(),
        declared(whole(signed_with(get(), &cover_digest)), 1),
    )
    .await;
    assert!(upload.validated().is_none());
}

#[tokio::test]
async fn the_size_is_exact_at_every_moment() {
    let (mut body, _) = open(
        &layer().streaming(),
        large().map(|body| Full::new(Bytes::from(body))),
    )
    .await;
    let mut rest = LARGE as u64;
    while rest > 0 {
        assert_eq!(
            (body.size_hint().exact(), body.is_end_stream()),
            (Some(rest), false)
        );
        match read(&mut body) {
            Poll::Ready(Some(Ok(piece))) => rest -= piece.len() as u64,
            Poll::Ready(other) => panic!("{other:?}"),
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(0), true)
    );
}

async fn hello(Extension(validated): Extension<Validated>, body: String) -> String {
    format!("{} {body}", validated.consumer())
}

async fn hello_upload(Extension(upload): Extension<Upload>, body: String) -> String {
    format!(
        "{} {body}",
        upload.validated().expect("the body has ended").consumer()
    )
}

async fn pass(request: axum::extract::Request, next: middleware::Next) -> axum::response::Response {
    next.run(request).await
}

/// The status and the text, and why it was refused.
async fn ask_axum(
    app: Router,
    request: Request<impl Into<axum::body::Body>>,
) -> (u16, String, Option<Kind>) {
    let response = app.oneshot(request.map(Into::into)).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    (parts.status.as_u16(), text, parts.extensions.get().copied())
}

#[tokio::test]
async fn axum_takes_the_layers_wherever_layers_go() {
    let app = || Router::new().route("/orders", routing::post(hello));
    let uploads = || Router::new().route("/orders", routing::post(hello_upload));
    let stack = ServiceBuilder::new()
        .layer(middleware::from_fn(pass))
        .layer(layer())
        .layer(middleware::from_fn(pass));
    let own_body = MapRequestBodyLayer::new(axum::body::Body::new);
    let upload_stack = ServiceBuilder::new()
        .layer(middleware::from_fn(pass))
        .layer(layer().streaming());
    let upload_stack = upload_stack
        .layer(own_body)
        .layer(middleware::from_fn(pass));
    for app in [
        app().layer(layer()),
        Router::new().route("/orders", routing::post(hello).layer(layer())),
        app().layer(stack.clone()),
        Router::new().route("/orders", routing::post(hello).layer(stack)),
        uploads().layer(layer().streaming()),
        Router::new().route(
            "/orders",
            routing::post(hello_upload).layer(layer().streaming()),
        ),
        uploads().layer(upload_stack),
    ] {
        let expected = format!(r#"{DEFAULT_SECRET_NAME} {{"month":11,"site":"a"}}"#);
        assert_eq!(
            ask_axum(app.clone(), signed(post())).await,
            (200, expected, None)
        );
        let refused = (
            401,
            r#"{"error":"Invalid authentication token"}"#.to_owned(),
            Some(Kind::WrongDigest),
        );
        assert_eq!(
            ask_axum(app, signed(post()).map(|_| "forged")).await,
            refused
        );
    }
}

#[tokio::test]
async fn a_limit_outside_of_the_layer_is_told_as_such() {
    let buffered = Router::new()
        .route("/orders", routing::post(hello))
        .layer(layer());
    let streamed = Router::new()
        .route("/orders", routing::post(hello_upload))
        .layer(layer().streaming());
    for app in [buffered, streamed] {
        let limited = |len| app.clone().layer(RequestBodyLimitLayer::new(len));
        let request = || chunked(signed(post()), 4).map(axum::body::Body::new);
        assert_eq!(ask_axum(limited(23), request()).await.0, 200);
        let refused = (
            413,
            r#"{"error":"Payload too large"}"#.to_owned(),
            Some(Kind::BodyTooLarge),
        );
        assert_eq!(ask_axum(limited(22), request()).await, refused);
    }
}

#[tokio::test]
async fn a_router_that_cuts_the_path_has_to_tell_it() {
    let reason = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&reason);
    let layer = layer().map_refusal(move |response, error, _| {
        *told.lock().unwrap() = error.to_string();
        response
    });
    let orders = || Router::new().route("/orders", routing::post(hello));
    let nested =
        |inside: &ValidateAuthLayer| Router::new().nest("/api", orders().layer(inside.clone()));
    let to = |path: &str| {
        let mut request = post();
        *request.uri_mut() = format!("https://host.example{path}").parse().unwrap();
        request
    };
    let outside = Router::new().nest("/api", orders()).layer(layer.clone());
    assert_eq!(ask_axum(outside, signed(to("/api/orders"))).await.0, 200);

    assert_eq!(
        ask_axum(nested(&layer), signed(to("/api/orders"))).await.2,
        Some(Kind::WrongMac)
    );
    let hint = mem::take(&mut *reason.lock().unwrap());
    assert!(
        hint.contains(
            "seen here: POST host.example /orders; if a router has cut the path, set `original_uri`"
        ),
        "{hint}"
    );

    let layer = layer.original_uri(|extensions| Some(&extensions.get::<OriginalUri>()?.0));
    assert_eq!(
        ask_axum(nested(&layer), signed(to("/api/orders"))).await.0,
        200
    );
    let mut for_the_cut_path = signed(to("/orders"));
    *for_the_cut_path.uri_mut() = to("/api/orders").uri().clone();
    assert_eq!(
        ask_axum(nested(&layer), for_the_cut_path).await.2,
        Some(Kind::WrongMac)
    );
    let hint = mem::take(&mut *reason.lock().unwrap());
    assert!(
        hint.contains("seen here: POST host.example /api/orders; if a proxy"),
        "{hint}"
    );
    assert_eq!(
        EVENTS.take().pop().expect("an event")["path"],
        "/api/orders"
    );
    // Where nobody has put another URI, that of the request counts.
    assert_eq!(ask(&layer, whole(signed(post()))).await.refusal(), None);
}

#[tokio::test]
async fn what_a_client_sends_is_signed() {
    let text = r#"{"month":11,"site":"a"}"#;
    let with_empty_trailers = with_body(post(), [data(text), trailers(&[])]);
    for (request, body) in [
        (whole(get()), ""),
        (chunked(post(), 4), text),
        (with_empty_trailers, text),
    ] {
        let response = sign_layer()
            .layer(layer().layer(Handler::default()))
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(
            (response.status(), &**response.body()),
            (StatusCode::CREATED, body.as_bytes())
        );
    }
}

/// For bodies that cannot be made from bytes, on both sides.
#[tokio::test]
async fn a_buffered_body_stands_for_any_other() {
    let request =
        chunked(post(), 4).map(|body| BufferedBody::new(StreamBody::new(BodyStream::new(body))));
    let response = sign_layer()
        .layer(layer().layer(Handler::default()))
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(
        (response.status(), &**response.body()),
        (StatusCode::CREATED, &**post().body())
    );

    let mut body = BufferedBody::<Script>::from(Bytes::from("text"));
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(4), false)
    );
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "text"
    );
    assert!(body.is_end_stream() && body.frame().await.is_none());
    let body = BufferedBody::new(hinted(whole(post()), 7).into_body());
    assert_eq!((body.size_hint().lower(), body.is_end_stream()), (7, false));
    assert!(BufferedBody::new(Script::default()).is_end_stream());
}

/// Tries again while the answer is 503.
#[derive(Clone)]
struct Again(usize);

impl retry::Policy<Request<Full<Bytes>>, Response<Bytes>, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<Bytes>, BoxError>,
    ) -> Option<Ready<()>> {
        self.0 = self.0.checked_sub(1)?;
        result
            .as_ref()
            .is_ok_and(|response| response.status() == 503)
            .then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn each_try_has_a_signature_of_its_own() {
    let (handler, sent) = (Handler::default(), Arc::new(Mutex::new(BTreeSet::new())));
    let (calls, noted) = (Arc::clone(&handler.calls), Arc::clone(&sent));
    let client = ServiceBuilder::new()
        .layer(retry::RetryLayer::new(Again(2)))
        .layer(sign_layer())
        .map_request(move |request: Request<Full<Bytes>>| {
            noted
                .lock()
                .unwrap()
                .insert(request.headers()["signature-input"].as_bytes().to_vec());
            request
        })
        .map_response(|mut response: Response<Bytes>| {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        })
        .layer(layer())
        .service(handler);
    let response = client
        .oneshot(post().map(|body| Full::new(Bytes::from(body))))
        .await
        .unwrap();
    // The guard of the host has accepted all three.
    assert_eq!(
        (
            response.extensions().get::<Kind>(),
            calls.load(Ordering::Relaxed)
        ),
        (None, 3)
    );
    assert_eq!(
        sent.lock().unwrap().len(),
        3,
        "the time is the same, the nonce is not"
    );
}

/// What comes instead of sending.
async fn not_sent(layer: SignRequestLayer, request: Request<Script>) -> BoxError {
    let handler = Handler::default();
    let calls = Arc::clone(&handler.calls);
    let error = layer.layer(handler).oneshot(request).await.unwrap_err();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    error
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let mut nowhere = post();
    *nowhere.uri_mut() = "/orders".parse().unwrap();
    let error = not_sent(sign_layer(), whole(nowhere)).await;
    assert!(
        matches!(error.downcast_ref(), Some(SignError::Component(_))),
        "{error:?}"
    );
    let error = not_sent(
        SignRequestLayer::new(MemorySecrets::new(), sign_options()),
        whole(post()),
    )
    .await;
    assert!(
        matches!(
            error.downcast_ref(),
            Some(SignError::Secret(SecretError::NotFound { .. }))
        ),
        "{error:?}"
    );
    let error = not_sent(
        sign_layer(),
        with_body(post(), [data("text"), Step::Fail("the file is gone")]),
    )
    .await;
    assert_eq!(error.to_string(), "the file is gone");
    let error = not_sent(
        sign_layer(),
        with_body(post(), [data("text"), trailers(&["x-site"])]),
    )
    .await;
    assert!(error.to_string().contains("trailers"), "{error}");
}

type Event = BTreeMap<&'static str, String>;

thread_local! {
    /// What was recorded on this thread: all of a test runs on one.
    static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

/// Records the events of this crate, each with its fields.
struct Recorder;

impl Recorder {
    /// For all threads and before the first event: for whom an event is of no interest is remembered for others too.
    fn install() {
        static ONCE: Once = Once::new();
        let registry = || tracing_subscriber::registry().with(Self);
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(registry()).expect("there is no other");
        });
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Recorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields(Event);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
            fn record_str(&mut self, field: &Field, value: &str) {
                self.0.insert(field.name(), value.to_owned());
            }
        }
        if event.metadata().target() == "hmac_auth" {
            let mut fields = Fields(Event::new());
            event.record(&mut fields);
            EVENTS.with_borrow_mut(|events| events.push(fields.0));
        }
    }
}

/// What no log and no `Debug` may hold of a request: its MAC, other text of its signature, its body, the secret.
fn confidential(request: &Request<Script>) -> Vec<String> {
    let signature = request
        .headers()
        .get("signature")
        .map_or("", |value| value.to_str().unwrap());
    let mac = signature.split(':').nth(1).unwrap_or(SECRET);
    vec![
        mac.to_owned(),
        SECRET.to_owned(),
        "sig1=".to_owned(),
        "month".to_owned(),
    ]
}

#[tokio::test]
async fn each_refusal_is_one_event_without_anything_confidential() {
    EVENTS.take();
    for (kind, layer, request) in [bad_heads(), refused_by_guards(), bad_bodies()]
        .into_iter()
        .flatten()
    {
        let (buffered, streamed) = (request(), request());
        let path = buffered.uri().path().to_owned();
        let confidential = [confidential(&buffered), confidential(&streamed)].concat();
        ask(&layer, buffered).await;
        ask(&layer.streaming(), streamed).await;
        let events = EVENTS.take();
        assert_eq!(events.len(), 2, "one for each mode: {events:?}");
        for event in events {
            let fields: Vec<&str> = event.keys().copied().collect();
            assert_eq!(
                fields,
                ["authority", "kind", "message", "path", "reason"],
                "no key id was sent"
            );
            assert_eq!(
                [&event["kind"], &event["authority"], &event["path"]],
                [kind.as_str(), "host.example", &path]
            );
            assert!(
                event["reason"].starts_with(&AuthError::from(kind).to_string()),
                "{event:?}"
            );
            let text = format!("{event:?}");
            assert!(confidential.iter().all(|one| !text.contains(one)), "{text}");
        }
    }
}

#[tokio::test]
async fn what_is_accepted_is_no_event() {
    EVENTS.take();
    for seen in ask_both(&layer(), || whole(signed(post()))).await {
        assert_eq!(seen.refusal(), None);
    }
    open(&layer().streaming(), whole(signed(post()))).await;
    assert_eq!(EVENTS.take(), []);
}

/// That of the refusal of this request.
async fn event_of(request: TestRequest) -> Event {
    let layer = host(secrets(), ValidateOptions::new().at(time(NOW)));
    assert!(ask(&layer, whole(request)).await.refusal().is_some());
    EVENTS.take().pop().expect("an event")
}

/// Nothing of a peer acts on the terminal or fills the log.
#[track_caller]
fn assert_tame(event: &Event) {
    for (field, text) in event {
        assert!(
            text.chars().all(|c| matches!(c, ' '..='~' | '…')),
            "{field}: {text:?}"
        );
        assert!(
            text.chars().count() < 900,
            "{field} has {} characters",
            text.chars().count()
        );
    }
}

#[tokio::test]
async fn what_peers_write_is_escaped_and_cut_in_events() {
    let to = |uri: &str| {
        let mut request = post();
        *request.uri_mut() = uri.parse().unwrap();
        with_signature(request, "sig1", INPUT, &[0; 32])
    };
    let with_host = |host: &[u8]| {
        let mut request = to("/orders");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_bytes(host).unwrap());
        request
    };
    let with_key_id = |key_id: &str| {
        with_signature(
            post(),
            "sig1",
            &format!(r#"{INPUT};keyid="{key_id}""#),
            &[0; 32],
        )
    };
    let long = "x".repeat(7_000);

    let event = event_of(with_key_id(r#"a\"\\e[31m"#)).await;
    assert_eq!(
        [&event["key_id"], &event["kind"]],
        [r#"a"\e[31m"#, "wrong_mac"]
    );
    assert_eq!(
        event_of(to("https://host.example/\u{9b}31m\u{202e}")).await["path"],
        r"/\u{9b}31m\u{202e}"
    );
    assert_eq!(
        event_of(with_host("h\u{9b}31m".as_bytes())).await["authority"],
        r"h\u{9b}31m"
    );
    for (field, request) in [
        ("path", to(&format!("https://host.example/{long}{long}"))),
        (
            "path",
            to(&format!(
                "https://host.example/{}",
                "\u{10fffd}".repeat(10_000)
            )),
        ),
        ("authority", with_host(long.repeat(2).as_bytes())),
        ("key_id", with_key_id(&long)),
    ] {
        let event = event_of(request).await;
        assert!(event[field].ends_with('…'), "{event:?}");
        assert_tame(&event);
    }
    // What is not text is not shown at all.
    let mut no_text = with_key_id("a");
    let input = [b"sig1=", INPUT.as_bytes(), b";keyid=\"\xc2\x9b31m\""].concat();
    no_text
        .headers_mut()
        .insert("signature-input", HeaderValue::from_bytes(&input).unwrap());
    assert_tame(&event_of(no_text).await);
    assert_tame(&event_of(with_host(b"host\xff\xfe")).await);
}

/// A method is the text of a peer like any other.
#[tokio::test]
async fn a_long_method_is_cut_in_events() {
    let mut request = with_signature(post(), "sig1", INPUT, &[0; 32]);
    *request.method_mut() = Method::from_bytes(&[b'X'; 10_000]).unwrap();
    assert_tame(&event_of(request).await);
}

#[tokio::test]
async fn debug_shows_neither_secret_nor_mac_nor_body() {
    let request = whole(signed(post()));
    let (confidential, again) = (confidential(&request), whole(signed(post())));
    let (auth, stream, sign) = (layer(), layer().streaming(), sign_layer());
    let mut services = (
        auth.layer(Handler::default()),
        stream.layer(Handler::default()),
        sign.layer(Handler::default()),
    );
    let mut texts = vec![format!("{auth:?} {stream:?} {sign:?} {services:?}")];
    for ready in [
        poll_ready(&mut services.0),
        poll_ready(&mut services.1),
        poll_ready(&mut services.2),
    ] {
        assert!(ready);
    }
    let sent = services.2.call(whole(post()));
    texts.push(format!(
        "{:?} {:?} {sent:?}",
        services.0.call(again),
        services.1.call(whole(post()))
    ));
    let (mut body, upload) = open(&stream, request).await;
    texts.push(format!("{body:?} {upload:?}"));
    assert!(read(&mut body).is_ready() && upload.validated().is_some());
    texts.push(format!("{body:?} {upload:?}"));
    let full = Bytes::from("month");
    texts.push(format!(
        "{:?} {:?}",
        BufferedBody::<Script>::from(full.clone()),
        BufferedBody::new(Full::new(full))
    ));
    texts.push(format!("{:?}", UseOnce::ready(Ok(()))));
    for text in texts {
        assert!(confidential.iter().all(|one| !text.contains(one)), "{text}");
    }
}

fn poll_ready(service: &mut impl Service<Request<Script>>) -> bool {
    service
        .poll_ready(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

#[test]
fn what_servers_move_between_threads_can_be_moved() {
    fn moved<T: Send>() {}
    fn shared<T: Send + Sync + Clone + fmt::Debug + 'static>() {}
    shared::<(ValidateAuthLayer, ValidateStreamLayer, SignRequestLayer)>();
    shared::<(
        ValidateAuth<Handler>,
        ValidateStream<Handler>,
        SignRequest<Handler>,
    )>();
    shared::<Upload>();
    moved::<(
        ValidateAuthFuture<Handler, Script>,
        ValidateStreamFuture<Handler, Script>,
    )>();
    moved::<(SignRequestFuture<Handler, Script>, UseOnce)>();
    moved::<(StreamedBody<Script>, BufferedBody<Script>)>();
}

/// A service whose response is there at once.
#[derive(Clone)]
struct AtOnce {
    succeeds: bool,
}

impl<B> Service<Request<B>> for AtOnce {
    type Response = Response<Bytes>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Bytes>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(if self.succeeds {
            Ok(Response::default())
        } else {
            Err("no database".into())
        })
    }
}

/// The end of the first future that a service makes, and the panic when it is polled once more.
async fn polled_again<E: fmt::Display>(
    mut service: impl Service<Request<Script>, Response = Response<Bytes>, Error = E>,
    request: Request<Script>,
) -> (Result<Option<Kind>, String>, String) {
    let mut future = Box::pin(service.ready().await.ok().expect("ready").call(request));
    let end = match future.as_mut().await {
        Ok(response) => Ok(response.extensions().get().copied()),
        Err(error) => Err(error.to_string()),
    };
    let again = panic::catch_unwind(AssertUnwindSafe(|| {
        let _ = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
    }));
    let payload = again.expect_err("it panics");
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    };
    (end, message)
}

const POLLED_AGAIN: &str = "a future must not be polled again after it was ready";

#[tokio::test]
async fn a_future_of_a_host_panics_when_it_is_polled_after_its_end() {
    let good = || whole(signed(post()));
    let (head, body) = (Kind::WrongMac, Kind::WrongDigest);
    let (answers, fails) = (AtOnce { succeeds: true }, AtOnce { succeeds: false });
    let no_guard = || layer().without_replay_guard();
    let down = || layer().replay_guard(Down);
    let forged = || with_body(signed(post()), [data("forged")]);
    let error = Err("no database".to_owned());
    let cases = [
        (no_guard(), &answers, good(), Ok(None)),
        (no_guard(), &fails, good(), error),
        (
            no_guard(),
            &answers,
            whole(with_wrong_mac()),
            Ok(Some(head)),
        ),
        (no_guard(), &answers, forged(), Ok(Some(body))),
        (
            down(),
            &answers,
            good(),
            Ok(Some(Kind::ReplayGuardUnavailable)),
        ),
    ];
    for (layer, service, request, end) in cases {
        let found = polled_again(layer.layer(service.clone()), request).await;
        assert_eq!(found, (end, POLLED_AGAIN.to_owned()));
    }
    let cases = [
        (no_guard(), &answers, good(), Ok(None)),
        (no_guard(), &fails, good(), Err("no database".to_owned())),
        (
            no_guard(),
            &answers,
            whole(with_wrong_mac()),
            Ok(Some(head)),
        ),
        (
            down(),
            &answers,
            good(),
            Ok(Some(Kind::ReplayGuardUnavailable)),
        ),
    ];
    for (layer, service, request, end) in cases {
        let found = polled_again(layer.streaming().layer(service.clone()), request).await;
        assert_eq!(found, (end, POLLED_AGAIN.to_owned()));
    }
    // The refusal comes after the service has answered.
    let found = polled_again(no_guard().streaming().layer(Handler::default()), forged()).await;
    assert_eq!(found, (Ok(Some(body)), POLLED_AGAIN.to_owned()));
}

#[tokio::test]
async fn a_future_of_a_client_panics_when_it_is_polled_after_its_end() {
    let (answers, fails) = (AtOnce { succeeds: true }, AtOnce { succeeds: false });
    let no_secret = SignRequestLayer::new(MemorySecrets::new(), sign_options());
    let cases = [
        (sign_layer(), &answers, whole(post()), None),
        (sign_layer(), &fails, whole(post()), Some("no database")),
        (no_secret, &answers, whole(post()), Some("secret")),
        (
            sign_layer(),
            &answers,
            with_body(post(), [Step::Fail("gone")]),
            Some("gone"),
        ),
        (
            sign_layer(),
            &answers,
            with_body(post(), [trailers(&["x-site"])]),
            Some("trailers"),
        ),
    ];
    for (layer, service, request, reason) in cases {
        let (end, message) = polled_again(layer.layer(service.clone()), request).await;
        match (end, reason) {
            (Ok(None), None) => {}
            (Err(error), Some(reason)) => assert!(error.contains(reason), "{error}"),
            (end, _) => panic!("{end:?} instead of {reason:?}"),
        }
        assert_eq!(message, POLLED_AGAIN);
    }
}
