//! The clients: each sends requests of its own kinds until the end.

use std::{
    fmt, io, mem,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind, MemorySecrets, sign_request};
use http::Request;
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};

use crate::{
    client::{Answer, Connection, head, sign_options, wire},
    consumer::{Consumer, FORGERIES, Kind},
    host::{AUTHORITY, secrets},
    pace::Pace,
    rotation::Keys,
    routes::MAX_BODY_LEN,
    tally::Tally,
};

/// As many requests are under way all the time.
const BUSY: u64 = 12;
const UPLOADING: u64 = 2;
const SLOW: u64 = 4;
const RESETTING: u64 = 2;

/// What takes longer is no answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A slow client pauses after each piece.
const PIECES: usize = 12;
const PAUSE: Duration = Duration::from_millis(150);

const KIB: usize = 1 << 10;

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    /// Small, and most of all.
    Small(Kind),
    /// Signed with the previous secret while it is accepted, and when no longer.
    Previous,
    Retired,
    Large,
    TooLarge,
    Streamed,
    StreamedChanged,
    Slow,
    SlowForged,
    /// Reset in the middle of its body, then sent anew: the signature was not used up.
    Reset,
}

impl Sort {
    pub(crate) const GENUINE: Self = Self::Small(Kind::Genuine);

    const OTHERS: [Self; 9] = [
        Self::Previous,
        Self::Retired,
        Self::Large,
        Self::TooLarge,
        Self::Streamed,
        Self::StreamedChanged,
        Self::Slow,
        Self::SlowForged,
        Self::Reset,
    ];

    fn all() -> impl Iterator<Item = Self> {
        let small = FORGERIES.into_iter().map(Self::Small);
        small.chain([Self::GENUINE]).chain(Self::OTHERS)
    }

