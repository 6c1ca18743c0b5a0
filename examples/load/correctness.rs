//! Many requests, of which one in a hundred is forged in a known way: each must get the one right answer.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac_auth::{AuthErrorKind, MemorySecrets, SignOptions, Validated, sign_request};
use http::{HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    client::{Answer, Connection, sign_options, wire},
    host::{AUTHORITY, Host, SITES, block_on, layer, secrets},
    report::Report,
};

/// One of so many requests is forged.
const FORGED_OF: u64 = 100;

const THREADS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
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
    Replay,
    Unsigned,
}

const FORGERIES: [Kind; 11] = [
    Kind::Body,
    Kind::Path,
    Kind::Query,
    Kind::Method,
    Kind::Header,
    Kind::Mac,
    Kind::OtherKeyId,
    Kind::UnknownKeyId,
    Kind::Stale,
    Kind::Replay,
    Kind::Unsigned,
];

impl Kind {
    fn of(number: u64) -> Self {
        if number % FORGED_OF != FORGED_OF / 2 {
            return Self::Genuine;
        }
        let index = usize::try_from(number / FORGED_OF).expect("64 bits") % FORGERIES.len();
        FORGERIES[index]
    }

    fn expected(self) -> Answer {
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
            Self::Replay => AuthErrorKind::Replayed,
            Self::Unsigned => AuthErrorKind::MissingSignature,
        };
        Answer {
            status: 401,
            refused: Some(refused.as_str().to_owned()),
        }
    }
}

/// How many were sent of each kind, and how many answers were wrong.
type Counts = BTreeMap<Kind, (u64, u64)>;

pub(crate) fn measure(count: u64, report: &mut Report) {
    println!("\n# Correctness");
    let over_sockets = count / 10;
    let host = Host::start();
    let counts = check(over_sockets, async |numbers| {
        let mut connection = Connection::new(host.address).await;
        check_each(numbers, async |request| {
            connection.call(&wire(&request)).await
        })
        .await
    });
    let mut wrong = print("over sockets", over_sockets, &counts);

    let in_process = count - over_sockets;
    let handled = AtomicU64::new(0);
    let service = layer().layer(service_fn(async |request: Request<Full<Bytes>>| {
        assert!(request.extensions().get::<Validated>().is_some());
        handled.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let counts = check(in_process, async |numbers| {
        let service = service.clone();
        check_each(numbers, async |request| {
            let Ok(response) = service.clone().oneshot(request.map(Full::new)).await;
            let refused = response
                .extensions()
                .get::<AuthErrorKind>()
                .map(|kind| kind.as_str().to_owned());
            Answer {
                status: response.status().as_u16(),
                refused,
            }
        })
        .await
    });
    wrong += print("in process", in_process, &counts);
    let genuine = counts.get(&Kind::Genuine).map_or(0, |(sent, _)| *sent);
    println!(
        "\nThe handler was reached {} times by {genuine} genuine requests.",
        handled.load(Ordering::Relaxed)
    );
    report.wrong_answers(wrong + handled.into_inner().abs_diff(genuine));
}

fn print(how: &str, count: u64, counts: &Counts) -> u64 {
    println!("\n| {count} requests {how} | sent | answered wrongly |");
    println!("| --- | ---: | ---: |");
    for (kind, (sent, wrong)) in counts {
        println!("| {kind:?} | {sent} | {wrong} |");
    }
    counts.values().map(|(_, wrong)| wrong).sum()
}

/// Gives each of several threads a share of the numbers.
fn check(count: u64, each: impl AsyncFn(Range<u64>) -> Counts + Sync) -> Counts {
    thread::scope(|scope| {
        let shares =
            (0..THREADS).map(|thread| thread * count / THREADS..(thread + 1) * count / THREADS);
        let threads: Vec<_> = shares
            .map(|numbers| scope.spawn(|| block_on(each(numbers))))
            .collect();
        let mut all = Counts::new();
        for (kind, (sent, wrong)) in threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
        {
            let counts = all.entry(kind).or_default();
            *counts = (counts.0 + sent, counts.1 + wrong);
        }
        all
    })
}

async fn check_each(
    numbers: Range<u64>,
    mut call: impl AsyncFnMut(Request<Bytes>) -> Answer,
) -> Counts {
    let mut consumer = Consumer::new(numbers.start);
    let mut counts = Counts::new();
    for number in numbers {
        let kind = Kind::of(number);
        let answer = call(consumer.request(number, kind)).await;
        let (sent, wrong) = counts.entry(kind).or_default();
        *sent += 1;
        if answer != kind.expected() {
            *wrong += 1;
            println!("request {number}, {kind:?}: {answer:?}");
        }
    }
    counts
}

/// Signs requests that are all different, and forges some.
struct Consumer {
    secrets: MemorySecrets,
    options: SignOptions,
    random: u64,
    /// The last genuine one.
    previous: Option<Request<Bytes>>,
}

impl Consumer {
    fn new(seed: u64) -> Self {
        Self {
            secrets: secrets(),
            options: sign_options(),
            random: seed.wrapping_mul(2) | 1,
            previous: None,
        }
    }

    fn request(&mut self, number: u64, kind: Kind) -> Request<Bytes> {
        if kind == Kind::Replay {
            return self.previous.clone().expect("an earlier request");
        }
        let mut request = self.unsigned(number, kind);
        let options = match kind {
            Kind::Unsigned => return request,
            Kind::Stale => self
                .options
                .clone()
                .at(SystemTime::now() - Duration::from_secs(100)),
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
            Kind::UnknownKeyId | Kind::Stale | Kind::Replay | Kind::Unsigned => {}
        }
        request
    }

    fn unsigned(&mut self, number: u64, kind: Kind) -> Request<Bytes> {
        let is_get = kind == Kind::Genuine && number % 10 == 0;
        let len = if is_get { 0 } else { 1 + self.random() % 2048 };
        let body: Bytes = (0..len).map(|_| self.random().to_le_bytes()[7]).collect();
        Request::builder()
            .method(if is_get { Method::GET } else { Method::POST })
            .uri(format!(
                "https://{AUTHORITY}/orders/{number}?page={}",
                number % 7
            ))
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
