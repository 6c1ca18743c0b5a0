//! Digests of others: the examples of RFC 9530.

use hmac_auth::{
    AuthErrorKind, DigestAlgorithm, SignError, SignOptions, ValidateOptions, sign_request,
    signature::CONTENT_DIGEST, validate_auth,
};
use http::Request;

use crate::support::vectors::{rfc9421_secret, set, store};

/// Bodies with their SHA-256 and SHA-512.
const DIGESTS: [(&str, &str, &str); 3] = [
    // RFC 9421 sections B.2 and 7.2.
    (
        r#"{"hello": "world"}"#,
        "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
        "WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==",
    ),
    // RFC 9530 appendix B.1: with a line feed.
    (
        "{\"hello\": \"world\"}\n",
        "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
        "YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==",
    ),
    // RFC 9530 appendix B.2: no content.
    (
        "",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    ),
];

#[test]
fn digests_are_written() {
    let store = store(rfc9421_secret());
    for (body, sha256, sha512) in DIGESTS {
        for (algorithm, expected) in [
            (DigestAlgorithm::Sha256, format!("sha-256=:{sha256}:")),
            (DigestAlgorithm::Sha512, format!("sha-512=:{sha512}:")),
        ] {
            let mut request = Request::post("https://example.com/foo")
                .body(body)
                .expect("a request");
            // An empty body has no digest unless it is asked for.
            let options = SignOptions::new().digest(algorithm).cover(CONTENT_DIGEST);
            sign_request(&mut request, &store, &options).expect("signed");
            assert_eq!(request.headers()[CONTENT_DIGEST], *expected, "{body:?}");
            validate_auth(&request, &store, &ValidateOptions::new())
                .expect("what was written is accepted");
        }
    }
}

#[test]
fn digests_are_compared() {
    let store = store(rfc9421_secret());
    for (body, sha256, sha512) in DIGESTS {
        for (line, other_body) in [
            (format!("sha-256=:{sha256}:"), format!("{body} ")),
            (format!("sha-512=:{sha512}:"), format!("{body} ")),
            (
                format!("sha-512=:{sha512}:, sha-256=:{sha256}:"),
                format!(" {body}"),
            ),
        ] {
            let mut request = Request::post("https://example.com/foo")
                .body(body.to_owned())
                .expect("a request");
            set(&mut request, CONTENT_DIGEST.as_str(), &line);
            sign_request(&mut request, &store, &SignOptions::new())
                .expect("a right digest is kept");
            assert_eq!(request.headers()[CONTENT_DIGEST], *line);
            validate_auth(&request, &store, &ValidateOptions::new()).expect("a right digest");

            let mut request = request.map(|_| other_body);
            let error =
                validate_auth(&request, &store, &ValidateOptions::new()).expect_err("another body");
            assert_eq!(error.kind(), AuthErrorKind::WrongDigest, "{line}");
            let error = sign_request(&mut request, &store, &SignOptions::new().label("b"))
                .expect_err("another body");
            assert!(matches!(error, SignError::WrongDigest), "{line}: {error:?}");
        }
    }
}