    fn expected(self) -> Answer {
        let (status, refused) = match self {
            Self::Small(kind) => return kind.expected(),
            Self::Previous | Self::Large | Self::Streamed | Self::Slow | Self::Reset => (200, None),
            Self::Retired | Self::SlowForged => (401, Some(AuthErrorKind::WrongMac)),
            Self::TooLarge => (413, Some(AuthErrorKind::BodyTooLarge)),
            Self::StreamedChanged => (401, Some(AuthErrorKind::WrongDigest)),
        };
        let refused = refused.map(|kind| kind.as_str().to_owned());
        Answer { status, refused }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Small(kind) => write!(f, "{kind:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// What all clients share.
#[derive(Clone)]
pub(crate) struct Traffic {
    address: SocketAddr,
    end: Instant,
    keys: Keys,
    pace: Arc<Mutex<Pace>>,
    tally: Arc<Mutex<Tally>>,
}

impl Traffic {
    pub(crate) fn new(address: SocketAddr, end: Instant) -> Self {
        Self {
            address,
            end,
            keys: Keys::new(secrets()),
            pace: Arc::new(Mutex::new(Pace::new())),
            tally: Arc::new(Mutex::new(Tally::new(Sort::all()))),
        }
    }

    pub(crate) fn secrets(&self) -> Keys {
        self.keys.clone()
    }

    /// From now on, small requests keep one rate.
    pub(crate) fn hold(&self) {
        self.pace().hold();
    }

    pub(crate) fn begin_measuring(&self) {
        self.tally().begin_measuring();
    }

    /// How many requests were answered rightly after the warm-up, until now.
    pub(crate) fn answered(&self) -> f64 {
        self.tally().measured()
    }

    /// When no client is left.
    pub(crate) fn into_tally(self) -> Tally {
        let tally = Arc::into_inner(self.tally).expect("the clients are gone");
        tally.into_inner().expect("no panic")
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().expect("no panic")
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("no panic")
    }

    pub(crate) fn start(&self) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for client in 0..BUSY {
            clients.spawn(self.clone().busy(client << 40));
        }
        for client in 0..UPLOADING {
            clients.spawn(self.clone().upload(client));
        }
        for client in 0..SLOW {
            clients.spawn(self.clone().slow(client));
        }
        for _ in 0..RESETTING {
            clients.spawn(self.clone().reset());
        }
        clients
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    fn current(&self) -> MemorySecrets {
        self.keys.lock().current.clone()
    }

    /// Eighty of a hundred requests are genuine.
    async fn busy(self, first: u64) {
        let mut consumer = Consumer::new(first, self.current());
        let mut connection = Connection::new(self.address).await;
        for count in 0.. {
            let turn = self.pace().turn();
            if let Some(turn) = turn.filter(|turn| *turn > Instant::now()) {
                sleep_until(turn.into()).await;
            }
            if self.is_over() {
                return;
            }
            let number = first + count;
            let (sort, request) = match count % 100 {
                place @ 80..92 => {
                    let index = usize::try_from(place - 80).expect("64 bits");
                    self.small(&mut consumer, number, FORGERIES[index])
                }
                92..96 => self
                    .signed_with_old(number)
                    .unwrap_or_else(|| self.small(&mut consumer, number, Kind::Genuine)),
                _ => self.small(&mut consumer, number, Kind::Genuine),
            };
            let request = wire(&request);
            if !self.judge(sort, connection.call(&request)).await {
                connection = Connection::new(self.address).await;
            }
        }
    }

    fn small(&self, consumer: &mut Consumer, number: u64, kind: Kind) -> (Sort, Request<Bytes>) {
        consumer.secrets = self.current();
        (Sort::Small(kind), consumer.request(number, kind))
    }

    /// Signed with a secret that is no longer the current one, if there is one.
    fn signed_with_old(&self, number: u64) -> Option<(Sort, Request<Bytes>)> {
        let keys = self.keys.lock();
        let (sort, old) = match &keys.previous {
            Some(previous) => (Sort::Previous, previous.clone()),
            None => (Sort::Retired, keys.retired.clone()?),
        };
        drop(keys);
        let request = signed(&format!("/orders/{number}"), body(512), &old);
        Some((sort, request))
    }

    async fn upload(self, client: u64) {
        let max = usize::try_from(MAX_BODY_LEN).expect("64 bits");
        let sorts = [
            (Sort::Large, "/orders/large", max),
            (Sort::Streamed, "/upload", 1024 * KIB),
            (Sort::TooLarge, "/orders/large", max + 1),
            (Sort::StreamedChanged, "/upload", 512 * KIB),
        ];
        for (sort, path, len) in sorts.into_iter().cycle().skip(usize::from(client > 0)) {
            if self.is_over() {
                return;
            }
            let mut request = wire(&signed(path, body(len), &self.current()));
            if sort == Sort::StreamedChanged {
                *request.last_mut().expect("a body") ^= 1;
            }
            // The host may close a connection whose body it does not read to its end.
            let mut connection = Connection::new(self.address).await;
            self.judge(sort, connection.call(&request)).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn slow(self, client: u64) {
        let sort = if client % 2 == 0 {
            Sort::Slow
        } else {
            Sort::SlowForged
        };
        while !self.is_over() {
            let request = signed("/orders/slow", body(2 * KIB), &self.current());
            let mut request = wire(&request);
            if sort == Sort::SlowForged {
                // Another path: the MAC is that of the other one.
                let path = request.iter().position(|byte| *byte == b'/').expect("one");
                request[path + 8] ^= 1;
            }
            let mut connection = Connection::new(self.address).await;
            let answer = async {
                for piece in request.chunks(request.len().div_ceil(PIECES)) {
                    connection.stream.write_all(piece).await?;
                    sleep(PAUSE).await;
                }
                connection.answer().await
            };
            self.judge(sort, answer).await;
        }
    }

    async fn reset(self) {
        while !self.is_over() {
            let request = signed("/orders/reset", body(64 * KIB), &self.current());
            let (text, head) = (wire(&request), head(&request, request.body().len()));
            let mut connection = Connection::new(self.address).await;
            let answer = async {
                connection
                    .stream
                    .write_all(&text[..head.len() + 100])
                    .await?;
                // Time for the host to begin with the body.
                sleep(Duration::from_millis(5)).await;
                connection.stream.set_zero_linger()?;
                let whole = Connection::new(self.address).await;
                drop(mem::replace(&mut connection, whole));
                connection.call(&text).await
            };
            self.judge(Sort::Reset, answer).await;
        }
    }

    /// Whether there was an answer at all.
    async fn judge(&self, sort: Sort, answer: impl Future<Output = io::Result<Answer>>) -> bool {
        let began = Instant::now();
        let answer = timeout(PATIENCE, answer).await;
        let latency = began.elapsed();
        let mut tally = self.tally();
        match answer {
            Ok(Ok(answer)) if answer == sort.expected() => {
                tally.right(sort, latency);
                return true;
            }
            Ok(Ok(answer)) => {
                tally.wrong_answer(sort, &format!("{answer:?}"));
                return true;
            }
            Ok(Err(error)) => tally.wrong_answer(sort, &format!("no answer: {error}")),
            Err(_) => tally.wrong_answer(sort, &format!("no answer within {PATIENCE:?}")),
        }
        false
    }
}

fn body(len: usize) -> Bytes {
    vec![b'x'; len].into()
}

fn signed(path: &str, body: Bytes, secrets: &MemorySecrets) -> Request<Bytes> {
    let mut request = Request::post(format!("https://{AUTHORITY}{path}"))
        .header("content-type", "application/octet-stream")
        .body(body)
        .expect("a valid request");
    sign_request(&mut request, secrets, &sign_options()).expect("signing works");
    request
}
