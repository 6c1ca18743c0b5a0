//! The messages that are measured, and what each contender does with them.

use std::{
    fmt,
    hint::black_box,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings},
    sign::v4,
};
use bytes::Bytes;
use futures_executor::block_on;
use hmac::{Hmac, KeyInit, Mac};
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, sign_request,
    signature::{RequestHead, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderValue, Method, Request};
use http_body_util::{Full, combinators::BoxBody};
use httpsig_hyper::{
    ContentDigestType, HyperDigestError, MessageSignatureReq, RequestContentDigest,
    prelude::{HttpSignatureParams, SharedKey, message_component::HttpMessageComponentId},
};
use sha2::{Digest, Sha256};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

pub(crate) const AUTHORITY: &str = "api.example.com";
pub(crate) const KEY_ID: &str = "site-a";
const SECRET: &str = "Zx3kQm8vT1pYc5Wn7RbL0sHf2GdJ9aEuN4iXoVtKy6B";
const NOW: u64 = 1_700_000_000;

/// The time at which all of this happens; the clock is not measured.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(
        DEFAULT_SECRET_NAME,
        Secret::from_text(SECRET).expect("a secret of 43 bytes"),
    );
    secrets
}

pub(crate) fn sign_options() -> SignOptions {
    SignOptions::new().key_id(KEY_ID).at(now())
}

pub(crate) fn validate_options() -> ValidateOptions {
    ValidateOptions::new().authorities([AUTHORITY]).at(now())
}

/// A request, before anybody has signed it.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) name: &'static str,
    method: Method,
    pub(crate) body: Bytes,
}

impl Message {
    /// `GET` without a body, and `POST` of 1 KiB, 64 KiB and 1 MiB.
    pub(crate) fn all() -> [Self; 4] {
        let post = |name, len: usize| Self {
            name,
            method: Method::POST,
            body: "{\"month\": 11}   ".repeat(len / 16).into(),
        };
        [
            Self {
                name: "GET",
                method: Method::GET,
                body: Bytes::new(),
            },
            post("POST 1 KiB", 1 << 10),
            post("POST 64 KiB", 1 << 16),
            post("POST 1 MiB", 1 << 20),
        ]
    }

    pub(crate) fn request(&self) -> Request<Bytes> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri("https://api.example.com/_functions/siteStats?month=11")
            .header("accept", "application/json");
        if !self.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        request.body(self.body.clone()).expect("a valid request")
    }

    pub(crate) fn signed(&self) -> Request<Bytes> {
        let mut request = self.request();
        sign_request(&mut request, &secrets(), &sign_options())
            .expect("a request that can be signed");
        request
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Validate,
    Sign,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Validate => "validate",
            Self::Sign => "sign",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// `validate_auth` and `sign_request`.
    Ours,
    /// What no scheme can avoid: HMAC over our signature base with a keyed state, and SHA-256 over the body; the same engine.
    Floor,
    /// The signature and, if there is a body, its digest.
    HttpsigHyper,
    /// Time, method, path and the hash of the body in a `format!`, signed, in hexadecimal in two header fields.
    HandRolled,
    /// The body, an id and the time; neither method nor path.
    StandardWebhooks,
    /// Signs only.
    AwsSigv4,
}

impl Contender {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ours,
        Self::Floor,
        Self::HttpsigHyper,
        Self::HandRolled,
        Self::StandardWebhooks,
        Self::AwsSigv4,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "hmac-auth",
            Self::Floor => "floor",
            Self::HttpsigHyper => "httpsig-hyper",
            Self::HandRolled => "hand-rolled",
            Self::StandardWebhooks => "standardwebhooks",
            Self::AwsSigv4 => "aws-sigv4",
        }
    }

    /// What is to be measured; `None` if the contender has no such operation.
    pub(crate) fn job(self, operation: Operation, message: &Message) -> Option<Box<dyn Job>> {
        Some(match (self, operation) {
            (Self::Ours, Operation::Validate) => validate(message),
            (Self::Ours, Operation::Sign) => sign(message),
            (Self::Floor, _) => floor(message),
            (Self::HttpsigHyper, Operation::Validate) => httpsig_hyper_verify(message),
            (Self::HttpsigHyper, Operation::Sign) => httpsig_hyper_sign(message),
            (Self::HandRolled, Operation::Validate) => hand_rolled_verify(message),
            (Self::HandRolled, Operation::Sign) => hand_rolled_sign(message),
            (Self::StandardWebhooks, Operation::Validate) => standardwebhooks_verify(message),
            (Self::StandardWebhooks, Operation::Sign) => standardwebhooks_sign(message),
            (Self::AwsSigv4, Operation::Sign) => aws_sigv4_sign(message),
            (Self::AwsSigv4, Operation::Validate) => return None,
        })
    }
}

/// Something to measure: first `prepare`, which does not count, then `run`.
pub(crate) trait Job {
    /// Makes ready for `count` times.
    fn prepare(&mut self, count: usize);

