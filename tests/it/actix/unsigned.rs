//! Requests without a signature, and routes without a check.

use hmac_auth::AuthErrorKind as Kind;
use http::{Method, Request};

use crate::support::{
    actix::{ask, middleware},
    layers::{data, whole, with_body},
    request::{get, post, signed, with_header, with_signature},
};

#[tokio::test]
async fn a_request_without_a_signature_passes_and_a_bad_one_does_not() {
    let lenient = middleware().allow_unsigned().max_body_len(3);
    // As it comes, and more than a signed body may have.
    let unsigned = with_body(post(), [data("long "), data("enough")]);
    let seen = ask(&lenient, unsigned).await;
    assert_eq!((seen.refusal(), seen.calls), (None, 1));
    assert_eq!(seen.response.body(), "long enough");
    assert_eq!(seen.response.headers()["x-consumer"], "nobody");

    for (request, kind) in [
        (
            with_header(post(), "signature", "sig1=:AA==:"),
            Kind::UnpairedLabel,
        ),
        (
            with_header(post(), "signature-input", ""),
            Kind::MalformedSignatureInput,
        ),
        (
            with_signature(post(), "a", r#"("date");alg="ed25519""#, &[7; 64]),
            Kind::UnsupportedAlgorithm,
        ),
    ] {
        let seen = ask(&lenient, whole(request)).await;
        assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
    }
    let seen = ask(&lenient, whole(signed(get()))).await;
    assert_ne!(seen.response.headers()["x-consumer"], "nobody");
}

#[tokio::test]
async fn an_unprotected_route_is_exactly_that_one() {
    let validate = middleware().unprotected([(Method::GET, "/health")]);
    let request = |method: Method, uri: &str| {
        let request = Request::builder().method(method).uri(uri);
        whole(request.body(Vec::new()).unwrap())
    };
    for uri in ["/health", "/health?verbose", "https://host.example/health"] {
        let seen = ask(&validate, request(Method::GET, uri)).await;
        assert_eq!((seen.refusal(), seen.calls), (None, 1), "{uri}");
    }
    for (method, uri) in [
        (Method::HEAD, "/health"),
        (Method::POST, "/health"),
        (Method::GET, "/health/"),
        (Method::GET, "//health"),
        (Method::GET, "/Health"),
        (Method::GET, "/%68ealth"),
        (Method::GET, "/health/../orders"),
        (Method::GET, "/orders?/health"),
    ] {
        let uri = format!("https://host.example{uri}");
        let seen = ask(&validate, request(method.clone(), &uri)).await;
        let refusal = (seen.refusal(), seen.calls);
        assert_eq!(refusal, (Some(Kind::MissingSignature), 0), "{method} {uri}");
    }
}
