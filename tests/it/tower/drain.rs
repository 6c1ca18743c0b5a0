//! The rest of a refused body, in process: how many are read at once, and where none is.

use std::{
    future::Future,
    mem,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_executor::block_on;
use hmac_auth::{AuthErrorKind as Kind, tower::ValidateAuthLayer};
use http::{Request, Version};
use http_body::Body;
use tower::{Layer, ServiceExt};

use crate::support::{
    cases::bad_heads,
    layers::{
        BoxError, Handler, LARGE, Step, ask, ask_both, chunked, expecting, large, layer, trailers,
        whole, with_body, with_wrong_mac,
    },
    request::post,
};

/// A body that does not come, and counts how often it is asked.
#[derive(Default)]
struct Silent {
    polls: Arc<AtomicUsize>,
    /// Whether a frame without bytes comes first.
    begins: bool,
}

impl From<Bytes> for Silent {
    fn from(_: Bytes) -> Self {
        Self::default()
    }
}

impl Body for Silent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        if mem::take(&mut self.begins) {
            Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::new()))))
        } else {
            Poll::Pending
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = u16>>>;

/// The answer to a refused request whose body never comes.
fn silent(layer: &ValidateAuthLayer, edit: fn(&mut Request<Silent>)) -> (Answer, Arc<AtomicUsize>) {
    let polls = Arc::<AtomicUsize>::default();
    let mut request = post().map(|_| Silent {
        polls: Arc::clone(&polls),
        begins: false,
    });
    edit(&mut request);
    let answer = layer.layer(Handler::default()).oneshot(request);
    let answer = Box::pin(async { answer.await.unwrap().status().as_u16() });
    (answer, polls)
}

fn is_pending(answer: &mut Answer) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    answer.as_mut().poll(&mut cx).is_pending()
}

#[tokio::test]
async fn a_layer_reads_64_refused_bodies_at_once() {
    let (layer, other) = (layer(), layer());
    let streaming = layer.clone().streaming();
    let mut waiting: Vec<Answer> = (0..64).map(|_| silent(&layer, |_| ()).0).collect();
    assert!(waiting.iter_mut().all(is_pending));
    // One more is answered at once, in either mode.
    let (mut more, polls) = silent(&layer, |_| ());
    assert!(!is_pending(&mut more));
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    let response = ask(&streaming, whole(post())).await.response;
    assert_eq!(response.headers()["connection"], "close");
    // Another layer has its own places.
    assert!(is_pending(&mut silent(&other, |_| ()).0));
    // A client that goes away makes room.
    waiting.pop();
    assert!(is_pending(&mut silent(&layer, |_| ()).0));
    assert!(
        !ask(&streaming, whole(post()))
            .await
            .response
            .headers()
            .contains_key("connection")
    );
}

#[tokio::test]
async fn a_peer_that_waits_is_not_waited_for() {
    let unread: [fn(&mut Request<Silent>); 3] = [
        |request| *request.version_mut() = Version::HTTP_2,
        |request| *request.version_mut() = Version::HTTP_3,
        |request| {
            let value = http::HeaderValue::from_static("100-continue");
            request.headers_mut().insert("expect", value);
        },
    ];
    for edit in unread {
        let (mut answer, polls) = silent(&layer(), edit);
        assert!(!is_pending(&mut answer));
        assert_eq!(polls.load(Ordering::Relaxed), 0);
    }
}

/// Only in HTTP/1 is there a field that ends the connection.
#[tokio::test]
async fn no_field_closes_a_connection_of_http_2() {
    for (version, closes) in [
        (Version::HTTP_10, true),
        (Version::HTTP_11, true),
        (Version::HTTP_2, false),
        (Version::HTTP_3, false),
    ] {
        let request = || {
            let mut request = expecting(whole(with_wrong_mac()));
            *request.version_mut() = version;
            request
        };
        for seen in ask_both(&layer(), request).await {
            let headers = seen.response.headers();
            assert_eq!(headers.contains_key("connection"), closes, "{version:?}");
        }
    }
}

/// Without a runtime, no connection could be closed, and nobody counts the time.
#[test]
fn outside_of_a_runtime_nothing_is_read() {
    let (answer, polls) = silent(&layer(), |_| ());
    assert_eq!((block_on(answer), polls.load(Ordering::Relaxed)), (401, 0));
    let (_, layer, request) = bad_heads().swap_remove(2);
    for seen in block_on(ask_both(&layer, request)) {
        assert_eq!((seen.refusal(), seen.polls), (Some(Kind::WrongMac), 0));
    }
}

/// Tokio's own timer panics in such a runtime. A frame without bytes is no first byte, for which a
/// peer would be waited for longer.
#[test]
fn a_runtime_needs_no_timer() {
    let edits: [fn(&mut Request<Silent>); 2] = [|_| (), |request| request.body_mut().begins = true];
    for edit in edits {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let (answer, polls) = silent(&layer(), edit);
        let began = std::time::Instant::now();
        assert_eq!(runtime.unwrap().block_on(answer), 401);
        assert!(began.elapsed().as_millis() < 1_500 && polls.load(Ordering::Relaxed) > 0);
    }
}

/// Neither an end, nor an error, nor trailers of the rest changes the answer.
#[tokio::test]
async fn the_rest_of_a_body_changes_no_refusal() {
    let rest: [fn() -> Vec<Step>; 4] = [
        Vec::new,
        || vec![Step::Wait, Step::Fail("gone")],
        || vec![Step::Wait, Step::Data(Bytes::from(vec![7; 100]))],
        || vec![trailers(&["x-site"])],
    ];
    for rest in rest {
        for seen in ask_both(&layer(), || with_body(with_wrong_mac(), rest())).await {
            assert_eq!((seen.refusal(), seen.calls), (Some(Kind::WrongMac), 0));
            assert_eq!(seen.response.status(), 401);
        }
    }
}

#[tokio::test]
async fn others_have_their_turn_after_each_64_kib_that_are_dropped() {
    for frame in [LARGE, 100_000, 1024, 1] {
        let mut request = large();
        request
            .body_mut()
            .truncate(if frame == 1 { 10_000 } else { LARGE });
        request.headers_mut().remove("signature");
        let body = chunked(request, frame);
        let mut answer = pin!(layer().layer(Handler::default()).oneshot(body));
        let mut turns = 0;
        while answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            tokio::task::yield_now().await;
            turns += 1;
        }
        let expected = match frame {
            LARGE => 1,
            100_000 => 5,
            1024 => 7,
            _ => 39,
        };
        assert_eq!(turns, expected, "{frame}");
    }
}

#[tokio::test]
async fn after_expect_an_unread_body_closes_the_connection() {
    for seen in ask_both(&layer(), || expecting(whole(with_wrong_mac()))).await {
        assert_eq!((seen.refusal(), seen.polls), (Some(Kind::WrongMac), 0));
        assert_eq!(seen.response.headers()["connection"], "close");
    }
    for seen in ask_both(&layer(), || expecting(with_body(with_wrong_mac(), []))).await {
        assert!(!seen.response.headers().contains_key("connection"));
    }
}
