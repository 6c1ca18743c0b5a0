//! A consumer whose requests are all different, and the ways to forge one.

use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac_auth::{AuthErrorKind, MemorySecrets, SignOptions, sign_request};
use http::{HeaderValue, Method, Request, header::CONTENT_TYPE};

use crate::{
    client::{Answer, sign_options},
    host::{AUTHORITY, SITES},
};

/// More than any host allows.
const WRONG_CLOCK: Duration = Duration::from_secs(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Genuine,
    Body,
    Path,
    Query,
    Method,
    Header,
    Mac,
    OtherKeyId,
    UnknownKeyId,
    Stale,
    InFuture,
    Replay,
    Unsigned,
}

pub(crate) const FORGERIES: [Kind; 12] = [
    Kind::Body,
    Kind::Path,
    Kind::Query,
    Kind::Method,
    Kind::Header,
    Kind::Mac,
    Kind::OtherKeyId,
    Kind::UnknownKeyId,
    Kind::Stale,
    Kind::InFuture,
    Kind::Replay,
    Kind::Unsigned,
];

impl Kind {
    pub(crate) fn expected(self) -> Answer {
        let refused = match self {
            Self::Genuine => {
                return Answer {
                    status: 200,
                    refused: None,
                };
            }
            Self::Body => AuthErrorKind::WrongDigest,
            Self::Path
            | Self::Query
            | Self::Method
            | Self::Header
            | Self::Mac
            | Self::OtherKeyId => AuthErrorKind::WrongMac,
            Self::UnknownKeyId => AuthErrorKind::UnknownKeyId,
            Self::Stale => AuthErrorKind::Stale,
            Self::InFuture => AuthErrorKind::InFuture,
            Self::Replay => AuthErrorKind::Replayed,
            Self::Unsigned => AuthErrorKind::MissingSignature,
        };
        Answer {
            status: 401,
            refused: Some(refused.as_str().to_owned()),
        }
    }
}

/// Signs requests that are all different, and forges some.
pub(crate) struct Consumer {
    pub(crate) secrets: MemorySecrets,
    options: SignOptions,
    random: u64,
    /// The last genuine one.
    previous: Option<Request<Bytes>>,
}

impl Consumer {
    pub(crate) fn new(seed: u64, secrets: MemorySecrets) -> Self {
        Self {
            secrets,
            options: sign_options(),
            random: seed.wrapping_mul(2) | 1,
            previous: None,
        }
    }

    pub(crate) fn request(&mut self, number: u64, kind: Kind) -> Request<Bytes> {
        if kind == Kind::Replay {
            return self.previous.clone().expect("an earlier request");
        }
        let is_get = kind == Kind::Genuine && number % 10 == 0;
        let len = if is_get { 0 } else { 1 + self.random() % 2048 };
        let mut request = self.unsigned(&format!("/orders/{number}?page={}", number % 7), len);
        let options = match kind {
            Kind::Unsigned => return request,
            Kind::Stale => self.options.clone().at(SystemTime::now() - WRONG_CLOCK),
            Kind::InFuture => self.options.clone().at(SystemTime::now() + WRONG_CLOCK),
            Kind::UnknownKeyId => self.options.clone().key_id("site-x"),
            _ => self.options.clone(),
        };
        sign_request(&mut request, &self.secrets, &options).expect("signing works");
        match kind {
            Kind::Genuine => self.previous = Some(request.clone()),
            Kind::Body => {
                let mut body = request.body().to_vec();
                self.flip_a_bit(&mut body);
                *request.body_mut() = body.into();
            }
            Kind::Path => set_target(
                &mut request,
                &format!("/orders/{}?page={}", number + 1, number % 7),
            ),
            Kind::Query => set_target(
                &mut request,
                &format!("/orders/{number}?page={}", number % 7 + 1),
            ),
            Kind::Method => *request.method_mut() = Method::PUT,
            Kind::Header => {
                request
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
            Kind::Mac => self.change(&mut request, "signature", |consumer, value| {
                let text = value.trim_start_matches("sig1=:").trim_end_matches(':');
                let mut mac = STANDARD.decode(text).expect("base64");
                consumer.flip_a_bit(&mut mac);
                format!("sig1=:{}:", STANDARD.encode(mac))
            }),
            Kind::OtherKeyId => self.change(&mut request, "signature-input", |_, value| {
                value.replace(SITES[0], SITES[1])
            }),
            Kind::UnknownKeyId | Kind::Stale | Kind::InFuture | Kind::Replay | Kind::Unsigned => {}
        }
        request
    }

    /// Without a body, it is a GET.
    fn unsigned(&mut self, target: &str, len: u64) -> Request<Bytes> {
        let body: Bytes = (0..len).map(|_| self.random().to_le_bytes()[7]).collect();
        Request::builder()
            .method(if len == 0 { Method::GET } else { Method::POST })
            .uri(format!("https://{AUTHORITY}{target}"))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(body)
            .expect("a valid request")
    }

    fn flip_a_bit(&mut self, bytes: &mut [u8]) {
        let bit = usize::try_from(self.random() >> 16).expect("64 bits") % (8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
    }

    fn change(
        &mut self,
        request: &mut Request<Bytes>,
        name: &'static str,
        change: impl Fn(&mut Self, &str) -> String,
    ) {
        let value = change(self, request.headers()[name].to_str().expect("ASCII"));
        request
            .headers_mut()
            .insert(name, HeaderValue::try_from(value).expect("ASCII"));
    }

    fn random(&mut self) -> u64 {
        // xorshift64*, Vigna 2016.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

fn set_target(request: &mut Request<Bytes>, target: &str) {
    *request.uri_mut() = format!("https://{AUTHORITY}{target}")
        .parse()
        .expect("a valid target");
}
