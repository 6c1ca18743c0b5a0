//! Bodies: limits to the byte, harmless forms, and turns for other tasks.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind as Kind, tower::DEFAULT_MAX_BODY_LEN};
use http::Request;
use http_body::Body;
use tower::{Layer, ServiceExt};

use crate::support::{
    layers::{
        Handler, LARGE, LEN, Script, Step, ask_both, chunked, data, declared, hinted, large, layer,
        open, trailers, whole, with_body,
    },
    request::{get, post, signed},
};

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

/// Told whenever a task may go on.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls until it is ready, with a turn for the runtime after each time. Returns how many there
/// were.
async fn turns<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> (usize, T) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    for turns in 0.. {
        if let Poll::Ready(ready) = poll(&mut Context::from_waker(&waker)) {
            return (turns, ready);
        }
        // A task that is woken in its own turn would go on before the runtime has looked at its
        // sockets.
        assert_eq!(woken.0.load(Ordering::Relaxed), turns, "woken at once");
        tokio::task::yield_now().await;
        assert_eq!(woken.0.load(Ordering::Relaxed), turns + 1, "never woken");
    }
    unreachable!("there is no last turn")
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
