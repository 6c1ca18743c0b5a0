//! Nothing but the MAC decides between the answers that a peer can get.

use hmac_auth::{AuthErrorKind as Kind, SignOptions, ValidateOptions, tower::ValidateAuthLayer};
use http::{Request, Version};

use crate::support::{
    layers::{
        LEN, Script, Seen, ask_both, data, declared, expecting, hinted, layer_with, whole,
        with_body,
    },
    request::{NOW, TestRequest, options, post, sign_options, signed_with, time, with_header},
};

/// A host that lists one key id and requires a tag.
fn strict() -> ValidateOptions {
    options()
        .key_ids([("site-a", hmac_auth::DEFAULT_SECRET_NAME)])
        .tag("ours")
}

fn layer() -> ValidateAuthLayer {
    layer_with(strict()).max_body_len(LEN)
}

fn right() -> SignOptions {
    sign_options().key_id("site-a").tag("ours")
}

/// One request for each cause of a 401 before the body; no MAC is right.
fn causes(edit: fn(TestRequest) -> TestRequest) -> Vec<(Kind, TestRequest)> {
    let signed = |options: SignOptions| signed_with(edit(post()), &options);
    let broken = |mut request: TestRequest| {
        // A query that was not signed, so that the MAC is wrong.
        *request.uri_mut() = "https://host.example/orders?a".parse().unwrap();
        request
    };
    let elsewhere = |mut request: TestRequest| {
        *request.uri_mut() = "https://other.example/orders?a".parse().unwrap();
        request
    };
    vec![
        (Kind::MissingSignature, edit(post())),
        (
            Kind::MalformedSignatureInput,
            with_header(edit(post()), "signature-input", "("),
        ),
        (Kind::UnknownKeyId, broken(signed(right().key_id("site-b")))),
        (Kind::WrongTag, broken(signed(right().tag("theirs")))),
        (Kind::Stale, broken(signed(right().at(time(NOW - 61))))),
        (Kind::InFuture, broken(signed(right().at(time(NOW + 11))))),
        (Kind::UnlistedAuthority, elsewhere(signed(right()))),
        (Kind::NotCovered, without_path(broken(signed(right())))),
        (Kind::WrongMac, broken(signed(right()))),
    ]
}

fn without_path(mut request: TestRequest) -> TestRequest {
    let input = request.headers()["signature-input"].to_str().unwrap();
    let input = input.replace(r#" "@path""#, "").parse().unwrap();
    request.headers_mut().insert("signature-input", input);
    request
}

/// The whole answer, as a peer sees it.
fn answer(seen: &Seen) -> String {
    let (head, body) = (&seen.response, seen.response.body());
    format!("{} {:?} {body:?}", head.status(), head.headers())
}

type Framing = fn(TestRequest) -> Request<Script>;

/// Ways in which a request announces a body: none, within the limit, beyond it, absurd.
const FRAMINGS: [Framing; 9] = [
    |request| with_body(request, []),
    whole,
    |request| declared(whole(request), LEN),
    |request| declared(whole(request), LEN + 1),
    |request| declared(whole(request), u64::MAX),
    |request| hinted(whole(request), LEN + 1),
    |request| malformed_length(whole(request)),
    |request| expecting(declared(whole(request), LEN + 1)),
    |request| over_http2(declared(whole(request), LEN + 1)),
];

fn malformed_length(mut request: Request<Script>) -> Request<Script> {
    let value = "99999999999999999999999".parse().unwrap();
    request.headers_mut().insert("content-length", value);
    request
}

fn over_http2(mut request: Request<Script>) -> Request<Script> {
    *request.version_mut() = Version::HTTP_2;
    request
}

/// Without a secret, a peer cannot find out a key id, an authority, a tag or the window of time.
#[tokio::test]
pub(crate) async fn pitfall_33_only_the_mac_decides_between_answers() {
    let grpc = |request| with_header(request, "content-type", "application/grpc");
    for edit in [std::convert::identity::<TestRequest>, grpc] {
        for (number, framing) in FRAMINGS.iter().enumerate() {
            let mut answers = Vec::new();
            for (kind, request) in causes(edit) {
                for seen in ask_both(&layer(), || framing(request.clone())).await {
                    assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0), "{number}");
                    assert_eq!(seen.response.status(), 401, "{number} {kind}");
                    answers.push(answer(&seen));
                }
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{number}: {answers:#?}");
        }
    }
}

/// The holder of a secret learns at once that its body is too large.
#[tokio::test]
async fn an_announced_length_is_refused_unread_after_the_mac() {
    for framing in &FRAMINGS[3..6] {
        let request = || framing(signed_with(post(), &right()));
        for seen in ask_both(&layer(), request).await {
            let refusal = (seen.refusal(), seen.calls, seen.polls);
            assert_eq!(refusal, (Some(Kind::BodyTooLarge), 0, 0));
            assert_eq!(seen.response.status(), 413);
        }
    }
    // A length at the limit is none of this.
    let request = || declared(with_body(signed_with(post(), &right()), [data("")]), LEN);
    for seen in ask_both(&layer(), request).await {
        assert_eq!(seen.refusal(), Some(Kind::WrongContentLength));
    }
}
