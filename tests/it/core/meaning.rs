//! What says how to read a body is covered like the body itself.

use std::convert::Infallible;

use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, Claim, SecretSet, ValidateOptions, tower::ValidateAuthLayer,
    validate_auth,
};
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::request::{
    TestRequest, get, options, post, secret, secrets, sign_options, signed, signed_as, signed_with,
    with_header,
};

/// All that must be covered of a request with a body, but for what says how to read it.
const INPUT: &str =
    r#"("@method" "@authority" "@path" "@query" "content-digest");created=1700000000"#;

fn refusal(request: &TestRequest, options: &ValidateOptions) -> Option<(Kind, String)> {
    let refused = validate_auth(request, &secrets(), options).err();
    refused.map(|error| (error.kind(), error.to_string()))
}

fn bare() -> TestRequest {
    let mut request = post();
    request.headers_mut().remove("content-type");
    request
}

/// A field was added to a signed request, and a decompressing handler saw other bytes than those
/// that were signed.
#[test]
pub(crate) fn pitfall_37_what_says_how_to_read_the_body_is_covered() {
    for (field, value) in [
        ("content-type", "text/html"),
        ("content-encoding", "gzip"),
        ("content-encoding", ""),
    ] {
        let added = with_header(signed(bare()), field, value);
        for announced in [None, Some("23"), Some("0")] {
            let added = match announced {
                Some(len) => with_header(added.clone(), "content-length", len),
                None => added.clone(),
            };
            let (kind, text) = refusal(&added, &options()).expect("refused");
            assert_eq!(kind, Kind::NotCovered, "{field}");
            assert!(text.contains(field), "{text}");
        }
        // Signed with the field, or without a body, there is nothing to refuse.
        assert_eq!(
            refusal(&signed(with_header(bare(), field, value)), &options()),
            None
        );
        assert_eq!(
            refusal(&with_header(signed(get()), field, value), &options()),
            None
        );
    }
    // In whatever order.
    let encoded = signed(with_header(post(), "content-encoding", "gzip"));
    let input = encoded.headers()["signature-input"]
        .to_str()
        .expect("ASCII");
    let (list, parameters) = input["sig1=(".len()..].split_once(')').expect("a list");
    let components: Vec<&str> = list.split(' ').rev().collect();
    let input = format!("({}){parameters}", components.join(" "));
    let mut turned = encoded.clone();
    turned.headers_mut().remove("signature");
    turned.headers_mut().remove("signature-input");
    assert_eq!(refusal(&signed_as(turned, &input), &options()), None);
    // Covered with a parameter is not covered as it is.
    let by_bytes = INPUT.replace(
        "\"content-digest\"",
        "\"content-digest\" \"content-type\";bs",
    );
    let digest = signed(post()).headers()["content-digest"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    let signed_by_bytes = signed_as(with_header(post(), "content-digest", &digest), &by_bytes);
    let (kind, _) = refusal(&signed_by_bytes, &options()).expect("refused");
    assert_eq!(kind, Kind::NotCovered);
}

#[test]
fn an_uncovered_type_can_be_accepted_and_an_encoding_cannot() {
    let digest = signed(bare()).headers()["content-digest"].clone();
    let with_digest = |mut request: TestRequest| {
        request
            .headers_mut()
            .insert("content-digest", digest.clone());
        request
    };
    let foreign = signed_as(with_digest(post()), INPUT);
    let (kind, text) = refusal(&foreign, &options()).expect("refused");
    assert_eq!(
        (kind, text.contains("content-type")),
        (Kind::NotCovered, true)
    );
    let lenient = options().accept_uncovered_content_type();
    assert_eq!(refusal(&foreign, &lenient), None);
    let (kind, text) =
        refusal(&with_header(foreign, "content-encoding", "br"), &lenient).expect("refused");
    assert_eq!(
        (kind, text.contains("content-encoding")),
        (Kind::NotCovered, true)
    );
}

/// Where `Content-Length` says that there is a body, no secret is needed to refuse. Else the first
/// byte of the body decides.
#[test]
fn it_is_refused_as_soon_as_a_body_is_known() {
    let added = with_header(signed(bare()), "content-type", "text/html");
    let announced = with_header(added.clone(), "content-length", "23");
    let options = options();
    let error = Claim::parse(&announced, &options).expect_err("refused");
    assert_eq!(error.kind(), Kind::NotCovered);

    let claim = Claim::parse(&added, &options).expect("no body so far");
    let secrets = SecretSet::new(secret());
    let mut head = claim.verify_head(&secrets).expect("the right MAC");
    head.update(b"");
    head.update(b"{");
    assert_eq!(head.finish().expect_err("refused").kind(), Kind::NotCovered);
}

/// Pieces of a body are not even read to its end.
#[test]
fn the_layers_refuse_it_at_the_first_byte() {
    let handler = || {
        service_fn(async |_: Request<Full<Bytes>>| {
            panic!("the handler is reached");
            #[expect(unreachable_code, reason = "it says the type")]
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        })
    };
    let layer = ValidateAuthLayer::new(secrets(), options()).without_replay_guard();
    let added = with_header(signed(bare()), "content-encoding", "gzip");
    let request = added.map(|body| Full::new(Bytes::from(body)));
    let response = futures_executor::block_on(layer.layer(handler()).oneshot(request)).unwrap();
    assert_eq!(response.extensions().get::<Kind>(), Some(&Kind::NotCovered));
}

#[test]
fn a_field_can_be_required_if_it_is_there() {
    let options = options()
        .require_if_present("impersonate-user")
        .require_if_present("prefer");
    assert_eq!(refusal(&signed(get()), &options), None);
    for field in ["impersonate-user", "prefer"] {
        let added = with_header(signed(get()), field, "admin");
        let (kind, text) = refusal(&added, &options).expect("refused");
        assert_eq!(
            (kind, text.contains(field)),
            (Kind::NotCovered, true),
            "{text}"
        );
        let covered = signed_with(
            with_header(get(), field, "admin"),
            &sign_options().cover(HeaderName::from_static(field)),
        );
        assert_eq!(refusal(&covered, &options), None);
    }
    for wrong in ["@query", "@status", "Prefer", "", "a b"] {
        let error = ValidateOptions::new()
            .require_if_present(wrong)
            .check()
            .expect_err("wrong");
        assert_eq!(error.kind(), Kind::Misconfigured, "{wrong}");
    }
}
