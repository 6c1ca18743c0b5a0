//! The head is judged before the body and within limits.

use hmac_auth::{AuthErrorKind as Kind, Claim, SecretSet, signature::RequestHead, validate_auth};
use http::Request;

use crate::support::{
    edit::{BODY_INPUT, set},
    request::{
        INPUT, get, options, post, refusal, secret, secrets, signed, with_header, with_signature,
    },
    store::Noting,
};

/// Limits: what is too large is refused by the head alone, before a secret is asked for or a body
/// is read.
#[test]
pub(crate) fn pitfall_26_the_head_is_judged_before_the_body_and_within_limits() {
    let store = Noting::new(secrets());
    let large = "x".repeat(8 * 1024);
    let labels: Vec<String> = (0..17)
        .map(|index| format!("s{index}=();alg=\"ed25519\""))
        .collect();
    let components: Vec<String> = (0..33).map(|index| format!("\"x-{index}\"")).collect();
    let params: Vec<String> = (0..17).map(|index| format!(";p{index}")).collect();
    for input in [
        format!("sig1={INPUT};nonce=\"{large}\""),
        format!("sig1={}", "(".repeat(8 * 1024)),
        format!("sig1=({})", " ".repeat(8 * 1024)),
        labels.join(", "),
        format!("sig1=({});created=1700000000", components.join(" ")),
        format!("sig1={INPUT}{}", params.concat()),
    ] {
        let request = set(
            set(post(), "signature-input", &input),
            "signature",
            "sig1=::",
        );
        let refusal = validate_auth(&request, &store, &options()).unwrap_err();
        assert_eq!(
            refusal.kind(),
            Kind::MalformedSignatureInput,
            "{}",
            &input[..40]
        );
    }
    let request = set(
        set(post(), "signature-input", &format!("sig1={INPUT}")),
        "signature",
        &format!("sig1=:{large}:"),
    );
    assert_eq!(
        validate_auth(&request, &store, &options())
            .unwrap_err()
            .kind(),
        Kind::MalformedSignature
    );
    // In many lines it is not smaller.
    let request = (0..9).fold(get(), |request, index| {
        with_signature(
            request,
            &format!("s{index}"),
            &format!("();alg=\"ed25519\";x=\"{}\"", "x".repeat(1_000)),
            &[],
        )
    });
    assert_eq!(
        validate_auth(&request, &store, &options())
            .unwrap_err()
            .kind(),
        Kind::MalformedSignatureInput
    );
    assert!(store.names().is_empty(), "asked for a secret");

    // A covered field of any size is not copied without limit.
    let input =
        r#"("@method" "@authority" "@path" "@query" "a" "b" "c" "d" "e");created=1700000000"#;
    let request = with_signature(get(), "sig1", input, &[0; 32]);
    let huge = with_header(request.clone(), "a", &"x".repeat(1 << 20));
    assert_eq!(refusal(&huge), Kind::TooLarge);
    let many = ["a", "b", "c", "d", "e"]
        .iter()
        .fold(request, |request, name| {
            with_header(request, name, &"x".repeat(8_000))
        });
    assert_eq!(refusal(&many), Kind::TooLarge);

    // A wrong MAC is found without the body, and a body that is not covered is not hashed to the
    // end.
    let (parts, body) = with_signature(post(), "sig1", BODY_INPUT, &[0; 32]).into_parts();
    let options = options();
    let claim = Claim::parse(&parts, &options).unwrap();
    assert_eq!(
        claim
            .verify_head(&SecretSet::new(secret()))
            .unwrap_err()
            .kind(),
        Kind::AbsentComponent
    );
    let parts = set(
        Request::from_parts(parts, body),
        "content-digest",
        "sha-256=nonsense",
    )
    .into_parts()
    .0;
    let claim = Claim::parse(&parts, &options).unwrap();
    assert_eq!(
        claim
            .verify_head(&SecretSet::new(secret()))
            .unwrap_err()
            .kind(),
        Kind::WrongMac,
        "not even its digest is read"
    );
}

/// A request of another type than those of `http` is a head by its parts, and each part counts.
#[test]
fn the_parts_of_a_request_of_any_type_are_a_head() {
    let (parts, body) = signed(post()).into_parts();
    let options = options();
    let of = |method, uri| RequestHead::new(method, uri, parts.version, &parts.headers);
    let head = of(&parts.method, &parts.uri);
    let mut head = Claim::parse(head, &options)
        .and_then(|mut claim| claim.verify_any(&secrets()))
        .unwrap();
    head.update(&body);
    head.finish().unwrap();

    let other_path = "https://host.example/admin".parse().unwrap();
    for other in [
        of(&http::Method::PUT, &parts.uri),
        of(&parts.method, &other_path),
    ] {
        let refused = Claim::parse(other, &options)
            .and_then(|mut claim| claim.verify_any(&secrets()))
            .expect_err("changed");
        assert_eq!(refused.kind(), Kind::WrongMac);
    }
}

/// A head is proven without its body, by whichever of its signatures is right.
#[test]
fn any_signature_that_is_meant_for_the_host_may_prove_the_head() {
    let request = with_signature(get(), "other", INPUT, &[0; 32]);
    let request = signed(request);
    let options = options();
    let head = Claim::parse(&request, &options)
        .and_then(|mut claim| claim.verify_any(&secrets()))
        .unwrap();
    head.finish().unwrap();

    let wrong = with_signature(request, "another", INPUT, &[1; 32]);
    let wrong = set(wrong, "signature-input", &format!("a={INPUT}, b={INPUT}"));
    let mac = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let wrong = set(wrong, "signature", &format!("a=:{mac}:, b=:{mac}:"));
    let refused = Claim::parse(&wrong, &options)
        .and_then(|mut claim| claim.verify_any(&secrets()))
        .expect_err("both are wrong");
    assert_eq!(refused.kind(), Kind::WrongMac);
}
