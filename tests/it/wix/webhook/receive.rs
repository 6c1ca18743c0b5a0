//! The endpoint: what it answers, and when.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::mpsc as std_mpsc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use futures_executor::block_on;
use hmac_auth::{
    tower::BufferedBody,
    wix::{
        DEFAULT_WEBHOOK_TIMEOUT, MAX_WEBHOOK_LEN, NotQueued, ReceiveWebhooks,
        WebhookErrorKind as Kind,
    },
};
use http::{
    Request, Response, StatusCode, Version,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::support::webhook::{envelope, options, vector, webhook};

pub(crate) type Answer = Response<BufferedBody<Body>>;

pub(crate) fn post(receiver: &ReceiveWebhooks, body: impl Into<Body>) -> Answer {
    call(
        receiver,
        Request::post("/webhook").body(body.into()).unwrap(),
    )
}

fn call(receiver: &ReceiveWebhooks, request: Request<Body>) -> Answer {
    block_on(receiver.clone().oneshot(request)).unwrap()
}

/// `None` if accepted.
pub(crate) fn kind(answer: &Answer) -> Option<Kind> {
    let kind = answer.extensions().get().copied();
    assert_eq!(kind.is_none(), answer.status() == StatusCode::OK);
    kind
}

fn text(answer: Answer) -> String {
    let body = block_on(answer.into_body().collect()).unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn installed() -> String {
    webhook(&envelope("AppInstalled", "{}"))
}

fn accepting() -> ReceiveWebhooks {
    ReceiveWebhooks::new(options(), |_| Ok(()))
}

#[test]
fn the_event_goes_to_the_channel_before_the_answer() {
    let (sender, mut receiver) = mpsc::channel(1);
    let webhooks = ReceiveWebhooks::new(options(), sender);
    let answer = post(&webhooks, vector("domain event").0);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    let event = receiver.try_recv().unwrap();
    assert_eq!(event.event_type(), "wix.ecom.v1.order_created");
    assert_eq!(text(answer), "");
}

#[test]
fn a_full_and_a_closed_channel_answer_503() {
    let (tokio_sender, tokio_receiver) = mpsc::channel(1);
    let (std_sender, std_receiver) = std_mpsc::sync_channel(1);
    for webhooks in [
        ReceiveWebhooks::new(options(), tokio_sender),
        ReceiveWebhooks::new(options(), std_sender),
    ] {
        assert_eq!(kind(&post(&webhooks, installed())), None);
        let answer = post(&webhooks, vector("domain event").0);
        assert_eq!(kind(&answer), Some(Kind::QueueFull));
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "5");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(text(answer), r#"{"error":"Webhooks unavailable"}"#);
        // What the channel has taken before is a repeat, though the channel is full.
        assert_eq!(kind(&post(&webhooks, installed())), None);
    }
    drop((tokio_receiver, std_receiver));
    let (sender, receiver) = mpsc::channel(1);
    let webhooks = ReceiveWebhooks::new(options(), sender);
    drop(receiver);
    let answer = post(&webhooks, installed());
    assert_eq!(kind(&answer), Some(Kind::QueueClosed));
    assert_eq!(answer.headers()[RETRY_AFTER], "5");
    let (sender, receiver) = std_mpsc::sync_channel(1);
    drop(receiver);
    let webhooks = ReceiveWebhooks::new(options(), sender);
    let closed = post(&webhooks, installed());
    assert_eq!(kind(&closed), Some(Kind::QueueClosed));
}

#[test]
fn a_full_channel_gets_the_event_when_wix_sends_it_again() {
    let (sender, mut receiver) = mpsc::channel(1);
    let webhooks = ReceiveWebhooks::new(options(), sender);
    assert_eq!(kind(&post(&webhooks, installed())), None);
    let (next, _) = vector("domain event");
    assert_eq!(kind(&post(&webhooks, next)), Some(Kind::QueueFull));
    receiver.try_recv().unwrap();
    assert_eq!(kind(&post(&webhooks, next)), None);
    assert!(receiver.try_recv().unwrap().domain_event().is_some());
}

#[test]
fn all_that_is_not_signed_gets_one_answer() {
    let never = ReceiveWebhooks::new(options(), |_| panic!("queued"));
    let answers = [
        (vector("by another key").0, Kind::WrongSignature),
        (vector("alg none").0, Kind::AlgNone),
        (vector("HS256 with the PEM as the secret").0, Kind::AlgHmac),
        (vector("service plugin").0, Kind::ServicePlugin),
        (vector("for 41 days").0, Kind::Expired),
        (r#"{"eventType":"AppInstalled"}"#, Kind::PlainJson),
        ("", Kind::Missing),
    ]
    .map(|(body, expected)| {
        let answer = post(&never, body);
        assert_eq!(kind(&answer), Some(expected), "{body}");
        assert!(answer.headers().contains_key(WWW_AUTHENTICATE));
        let headers = format!("{:?}", answer.headers());
        (answer.status(), headers, text(answer))
    });
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
    assert!(
        answers.iter().all(|answer| answer == &answers[0]),
        "{answers:?}"
    );
}

#[test]
fn only_post_is_received() {
    for method in ["GET", "HEAD", "PUT", "OPTIONS", "post"] {
        let request = Request::builder().method(method);
        let answer = call(&accepting(), request.body(Body::from(installed())).unwrap());
        assert_eq!(kind(&answer), Some(Kind::WrongMethod), "{method}");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()[ALLOW], "POST");
    }
}

/// A body of frames that come when they are asked for, then an error or nothing more.
struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Ends,
    Breaks,
    Hangs,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(frame) = self.frames.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match self.end {
            End::Ends => Poll::Ready(None),
            End::Breaks => Poll::Ready(Some(Err(std::io::Error::other("broken")))),
            End::Hangs => Poll::Pending,
        }
    }
}

