//! What happens to bodies on the way, and to the fields that say what a body means.

use hmac_auth::{
    AuthErrorKind,
    explain::{Mistake, explain},
};
use http::{
    HeaderName, HeaderValue, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::mistakes::{assert_first, explained};
use crate::support::request::{
    TestRequest, options, post, secrets, sign_options, signed, signed_with, with_header,
};

/// How a compressed body begins.
const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

#[test]
fn bodies() {
    let with_body = |body: &[u8]| {
        let mut request = signed(post());
        *request.body_mut() = body.to_vec();
        request
    };
    let json = post().into_body();
    for (body, mistake, is_proven) in [
        ([&*json, b"\n"].concat(), Mistake::BodyLineBreaks, true),
        ([&*json, b"x"].concat(), Mistake::OtherBody, false),
        (GZIP.to_vec(), Mistake::ContentCoding, false),
    ] {
        let explanation = explained(&with_body(&body));
        assert_eq!(explanation.kind(), Some(AuthErrorKind::WrongDigest));
        assert_first(&explanation, mistake, is_proven);
    }
    // curl has taken the line break out of a file that was signed with it.
    let mut request = post();
    request.body_mut().push(b'\n');
    let mut request = signed(request);
    request.body_mut().pop();
    assert_first(&explained(&request), Mistake::BodyLineBreaks, true);
    // Or those within it: what was there cannot be known.
    let mut request = post();
    *request.body_mut() = b"{\n\"a\":1\r\n}\n".to_vec();
    let mut request: Request<Vec<u8>> = signed(request);
    request
        .body_mut()
        .retain(|byte| !matches!(byte, b'\r' | b'\n'));
    assert_first(&explained(&request), Mistake::OtherBody, false);
    // A proxy has decompressed a body, and passes on the field that says otherwise.
    let mut request = post();
    request
        .headers_mut()
        .insert("content-encoding", HeaderValue::from_static("gzip"));
    *request.body_mut() = GZIP.to_vec();
    let mut request = signed(request);
    *request.body_mut() = json;
    assert_first(&explained(&request), Mistake::ContentCoding, false);
}

/// A request with one more field, or with another value of it.
fn with(mut request: TestRequest, name: &HeaderName, value: &'static str) -> TestRequest {
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(name, value);
    request
}

fn without(mut request: TestRequest, name: &HeaderName) -> TestRequest {
    request.headers_mut().remove(name).unwrap();
    request
}

fn with_body(mut request: TestRequest, body: &[u8]) -> TestRequest {
    *request.body_mut() = body.to_vec();
    request
}

/// A proxy that changes the coding of a body mostly changes the field too.
#[test]
fn a_content_coding_that_has_come_or_gone() {
    let coded = || with_body(with(post(), &CONTENT_ENCODING, "gzip"), GZIP);
    let decompressed = without(signed(coded()), &CONTENT_ENCODING);
    let decompressed = with_body(decompressed, &post().into_body());
    let compressed = with_body(with(signed(post()), &CONTENT_ENCODING, "gzip"), GZIP);
    for (request, kind) in [
        (decompressed, AuthErrorKind::AbsentComponent),
        (compressed, AuthErrorKind::NotCovered),
    ] {
        let explanation = explained(&request);
        assert_eq!(explanation.kind(), Some(kind));
        assert_first(&explanation, Mistake::ContentCoding, false);
    }
}

/// An own signer has the field when it signs, and does not list it.
#[test]
fn a_field_of_the_content_that_the_signer_leaves_out() {
    for name in [CONTENT_TYPE, CONTENT_ENCODING] {
        let request = with(signed(without(post(), &CONTENT_TYPE)), &name, "a");
        let explanation = explained(&request);
        assert_eq!(explanation.kind(), Some(AuthErrorKind::NotCovered));
        let hint = explanation.hints()[0].to_string();
        assert!(hint.contains("leaves the field out"), "{hint}");
    }
}

/// Many clients add the field to each body; some programs take it away.
#[test]
fn a_content_type_that_has_come_or_gone() {
    let untyped = without(post(), &CONTENT_TYPE);
    let added = with(signed(untyped), &CONTENT_TYPE, "text/plain");
    let removed = without(signed(post()), &CONTENT_TYPE);
    for (request, kind) in [
        (added, AuthErrorKind::NotCovered),
        (removed, AuthErrorKind::AbsentComponent),
    ] {
        let explanation = explained(&request);
        assert_eq!(explanation.kind(), Some(kind));
        assert_first(&explanation, Mistake::ContentType, false);
    }
}

/// The reason names the component, and that is all that is known.
#[test]
fn other_fields_need_no_hint() {
    let request = with_header(with(post(), &CONTENT_ENCODING, "gzip"), "x-site", "a");
    let mut request = signed_with(request, &sign_options().cover("x-site"));
    request.headers_mut().remove("x-site");
    let explanation = explained(&request);
    assert_eq!(explanation.kind(), Some(AuthErrorKind::AbsentComponent));
    assert!(explanation.hints().is_empty(), "{explanation}");

    // `Content-Encoding` is not covered either, but this is not the reason.
    let request = with(signed(post()), &CONTENT_ENCODING, "gzip");
    let explanation = explain(&request, &secrets(), &options().require("x-site"));
    assert_eq!(explanation.kind(), Some(AuthErrorKind::NotCovered));
    assert!(explanation.hints().is_empty(), "{explanation}");
}

/// A proxy has dropped the body, a middleware has read it, or a capture has none. Some of them leave
/// line breaks.
#[test]
fn a_body_that_is_missing() {
    for request in [post(), with(post(), &CONTENT_ENCODING, "gzip")] {
        let request = signed(request);
        for left in [&b""[..], b"\n", b"\r\n\r\n"] {
            let explanation = explained(&with_body(request.clone(), left));
            assert_eq!(explanation.kind(), Some(AuthErrorKind::WrongDigest));
            assert_first(&explanation, Mistake::BodyMissing, false);
        }
    }
    // But for a line break alone, which is certain.
    let request = signed(with_body(post(), b"\n"));
    assert_first(
        &explained(&with_body(request, b"")),
        Mistake::BodyLineBreaks,
        true,
    );
}
