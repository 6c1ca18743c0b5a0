//! Changes of the body and of its digest.

use bytes::Bytes;
use http::HeaderValue;

use super::{List, Part};
use crate::{digest::DigestAlgorithm, message::CONTENT_DIGEST};

pub(super) fn add_body(list: &mut List<'_>) {
    let body = &list.original().body()[..];
    let mut changes = vec![
        ("a byte added at the end", [body, b"x"].concat()),
        ("a zero byte added at the end", [body, b"\0"].concat()),
        ("a line break added at the end", [body, b"\n"].concat()),
        ("a byte added in front", [b"x", body].concat()),
        ("replaced", b"{\"x\":1}".to_vec()),
    ];
    if let Some((_, shorter)) = body.split_last() {
        for (change, index) in [
            ("one bit flipped at the start", 0),
            ("one bit flipped in the middle", body.len() / 2),
            ("one bit flipped at the end", body.len() - 1),
        ] {
            let mut flipped = body.to_vec();
            flipped[index] ^= 1;
            changes.push((change, flipped));
        }
        changes.extend([
            ("the last byte cut", shorter.to_vec()),
            ("the first byte cut", body[1..].to_vec()),
            ("cut in the middle", body[..body.len() / 2].to_vec()),
            ("emptied", Vec::new()),
            ("doubled", [body, body].concat()),
        ]);
    }
    for (change, changed) in changes {
        list.add(Part::Body, change, |request| {
            *request.body_mut() = changed.into();
        });
    }
}

pub(super) fn add_digest(list: &mut List<'_>) {
    let body = list.original().body();
    let other_body = Bytes::from([body, &b"x"[..]].concat());
    let mut set = |change: &str, value: Vec<u8>, body: &Bytes| {
        let value = HeaderValue::try_from(value).expect("printable ASCII");
        list.add(Part::ContentDigest, change, |request| {
            request.headers_mut().insert(CONTENT_DIGEST, value);
            *request.body_mut() = body.clone();
        });
    };
    set(
        "that of another body",
        field_value(DigestAlgorithm::Sha256, &other_body),
        body,
    );
    set(
        "changed together with the body",
        field_value(DigestAlgorithm::Sha256, &other_body),
        &other_body,
    );
    set(
        "changed together with the body, in another algorithm",
        field_value(DigestAlgorithm::Sha512, &other_body),
        &other_body,
    );
    set("malformed", b"sha-256=::".to_vec(), body);
    set(
        "only of an algorithm that does not suffice",
        weak_digest(),
        body,
    );
    if !body.is_empty() {
        for (change, algorithm) in [
            ("as `sha-256` alone", DigestAlgorithm::Sha256),
            ("as `sha-512` alone", DigestAlgorithm::Sha512),
        ] {
            set(change, field_value(algorithm, body), body);
        }
    }
}

fn field_value(algorithm: DigestAlgorithm, body: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    algorithm.push_field_value(&mut value, body);
    value
}

/// A digest of an algorithm that RFC 9530 calls deprecated: for any body, because nobody may look.
pub(in super::super) fn weak_digest() -> Vec<u8> {
    b"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:".to_vec()
}
