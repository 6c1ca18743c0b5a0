//! Streamed bodies: no reader gets all of a forged body.

use std::{panic, task::Poll};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind as Kind, DEFAULT_SECRET_NAME, Validated};
use http_body::Body;
use http_body_util::Full;

use crate::support::{
    cases::bad_bodies,
    layers::{
        LARGE, LEN, Step, ask_both, chunked, data, declared, expecting, large, layer, open, read,
        uncovered, whole, with_body,
    },
    request::{NOW, get, post, sign_options, signed, signed_with},
};

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

/// What is announced by `Content-Length` alone is not covered either, and no service has to find
/// out.
#[tokio::test]
async fn a_declared_body_that_is_not_covered_is_refused_unread() {
    for seen in ask_both(&layer(), || expecting(declared(whole(uncovered()), LEN))).await {
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
