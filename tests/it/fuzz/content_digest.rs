//! `Content-Digest`: the host must come to what follows from the members that the crate `sfv`
//! reads, or must have a known reason to refuse.
//!
//! The bytes 1 and 2 stand for the digests that are right, 3 for one of 32 bytes that is wrong.

use std::{cell::RefCell, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind, ValidateOptions,
    signature::{CONTENT_DIGEST, SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::{HeaderValue, Request};
use sfv::{BareItem, Dictionary, ListEntry};
use sha2::{Digest, Sha256, Sha512};

use super::{field, host};

const BODY: &str = r#"{"hello": "world"}"#;

static SHA_256: LazyLock<Vec<u8>> = LazyLock::new(|| Sha256::digest(BODY).to_vec());
static SHA_512: LazyLock<Vec<u8>> = LazyLock::new(|| Sha512::digest(BODY).to_vec());

static TEXTS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [
        STANDARD.encode(&*SHA_256),
        STANDARD.encode(&*SHA_512),
        STANDARD.encode([7; 32]),
    ]
});

static OPTIONS: LazyLock<ValidateOptions> =
    LazyLock::new(|| ValidateOptions::new().at(host::now()));

static INPUT: LazyLock<HeaderValue> = LazyLock::new(|| {
    let now = host::NOW;
    let components = r#"("@method" "@authority" "@path" "content-digest")"#;
    HeaderValue::try_from(format!("a={components};created={now}")).expect("ASCII")
});

/// What a host says about the digest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each supported digest is that of the body.
    Right,
    /// One of them is another one.
    Wrong,
    /// No supported digest is there.
    Unsupported,
    /// The field cannot be read.
    Malformed,
}

/// Compares what both read.
pub fn run(data: &[u8]) {
    compare(&with_digests(data));
}

/// The field, with digests for the bytes 1 to 3.
#[must_use]
pub fn with_digests(data: &[u8]) -> Vec<u8> {
    host::with_texts(data, &TEXTS.each_ref().map(String::as_str))
}

/// Reads the field as the digest of a body in a request that is signed with it.
///
/// # Panics
///
/// If there is a difference that is not known.
pub fn compare(data: &[u8]) -> Verdict {
    thread_local! {
        static REQUEST: RefCell<Request<&'static str>> =
            RefCell::new(Request::post("https://host.example/path").body(BODY).expect("a request"));
    }
    REQUEST.with_borrow_mut(|request| {
        let theirs = field::dictionary(data);
        let expected = theirs.as_ref().map_or(Verdict::Malformed, verdict);
        let headers = request.headers_mut();
        headers.clear();
        headers.insert(SIGNATURE_INPUT, INPUT.clone());
        if !field::append(headers, &CONTENT_DIGEST, data) {
            return Verdict::Malformed;
        }
        let Some(mac) = host::mac_of(&(&*request).into(), request.headers()) else {
            let is_too_long = data.len() > field::MAX_LEN;
            assert!(
                is_too_long || theirs.is_err(),
                "`sfv` reads what cannot be signed"
            );
            return Verdict::Malformed;
        };
        let mac = HeaderValue::try_from(format!("a=:{}:", STANDARD.encode(mac))).expect("ASCII");
        request.headers_mut().insert(SIGNATURE, mac);
        let (ours, error) = match validate_auth(request, &*host::SECRETS, &OPTIONS) {
            Ok(_) => (Verdict::Right, String::new()),
            Err(error) => (kind(error.kind()), format!("{error:#}")),
        };
        if ours != expected {
            assert_eq!(ours, Verdict::Malformed, "{expected:?} for `sfv`");
            let theirs = theirs.expect("a dictionary");
            assert!(
                field::may_be_refused(data, &theirs)
                    || error.ends_with("base64 must be padded and canonical")
                    || field::repetitions(data).parameter.contains(&true)
                    || has_many(&theirs),
                "only this crate refuses: {error}"
            );
        }
        ours
    })
}

fn kind(kind: AuthErrorKind) -> Verdict {
    match kind {
        AuthErrorKind::WrongDigest => Verdict::Wrong,
        AuthErrorKind::UnsupportedDigest => Verdict::Unsupported,
        AuthErrorKind::MalformedDigest => Verdict::Malformed,
        other => panic!("{other}"),
    }
}

/// Whether a member has more parameters than this crate reads.
fn has_many(theirs: &Dictionary) -> bool {
    theirs
        .values()
        .any(|entry| matches!(entry, ListEntry::Item(item) if item.params.len() > field::MAX_KEYS))
}

/// What follows from the members.
fn verdict(theirs: &Dictionary) -> Verdict {
    let mut supported = Vec::new();
    for (key, entry) in theirs {
        let ListEntry::Item(sfv::Item {
            bare_item: BareItem::ByteSequence(bytes),
            ..
        }) = entry
        else {
            return Verdict::Malformed;
        };
        match key.as_str() {
            "sha-256" => supported.push((bytes, &*SHA_256)),
            "sha-512" => supported.push((bytes, &*SHA_512)),
            _ => {}
        }
    }
    if supported
        .iter()
        .any(|(bytes, right)| bytes.len() != right.len())
    {
        Verdict::Malformed
    } else if supported.is_empty() {
        Verdict::Unsupported
    } else if supported.iter().all(|(bytes, right)| bytes == right) {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}