    /// Does it as often as was prepared for. Dropping the result belongs to it, dropping the request does not.
    fn run(&mut self);
}

struct Batch<T, M, W> {
    make: M,
    work: W,
    items: Vec<T>,
}

impl<T, O, M: FnMut() -> T, W: FnMut(&mut T) -> O> Job for Batch<T, M, W> {
    fn prepare(&mut self, count: usize) {
        self.items.clear();
        self.items
            .extend(std::iter::repeat_with(&mut self.make).take(count));
    }

    fn run(&mut self) {
        for item in &mut self.items {
            black_box((self.work)(black_box(item)));
        }
    }
}

/// A job whose `make` gives what one run of `work` needs and uses up.
pub(crate) fn job<T: 'static, O: 'static>(
    make: impl FnMut() -> T + 'static,
    work: impl FnMut(&mut T) -> O + 'static,
) -> Box<dyn Job> {
    Box::new(Batch {
        make,
        work,
        items: Vec::new(),
    })
}

fn validate(message: &Message) -> Box<dyn Job> {
    let (request, secrets, options) = (message.signed(), secrets(), validate_options());
    job(
        || (),
        move |()| validate_auth(&request, &secrets, &options).expect("a valid request"),
    )
}

fn sign(message: &Message) -> Box<dyn Job> {
    let (message, secrets, options) = (message.clone(), secrets(), sign_options());
    job(
        move || message.request(),
        move |request| sign_request(request, &secrets, &options).expect("a signable request"),
    )
}

fn floor(message: &Message) -> Box<dyn Job> {
    let request = message.signed();
    let input = SignatureInputs::new(request.headers())
        .next()
        .expect("one signature")
        .expect("a valid signature");
    let base =
        SignatureBase::of_request(&RequestHead::from(&request), &input).expect("a valid signature");
    let (base, body, key) = (
        base.as_str().to_owned(),
        message.body.clone(),
        engine::Key::new(SECRET.as_bytes()),
    );
    job(
        || (),
        move |()| {
            let body_hash = (!body.is_empty()).then(|| engine::sha256(black_box(&body)));
            (key.mac(black_box(base.as_bytes())), body_hash)
        },
    )
}

#[cfg(not(any(feature = "fips", feature = "aws-lc-rs")))]
mod engine {
    use super::{Digest, Hmac, KeyInit, Mac, Sha256};

    pub(super) struct Key(Hmac<Sha256>);

    impl Key {
        pub(super) fn new(key: &[u8]) -> Self {
            Self(Hmac::new_from_slice(key).expect("any key"))
        }

        pub(super) fn mac(&self, message: &[u8]) -> [u8; 32] {
            self.0
                .clone()
                .chain_update(message)
                .finalize()
                .into_bytes()
                .into()
        }
    }

    pub(super) fn sha256(message: &[u8]) -> [u8; 32] {
        Sha256::digest(message).into()
    }
}

#[cfg(any(feature = "fips", feature = "aws-lc-rs"))]
mod engine {
    use aws_lc_rs::{digest, hmac};

    pub(super) struct Key(hmac::Key);

    impl Key {
        pub(super) fn new(key: &[u8]) -> Self {
            Self(hmac::Key::new(hmac::HMAC_SHA256, key))
        }

        pub(super) fn mac(&self, message: &[u8]) -> hmac::Tag {
            hmac::sign(&self.0, message)
        }
    }

    pub(super) fn sha256(message: &[u8]) -> digest::Digest {
        digest::digest(&digest::SHA256, message)
    }
}

fn shared_key() -> SharedKey {
    SharedKey::HmacSha256(SECRET.into())
}

fn httpsig_hyper_verify(message: &Message) -> Box<dyn Job> {
    // The same signature that we validate. The digest is a second call, which takes the request and gives it back.
    let (request, key, has_body) = (
        message.signed().map(Full::new),
        shared_key(),
        !message.body.is_empty(),
    );
    job(
        move || Some(request.clone()),
        move |request| {
            let request = request.take().expect("one request for each run");
            block_on(async {
                request
                    .verify_message_signature(&key, Some(KEY_ID))
                    .await
                    .expect("a valid signature");
                if has_body {
                    request
                        .verify_content_digest()
                        .await
                        .expect("the right digest");
                }
            });
        },
    )
}

