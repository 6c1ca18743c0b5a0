//! `Signature`: the host must find the MAC that the crate `sfv` finds, or must have a known reason
//! to refuse.
//!
//! The byte 1 stands for the MAC that is right. The bytes 2 and 3 stand for the same MAC in another
//! spelling, which is none here: with a bit behind the last byte, and without padding.

use std::{cell::RefCell, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{
    AuthErrorKind, ValidateOptions,
    signature::{SIGNATURE, SIGNATURE_INPUT},
    validate_auth,
};
use http::{HeaderValue, Request};
use sfv::{BareItem, Dictionary, ListEntry};

use super::{field, host};

/// The label of the one signature that is meant for the host.
const LABEL: &str = "sig1";

static INPUT: LazyLock<String> = LazyLock::new(|| {
    let now = host::NOW;
    format!(r#"sig1=("@method" "@authority" "@path");created={now};keyid="ours""#)
});

static MAC: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut request = request();
    let input = HeaderValue::from_str(&INPUT).expect("ASCII");
    request.headers_mut().insert(SIGNATURE_INPUT, input);
    host::mac_of(&(&request).into(), request.headers()).expect("all is there")
});

static MAC_TEXT: LazyLock<String> = LazyLock::new(|| STANDARD.encode(*MAC));

static SPELLINGS: LazyLock<[String; 3]> = LazyLock::new(|| {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (start, last) = MAC_TEXT.trim_end_matches('=').split_at(42);
    let next = DIGITS.find(last).expect("a digit") + 1;
    let with_a_bit = format!("{start}{}=", &DIGITS[next..=next]);
    [MAC_TEXT.clone(), with_a_bit, format!("{start}{last}")]
});

static OPTIONS: LazyLock<ValidateOptions> = LazyLock::new(|| {
    let name = hmac_auth::DEFAULT_SECRET_NAME;
    ValidateOptions::new()
        .at(host::now())
        .key_ids([("ours", name)])
});

fn request() -> Request<&'static str> {
    let request = Request::get("https://host.example/path");
    request.body("").expect("a request")
}

/// Compares what both read.
pub fn run(data: &[u8]) {
    compare(&with_mac(data));
}

/// The field, with the right MAC for each of the bytes 1 to 3.
#[must_use]
pub fn with_mac(data: &[u8]) -> Vec<u8> {
    host::with_texts(data, &SPELLINGS.each_ref().map(String::as_str))
}

/// What the host says about the field: `None` if it accepts the request.
///
/// `Signature-Input` has each label that `sfv` has found in the field.
///
/// # Panics
///
/// If there is a difference that is not known.
pub fn compare(data: &[u8]) -> Option<AuthErrorKind> {
    thread_local! {
        static REQUEST: RefCell<Request<&'static str>> = RefCell::new(request());
    }
    REQUEST.with_borrow_mut(|request| {
        let theirs = field::dictionary(data);
        let headers = request.headers_mut();
        headers.clear();
        if !field::append(headers, &SIGNATURE, data) {
            return Some(AuthErrorKind::MalformedSignature);
        }
        let input = input_for(theirs.as_ref().ok());
        headers.insert(
            SIGNATURE_INPUT,
            HeaderValue::try_from(input).expect("ASCII"),
        );
        match (validate_auth(request, &*host::SECRETS, &OPTIONS), theirs) {
            (Ok(validated), Ok(theirs)) => {
                assert!(is_right(&theirs), "`sfv` reads another signature");
                assert!(contains(data, &MAC_TEXT), "another spelling of a MAC");
                assert!(!field::repetitions(data).key, "a label stands there twice");
                assert_eq!(validated.replay_id().as_bytes(), &*MAC);
                None
            }
            (Ok(_), Err(error)) => panic!("only this crate accepts: {error}"),
            (Err(error), Err(_)) => {
                assert_eq!(error.kind(), AuthErrorKind::MalformedSignature, "{error:#}");
                Some(error.kind())
            }
            (Err(error), Ok(theirs)) => {
                let text = format!("{error:#}");
                let is_known = field::may_be_refused(data, &theirs);
                if field::repetitions(data).key {
                    assert_eq!(error.kind(), AuthErrorKind::MalformedSignature, "{text}");
                } else if is_right(&theirs) {
                    assert!(
                        is_known || text.ends_with("base64 must be padded and canonical"),
                        "only this crate refuses: {text}"
                    );
                } else if !is_known && theirs.get(LABEL).is_some_and(is_mac) {
                    let kind = error.kind();
                    assert!(
                        kind == AuthErrorKind::WrongMac
                            || text.ends_with("base64 must be padded and canonical"),
                        "{text}"
                    );
                }
                Some(error.kind())
            }
        }
    })
}

fn contains(data: &[u8], text: &str) -> bool {
    data.windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// A `Signature-Input` with these labels, at most as many as a field may have.
fn input_for(theirs: Option<&Dictionary>) -> Vec<u8> {
    let mut input = Vec::with_capacity(128);
    for label in theirs
        .into_iter()
        .flat_map(Dictionary::keys)
        .take(field::MAX_KEYS)
    {
        if !input.is_empty() {
            input.extend_from_slice(b", ");
        }
        if label.as_str() == LABEL {
            input.extend_from_slice(INPUT.as_bytes());
        } else {
            input.extend_from_slice(label.as_str().as_bytes());
            input.extend_from_slice(b"=();keyid=\"theirs\"");
        }
    }
    if input.is_empty() {
        input.extend_from_slice(INPUT.as_bytes());
    }
    input
}

/// Whether the member with our label is the right MAC and nothing else.
fn is_right(theirs: &Dictionary) -> bool {
    theirs.get(LABEL).is_some_and(|entry| {
        is_mac(entry) && matches!(entry, ListEntry::Item(item) if item.bare_item.as_byte_sequence() == Some(&MAC[..]))
    })
}

/// Whether a member is a byte sequence as long as a MAC, without parameters.
fn is_mac(entry: &ListEntry) -> bool {
    matches!(
        entry,
        ListEntry::Item(sfv::Item { bare_item: BareItem::ByteSequence(bytes), params })
            if bytes.len() == 32 && params.is_empty()
    )
}
