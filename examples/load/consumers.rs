//! Ten thousand consumers: in a list, and in a directory behind its cache. One request in a hundred has a made-up key id.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use hmac_auth::{
    CachedDirectory, Consumer, ConsumerDirectory, DEFAULT_TIME_TO_LIVE, FindConsumer,
    MemorySecrets, Secret, SecretStore, SignOptions, ValidateOptions, tower::ValidateAuthLayer,
};
use tokio::time::sleep;

use crate::{
    batch::{Sent, send_all, signed_post},
    client::Connection,
    host::{AUTHORITY, Host, block_on},
    rate::{CONNECTIONS, body},
    report::Report,
    routes::replay_guard,
    spread::{median_and_spread, quantile},
};

const CONSUMERS: usize = 10_000;
const ROUNDS: usize = 24;
const REQUESTS: usize = 6_000;
const ONE_IN: usize = 100;

/// How long the database takes to answer.
const LOOK_UP: Duration = Duration::from_millis(1);

/// How long the cache takes a request to last: the rate of a host under full load.
const REQUEST: Duration = Duration::from_micros(25);

const VARIANTS: [(&str, &str); 2] = [("list", "/listed"), ("directory", "/found")];

/// The host that lists all of them.
pub(crate) fn listed() -> ValidateAuthLayer {
    let key_ids = (0..CONSUMERS).map(key_id);
    let options = options().key_ids(key_ids.map(|key_id| (key_id.clone(), key_id)));
    options.check().expect("options that agree");
    ValidateAuthLayer::new(secrets(), options).replay_guard(replay_guard())
}

/// The host that finds them in a database.
pub(crate) fn found() -> ValidateAuthLayer {
    let directory = CachedDirectory::new(Database(secrets())).clock(clock());
    ValidateAuthLayer::with_directory(directory, options()).replay_guard(replay_guard())
}

/// Goes on when it is asked, so that a busy machine has as many consumers to confirm in the background as an idle one:
/// those of a long run, because the warm-up spreads their ages over the time after which each is confirmed.
fn clock() -> impl Fn() -> SystemTime + Send + Sync + 'static {
    let (began, asked) = (SystemTime::now(), AtomicU32::new(0));
    // A look-up asks it too.
    let warm_up = u32::try_from(2 * CONSUMERS).expect("32 bits");
    let step = DEFAULT_TIME_TO_LIVE * 3 / 4 / warm_up;
    move || {
        let asked = asked.fetch_add(1, Ordering::Relaxed);
        began + step * asked.min(warm_up) + REQUEST * asked.saturating_sub(warm_up)
    }
}

fn options() -> ValidateOptions {
    ValidateOptions::new().authorities([AUTHORITY])
}

struct Database(MemorySecrets);

impl ConsumerDirectory for Database {
    fn find(&self, key_id: &str) -> FindConsumer {
        let secrets = self.0.lookup(key_id).ok();
        let consumer = secrets.map(|secrets| Consumer::new(key_id, secrets));
        FindConsumer::pending(async move {
            sleep(LOOK_UP).await;
            Ok(consumer)
        })
    }
}

fn key_id(index: usize) -> String {
    format!("site-{index}")
}

/// The name of each is its key id.
fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    for key_id in (0..CONSUMERS).map(key_id) {
        let secret = Secret::from_text(&format!("the secret of {key_id}"));
        secrets.insert(key_id, secret.expect("long enough"));
    }
    secrets
}

#[derive(Default)]
struct Variant {
    /// Of the consumers, for each round in µs.
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// Of the made-up key ids, of all rounds.
    unknown: Vec<f64>,
}