fn httpsig_hyper_sign(message: &Message) -> Box<dyn Job> {
    let has_body = !message.body.is_empty();
    let fields: &[&str] = if has_body {
        &["content-digest", "content-type"]
    } else {
        &[]
    };
    let components: Vec<_> = ["@method", "@authority", "@path", "@query"]
        .iter()
        .chain(fields)
        .map(|name| HttpMessageComponentId::try_from(*name).expect("a component"))
        .collect();
    let (message, key) = (message.clone(), shared_key());
    let params = move || {
        let mut params = HttpSignatureParams::try_new(&components).expect("different components");
        params.set_created(NOW).set_random_nonce().set_keyid(KEY_ID);
        params
    };
    if !has_body {
        return job(
            move || message.request().map(Full::new),
            move |request| {
                block_on(request.set_message_signature(&params(), &key, Some("sig1")))
                    .expect("a signable request");
            },
        );
    }
    // The digest is a call of its own, which changes the type of the body.
    job(
        move || {
            (
                Some(message.request().map(Full::new)),
                None::<Request<BoxBody<Bytes, HyperDigestError>>>,
            )
        },
        move |(request, signed)| {
            let request = request.take().expect("one request for each run");
            block_on(async {
                let mut request = request
                    .set_content_digest(&ContentDigestType::Sha256)
                    .await
                    .expect("a body in memory");
                request
                    .set_message_signature(&params(), &key, Some("sig1"))
                    .await
                    .expect("a signable request");
                *signed = Some(request);
            });
        },
    )
}

fn hand_rolled_mac(timestamp: u64, request: &Request<Bytes>) -> Hmac<Sha256> {
    let path = request.uri().path_and_query().expect("a path");
    let body_hash = hex(&Sha256::digest(request.body()));
    let text = format!("{timestamp}\n{}\n{path}\n{body_hash}", request.method());
    <Hmac<Sha256>>::new_from_slice(SECRET.as_bytes())
        .expect("any key")
        .chain_update(text)
}

fn hand_rolled_sign_request(request: &mut Request<Bytes>) {
    let mac = hand_rolled_mac(NOW, request).finalize().into_bytes();
    let headers = request.headers_mut();
    headers.insert("x-timestamp", NOW.into());
    headers.insert(
        "x-signature",
        HeaderValue::try_from(hex(&mac)).expect("hexadecimal"),
    );
}

fn hand_rolled_sign(message: &Message) -> Box<dyn Job> {
    let message = message.clone();
    job(move || message.request(), hand_rolled_sign_request)
}

fn hand_rolled_verify(message: &Message) -> Box<dyn Job> {
    let mut request = message.request();
    hand_rolled_sign_request(&mut request);
    job(
        || (),
        move |()| {
            let field = |name| {
                request
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .expect("a field")
            };
            let timestamp: u64 = field("x-timestamp").parse().expect("a number");
            assert!(black_box(NOW).abs_diff(timestamp) <= 60);
            let mac = unhex(field("x-signature")).expect("hexadecimal");
            hand_rolled_mac(timestamp, &request)
                .verify_slice(&mac)
                .expect("the right MAC");
        },
    )
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?))
        .collect()
}

/// `standardwebhooks` reads the clock itself.
fn webhook_time() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time after 1970");
    i64::try_from(since.as_secs()).expect("a time before the end of all things")
}

fn standardwebhooks_sign_request(webhook: &Webhook, timestamp: i64, request: &mut Request<Bytes>) {
    let signature = webhook
        .sign("msg_1", timestamp, request.body())
        .expect("a body of UTF-8");
    let headers = request.headers_mut();
    headers.insert(HEADER_WEBHOOK_ID, HeaderValue::from_static("msg_1"));
    headers.insert(HEADER_WEBHOOK_TIMESTAMP, timestamp.into());
    headers.insert(
        HEADER_WEBHOOK_SIGNATURE,
        HeaderValue::try_from(signature).expect("base64"),
    );
}

fn standardwebhooks_sign(message: &Message) -> Box<dyn Job> {
    let (message, timestamp) = (message.clone(), webhook_time());
    let webhook = Webhook::from_bytes(SECRET.into()).expect("any key");
    job(
        move || message.request(),
        move |request| standardwebhooks_sign_request(&webhook, timestamp, request),
    )
}

fn standardwebhooks_verify(message: &Message) -> Box<dyn Job> {
    let mut request = message.request();
    let webhook = Webhook::from_bytes(SECRET.into()).expect("any key");
    standardwebhooks_sign_request(&webhook, webhook_time(), &mut request);
    job(
        || (),
        move |()| {
            webhook
                .verify(request.body(), request.headers())
                .expect("a valid request");
        },
    )
}

fn aws_sigv4_sign(message: &Message) -> Box<dyn Job> {
    let message = message.clone();
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "hardcoded").into();
    job(
        move || message.request(),
        move |request| {
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region("us-east-1")
                .name("execute-api")
                .time(now())
                .settings(SigningSettings::default())
                .build()
                .expect("all parameters")
                .into();
            let uri = request.uri().to_string();
            let headers = request
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")));
            let body = SignableBody::Bytes(request.body());
            let signable = SignableRequest::new(request.method().as_str(), uri, headers, body)
                .expect("a signable request");
            let (instructions, _) = aws_sigv4::http_request::sign(signable, &params)
                .expect("a signable request")
                .into_parts();
            instructions.apply_to_request_http1x(request);
        },
    )
}
