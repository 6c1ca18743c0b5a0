//! What a handler gets of a body: the verified bytes as they were sent.

use actix_web::{App, HttpRequest, test::read_body, web};
use hmac_auth::{AuthErrorKind as Kind, Validated};
use http::Request;

use crate::support::{
    actix::{ask, head_of, middleware},
    layers::{LARGE, LEN, Script, Step, chunked, data, declared, large, whole, with_body},
    request::{TestRequest, post, signed, with_header},
};

/// `{"month":11,"site":"a"}`, as `gzip -n` writes it.
const GZIPPED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\xca\xcd\xcf\x2b\xc9\x50\
\xb2\x32\x34\xd4\x51\x2a\xce\x2c\x49\x55\xb2\x52\x4a\x54\xaa\x05\x00\x41\xe8\xf4\xf7\x17\x00\x00\
\x00";

fn gzipped() -> TestRequest {
    let request = with_header(post(), "content-encoding", "gzip");
    signed(request.map(|_| GZIPPED.to_vec()))
}

async fn decoded(_: Validated, body: web::Bytes) -> web::Bytes {
    body
}

async fn json(_: Validated, body: web::Json<serde_json::Value>) -> String {
    body.to_string()
}

async fn raw(_: Validated, request: HttpRequest, body: web::Payload) -> web::Bytes {
    assert_eq!(request.headers().get("content-encoding").unwrap(), "gzip");
    body.to_bytes().await.unwrap()
}

/// The digest is that of the encoded bytes. The extractors of actix decode them afterwards.
#[tokio::test]
async fn an_encoded_body_is_verified_as_sent_and_decoded_by_the_handler() {
    for (route, expected) in [
        (web::post().to(decoded), post().into_body()),
        (web::post().to(json), post().into_body()),
        (web::post().to(raw), GZIPPED.to_vec()),
    ] {
        let app = App::new().route("/orders", route).wrap(middleware());
        let app = actix_web::test::init_service(app).await;
        let request = gzipped();
        let made = head_of(&request).set_payload(request.into_body());
        let response = made.send_request(&app).await;
        assert_eq!(response.status(), 200);
        assert_eq!(read_body(response).await, expected);
    }
}

#[tokio::test]
async fn what_says_how_to_read_a_body_must_be_signed() {
    // Of the decoded bytes.
    let mut wrong = gzipped();
    let digest = signed(post()).headers()["content-digest"].clone();
    wrong.headers_mut().insert("content-digest", digest);
    // Added on the way.
    let added = with_header(signed(post()), "content-encoding", "gzip");
    for (request, kind) in [(wrong, Kind::WrongMac), (added, Kind::NotCovered)] {
        let seen = ask(&middleware(), whole(request)).await;
        assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
    }
}

#[tokio::test]
async fn the_limit_is_exact_to_the_byte() {
    for (limit, is_enough) in [(LEN - 1, false), (LEN, true), (LEN + 1, true)] {
        for frame in [1, 4, 23] {
            let validate = middleware().max_body_len(limit);
            let request = || chunked(signed(post()), frame);
            for request in [request(), declared(request(), LEN)] {
                let is_declared = request.headers().contains_key("content-length");
                let seen = ask(&validate, request).await;
                let refusal = (!is_enough).then_some(Kind::BodyTooLarge);
                assert_eq!(seen.refusal(), refusal, "{limit} {frame}");
                if !is_enough && is_declared {
                    assert_eq!(seen.polls, 0);
                }
            }
        }
    }
}

#[tokio::test]
async fn no_body_is_read_beyond_its_content_length() {
    let endless = with_body(signed(post()), [(); 100].map(|()| data("x")));
    let seen = ask(&middleware(), declared(endless, LEN)).await;
    assert_eq!(
        (seen.refusal(), seen.polls as u64),
        (Some(Kind::WrongContentLength), LEN + 1)
    );
}

/// A worker of actix has one thread: hashing must not keep it from its other connections.
#[tokio::test]
async fn others_have_their_turn_while_a_large_body_is_hashed() {
    let turns = std::rc::Rc::new(std::cell::Cell::new(0));
    let local = tokio::task::LocalSet::new();
    let counted = turns.clone();
    local.spawn_local(async move {
        loop {
            counted.set(counted.get() + 1);
            tokio::task::yield_now().await;
        }
    });
    let request: Request<Script> = chunked(large(), LARGE);
    // The extractor of the handler has a limit of its own.
    let seen = local.run_until(ask(&middleware(), request)).await;
    assert_eq!((seen.refusal(), seen.calls), (None, 1));
    assert!(turns.get() >= 7, "{}", turns.get());
}

#[tokio::test]
async fn an_error_of_the_payload_is_an_incomplete_body() {
    let broken = with_body(signed(post()), [data(r#"{"month""#), Step::Fail("gone")]);
    let seen = ask(&middleware(), broken).await;
    assert_eq!(seen.refusal(), Some(Kind::BodyUnreadable));
    assert_eq!(seen.response.status(), 400);
}
