//! The digest in a header, which signs the body of a request.

use hmac_auth::wix::{WebhookErrorKind as Kind, verify_body_digest};
use http::{HeaderMap, HeaderValue, header::HeaderName};
use serde_json::{Value, json};

use crate::support::webhook::{FILE, NOW, claims, options, signed, vector};

const DIGEST: HeaderName = HeaderName::from_static("digest");

/// The published hash of the published body.
const HASH: &str = "3fd05dfe429837da86cbc710190c9a67296203bbd4bd3160ab0ff07b659b0160";

fn body() -> &'static str {
    FILE["digest_body"].as_str().unwrap()
}

/// `None` if accepted.
fn outcome(fields: &[&str], body: &[u8]) -> Option<Kind> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(DIGEST, HeaderValue::from_str(field).unwrap());
    }
    let verified = verify_body_digest(&headers, body, &options());
    verified.err().map(|error| error.kind())
}

fn with_hash(hash: impl Into<Value>) -> String {
    format!("JWT={}", signed(&claims(json!({"SHA256": hash.into()}))))
}

#[test]
fn the_published_hash_of_the_body_is_accepted() {
    let (text, _) = vector("digest");
    let body = body().as_bytes();
    for field in [
        format!("JWT={text}"),
        format!("jwt={text}"),
        text.to_owned(),
        with_hash(HASH),
        with_hash(HASH.to_ascii_uppercase()),
    ] {
        assert_eq!(outcome(&[&field], body), None, "{field}");
    }
}

#[test]
fn each_byte_of_the_body_and_of_the_hash_counts() {
    let (text, _) = vector("digest");
    let field = format!("JWT={text}");
    for index in 0..body().len() {
        let mut changed = body().as_bytes().to_vec();
        changed[index] ^= 1;
        assert_eq!(outcome(&[&field], &changed), Some(Kind::WrongDigest));
    }
    for changed in [
        "",
        "{}",
        &format!("{}\n", body()),
        &body().replace(':', ": "),
    ] {
        let kind = outcome(&[&field], changed.as_bytes());
        assert_eq!(kind, Some(Kind::WrongDigest), "{changed}");
    }
    for index in 0..HASH.len() {
        let mut changed = HASH.to_owned().into_bytes();
        changed[index] = if changed[index] == b'0' { b'1' } else { b'0' };
        let field = with_hash(String::from_utf8(changed).unwrap());
        assert_eq!(
            outcome(&[&field], body().as_bytes()),
            Some(Kind::WrongDigest)
        );
    }
    for hash in ["", &HASH[..63], &format!("{HASH}0"), &format!(" {HASH}")] {
        let kind = outcome(&[&with_hash(hash)], body().as_bytes());
        assert_eq!(kind, Some(Kind::WrongDigest), "{hash}");
    }
}

#[test]
fn there_is_exactly_one_digest() {
    let (text, _) = vector("digest");
    let field = &*format!("JWT={text}");
    let body = body().as_bytes();
    for (fields, expected) in [
        (&[][..], Kind::NoDigest),
        (&[""], Kind::NoDigest),
        (&["JWT="], Kind::NoDigest),
        (&[field, field], Kind::SeveralDigests),
        (&[field, "SHA-256=abc"], Kind::SeveralDigests),
        (&["", field], Kind::SeveralDigests),
        (&[&format!("{field},SHA-256=abc")], Kind::SeveralDigests),
        (&[&format!("SHA-256=abc, {field}")], Kind::SeveralDigests),
        (
            &["SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="],
            Kind::NotJwt,
        ),
        (&[&format!("JWT=JWT={text}")], Kind::NotJwt),
        (&[HASH], Kind::NotJwt),
    ] {
        assert_eq!(outcome(fields, body), Some(expected), "{fields:?}");
    }
}

#[test]
fn another_signed_text_is_no_digest() {
    let body = body().as_bytes();
    for (data, expected) in [
        (json!("{}"), Kind::Webhook),
        (json!([]), Kind::MalformedClaims),
        (json!({}), Kind::MalformedClaims),
        (json!({"sha256": HASH}), Kind::MalformedClaims),
        (json!({"SHA256": 7}), Kind::MalformedClaims),
    ] {
        let text = signed(&claims(data.clone()));
        assert_eq!(outcome(&[&text], body), Some(expected), "{data}");
    }
    let (plugin, _) = vector("service plugin");
    assert_eq!(outcome(&[plugin], body), Some(Kind::MalformedClaims));
    let (none, _) = vector("alg none");
    assert_eq!(outcome(&[none], body), Some(Kind::AlgNone));
    let twice =
        format!(r#"{{"data":{{"SHA256":"{HASH}","SHA256":"{HASH}"}},"iat":{NOW},"exp":{NOW}}}"#);
    assert_eq!(
        outcome(&[&signed(&twice)], body),
        Some(Kind::MalformedClaims)
    );
}

#[test]
fn the_times_count() {
    let times =
        |iat: u64, exp: u64| signed(&json!({"data": {"SHA256": HASH}, "iat": iat, "exp": exp}));
    let body = body().as_bytes();
    for (text, expected) in [
        (times(NOW, NOW), None),
        (times(NOW - 60, NOW - 11), Some(Kind::Expired)),
        (times(NOW - 86_401, NOW), Some(Kind::Stale)),
        (times(NOW + 11, NOW + 60), Some(Kind::InFuture)),
    ] {
        assert_eq!(outcome(&[&text], body), expected);
    }
}