fn frames(pieces: &[&[u8]], end: End) -> Body {
    let frames = pieces.iter();
    let frames = frames.map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
    Body::new(Frames {
        frames: frames.collect(),
        end,
    })
}

#[test]
fn the_body_may_come_in_pieces() {
    let text = installed();
    let (first, second) = text.as_bytes().split_at(40);
    let body = frames(&[first, b"", second], End::Ends);
    assert_eq!(kind(&post(&accepting(), body)), None);
    let trailers = Frame::trailers([(ALLOW, "x".parse().unwrap())].into_iter().collect());
    let data = Frame::data(Bytes::copy_from_slice(text.as_bytes()));
    let body = Body::new(Frames {
        frames: [data, trailers].into(),
        end: End::Ends,
    });
    assert_eq!(kind(&post(&accepting(), body)), None);
    let broken = post(&accepting(), frames(&[first], End::Breaks));
    assert_eq!(kind(&broken), Some(Kind::BodyUnreadable));
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn no_more_than_one_mebibyte_is_read() {
    // Announced, and nothing of it is read.
    let announced = post(&accepting(), vec![b'a'; MAX_WEBHOOK_LEN + 1]);
    assert_eq!(kind(&announced), Some(Kind::TooLarge));
    assert_eq!(announced.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(announced.headers()[CONNECTION], "close");
    // Not announced: reading stops at the limit, or this never ended.
    let piece = vec![b'a'; 64 * 1024];
    let pieces = vec![&piece[..]; 17];
    let answer = post(&accepting(), frames(&pieces, End::Hangs));
    assert_eq!(kind(&answer), Some(Kind::TooLarge));
    let empty = vec![&b""[..]; MAX_WEBHOOK_LEN + 1];
    let answer = post(&accepting(), frames(&empty, End::Hangs));
    assert_eq!(kind(&answer), Some(Kind::TooLarge));
    // At the limit, the text decides.
    let longest = post(&accepting(), vec![b'a'; MAX_WEBHOOK_LEN]);
    assert_eq!(kind(&longest), Some(Kind::NotJwt));
    let mut request = Request::post("/").body(Body::from(vec![b'a'; MAX_WEBHOOK_LEN + 1]));
    *request.as_mut().unwrap().version_mut() = Version::HTTP_2;
    let answer = call(&accepting(), request.unwrap());
    assert!(!answer.headers().contains_key(CONNECTION));
}

#[tokio::test]
async fn a_slow_body_is_bounded_in_time() {
    assert_eq!(DEFAULT_WEBHOOK_TIMEOUT, Duration::from_secs(1));
    let event = installed();
    let start = Instant::now();
    let request = Request::post("/webhook")
        .body(frames(&[event.as_bytes()], End::Hangs))
        .unwrap();
    let answer = accepting().oneshot(request).await.unwrap();
    assert_eq!(kind(&answer), Some(Kind::TooSlow));
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(answer.headers()[CONNECTION], "close");
    assert_eq!(text(answer), r#"{"error":"Request timeout"}"#);
    assert!(start.elapsed() < Duration::from_millis(1250), "{start:?}");

    let quick = accepting().timeout(Duration::from_millis(20));
    let start = Instant::now();
    let request = Request::post("/webhook").body(frames(&[], End::Hangs));
    let answer = quick.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(kind(&answer), Some(Kind::TooSlow));
    assert!(start.elapsed() < Duration::from_millis(900));
}

/// The event stays in the channel for as long as its handler likes: nobody waits for that.
#[tokio::test]
async fn a_slow_handler_delays_no_answer() {
    let (sender, mut receiver) = mpsc::channel(8);
    let handler = tokio::spawn(async move {
        let event: hmac_auth::wix::WebhookEvent = receiver.recv().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        event.event_type().to_owned()
    });
    let app = axum::Router::<()>::new()
        .route_service("/webhook", ReceiveWebhooks::new(options(), sender));
    let start = Instant::now();
    let request = Request::post("/webhook").body(Body::from(installed()));
    let answer = app.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!handler.is_finished() && start.elapsed() < Duration::from_millis(250));
    assert_eq!(handler.await.unwrap(), "AppInstalled");
}

#[test]
fn it_is_a_service_that_never_fails() {
    fn check<S>(_: &S)
    where
        S: tower::Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
    }
    let webhooks = ReceiveWebhooks::new(options(), |_| Err(NotQueued::Full));
    check(&webhooks);
    assert!(format!("{webhooks:?}").contains("fingerprint"));
}