pub(crate) fn measure(report: &mut Report) {
    let host = Host::start();
    let mut variants: [Variant; 2] = Default::default();
    let mut wrong_answers = 0;
    block_on(async {
        let requests = Requests::new();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::new(host.address).await);
        }
        for (_, path) in VARIANTS {
            let all = Arc::new(
                (0..CONSUMERS)
                    .map(|index| requests.of(index, path))
                    .collect(),
            );
            let sent = send_all(&mut connections, &all).await;
            wrong_answers += sent.iter().filter(|sent| sent.status != 200).count();
        }
        for round in 0..ROUNDS {
            for turn in 0..VARIANTS.len() {
                let index = (round + turn) % VARIANTS.len();
                let first = (round * VARIANTS.len() + turn) * REQUESTS;
                let numbers = first..first + REQUESTS;
                let all = Arc::new(
                    numbers
                        .clone()
                        .map(|number| requests.mixed(number, VARIANTS[index].1))
                        .collect(),
                );
                let sent = send_all(&mut connections, &all).await;
                let (unknown, known): (Vec<_>, Vec<_>) = numbers
                    .zip(sent)
                    .partition(|(number, _)| number % ONE_IN == 0);
                let is_wrong = |sent: &[(usize, Sent)], status| {
                    let wrong = sent.iter().filter(|(_, sent)| sent.status != status);
                    wrong.count()
                };
                wrong_answers += is_wrong(&unknown, 401) + is_wrong(&known, 200);
                let micros = |sent: Vec<(usize, Sent)>| {
                    let micros = sent.into_iter().map(|(_, sent)| sent.micros);
                    micros.collect::<Vec<_>>()
                };
                let mut known = micros(known);
                variants[index].p50.push(quantile(&mut known, 0.5));
                variants[index].p99.push(quantile(&mut known, 0.99));
                variants[index].unknown.extend(micros(unknown));
            }
        }
    });

    println!("\n# Ten thousand consumers\n");
    println!(
        "POST of 1 KiB JSON, {CONNECTIONS} connections, one request in {ONE_IN} with a made-up key id, which a database \
         knows after {} ms. Medians of {ROUNDS} rounds of {REQUESTS} requests.\n",
        LOOK_UP.as_millis()
    );
    println!("| consumers in a | p50 µs | p99 µs | made-up key ids, p50 µs |");
    println!("| --- | ---: | ---: | ---: |");
    for ((name, _), variant) in VARIANTS.iter().zip(&mut variants) {
        let [p50, p99] =
            [&variant.p50, &variant.p99].map(|values| median_and_spread(values.clone()).0);
        let unknown = quantile(&mut variant.unknown, 0.5);
        println!("| {name} | {p50:.0} | {p99:.0} | {unknown:.0} |");
    }
    let [listed, found] = &variants;
    let ratios = found.p99.iter().zip(&listed.p99);
    let (ratio, text) = median_and_spread(ratios.map(|(found, listed)| found / listed).collect());
    println!("\np99 within a round, directory / list: {text}");
    report.time_at_most("p99 of 10,000 consumers, directory / list", ratio, 1.2);
    report.wrong_answers(u64::try_from(wrong_answers).expect("64 bits"));
}

/// Signs for all consumers, and for others.
struct Requests {
    secrets: MemorySecrets,
    nobody: MemorySecrets,
    body: Bytes,
}

impl Requests {
    fn new() -> Self {
        let nobody = MemorySecrets::new();
        let secret = Secret::from_text("a secret of nobody");
        nobody.insert("nobody", secret.expect("long enough"));
        Self {
            secrets: secrets(),
            nobody,
            body: body(),
        }
    }

    fn of(&self, index: usize, path: &str) -> Vec<u8> {
        let key_id = key_id(index % CONSUMERS);
        let options = SignOptions::new().secret_name(&*key_id).key_id(&*key_id);
        signed_post(path, &self.body, &self.secrets, &options)
    }

    /// Nobody twice, and the consumers in an order that jumps.
    fn mixed(&self, number: usize, path: &str) -> Vec<u8> {
        if number % ONE_IN != 0 {
            return self.of(number * 7_919, path);
        }
        let options = SignOptions::new().secret_name("nobody");
        let options = options.key_id(format!("nobody-{number}"));
        signed_post(path, &self.body, &self.nobody, &options)
    }
}
