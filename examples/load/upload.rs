//! Large uploads: what the host holds in memory, how fast it reads, and whether small requests have to wait.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use hmac_auth::sign_request;
use http::Request;

use crate::{
    batch::signed_posts,
    client::{Answer, answer, head, sign_options},
    host::{AUTHORITY, Host, secrets},
    report::Report,
    spread::{median_and_spread, quantile},
};

const ROUNDS: usize = 5;
const UPLOADS_AT_ONCE: usize = 4;
const SMALL_REQUESTS_FOR: Duration = Duration::from_secs(1);

/// With uploads of so many MiB.
pub(crate) fn measure(mib: u32, report: &mut Report) {
    let len = usize::try_from(mib).expect("32 bits") << 20;
    let host = Host::start();
    let body: Vec<u8> = (0..=250).cycle().take(len).collect();
    // A small one first, so that the idle host has all that it keeps.
    upload(host.address, "/upload", &body[..1 << 20]);
    let idle = host.memory("VmRSS");

    println!("\n# Uploads\n");
    println!("One of {mib} MiB at a time, {ROUNDS} rounds.\n");
    let [mut rates, mut costs] = [(); 2].map(|()| [Vec::new(), Vec::new()]);
    for round in 0..ROUNDS {
        for turn in [0, 1] {
            // The first is a verified one: the highest memory before it tells of nothing else.
            let variant = (round + turn + 1) % 2;
            let before = host.busy();
            let elapsed = upload(host.address, ["/hash", "/upload"][variant], &body);
            let busy = host
                .busy()
                .zip(before)
                .map_or(elapsed, |(after, before)| after.saturating_sub(before));
            rates[variant].push(f64::from(mib) / elapsed.as_secs_f64());
            costs[variant].push(busy.as_secs_f64() * 1e6 / f64::from(mib));
            if let (0, 0, Some((idle, highest))) = (round, turn, idle.zip(host.memory("VmHWM"))) {
                let above = (highest - idle) / 1024.0;
                println!(
                    "Resident memory: {:.1} MiB idle, at most {above:.1} MiB more.\n",
                    idle / 1024.0
                );
                report.count_at_most(&format!("MiB above idle, upload of {mib} MiB"), above, 32.0);
            }
        }
    }
    println!("| variant | MiB/s | host µs/MiB |");
    println!("| --- | ---: | ---: |");
    for (variant, name) in ["handler that hashes", "layer"].into_iter().enumerate() {
        let [rate, cost] =
            [&rates, &costs].map(|values| median_and_spread(values[variant].clone()).0);
        println!("| {name} | {rate:.0} | {cost:.0} |");
    }
    let [ratio, cost] = [&rates, &costs].map(|[hash, verified]| {
        median_and_spread(
            verified
                .iter()
                .zip(hash)
                .map(|(verified, hash)| verified / hash)
                .collect(),
        )
    });
    println!(
        "| layer / handler, within a round | {} | {} |",
        ratio.1, cost.1
    );
    report.rate_at_least("MiB/s, layer / handler that hashes", ratio.0, 0.9);

    println!(
        "\nSmall requests beside {UPLOADS_AT_ONCE} uploads, {ROUNDS} rounds; p99 is the median of the rounds.\n"
    );
    println!("| each upload | is | requests | p50 ms | p99 ms |");
    println!("| --- | --- | ---: | ---: | ---: |");
    for (speed, pause) in [
        ("as fast as it goes", None),
        ("64 MiB/s", Some(Duration::from_millis(4))),
    ] {
        let ratio = measure_small(host.address, speed, pause);
        // With time to spare, a small request waits for the pieces being hashed alone: no goal, but worth knowing.
        if pause.is_none() {
            report.time_at_most(
                "p99 of small requests beside uploads, verified / only read",
                ratio,
                1.5,
            );
        }
    }
}

/// The p99 beside verified uploads, by that beside uploads that are only read.
fn measure_small(address: SocketAddr, speed: &str, pause: Option<Duration>) -> f64 {
    const VARIANTS: [(&str, &str); 3] = [
        ("only read", "/drain"),
        ("hashed by the handler", "/hash"),
        ("verified", "/upload"),
    ];
    let mut latencies = [Vec::new(), Vec::new(), Vec::new()];
    let mut p99s = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for turn in 0..VARIANTS.len() {
            let variant = (round + turn) % VARIANTS.len();
            let mut measured = beside_uploads(address, VARIANTS[variant].1, pause);
            p99s[variant].push(quantile(&mut measured, 0.99));
            latencies[variant].append(&mut measured);
        }
    }
    for (((name, _), latencies), p99s) in VARIANTS.iter().zip(&mut latencies).zip(&p99s) {
        let (p50, p99) = (quantile(latencies, 0.5), median_and_spread(p99s.clone()).1);
        println!(
            "| {speed} | {name} | {} | {p50:.2} | {p99} |",
            latencies.len()
        );
    }
    let [read, _, verified] = p99s;
    let (ratio, text) = median_and_spread(
        verified
            .iter()
            .zip(&read)
            .map(|(verified, read)| verified / read)
            .collect(),
    );
    println!("| {speed} | verified / only read | | | {text} |");
    ratio
}

/// How long one upload takes, from its first byte to the answer.
fn upload(address: SocketAddr, path: &str, body: &[u8]) -> Duration {
    let head = head(&signed(path, body), body.len());
    let mut stream = TcpStream::connect(address).expect("the host listens");
    let start = Instant::now();
    stream.write_all(&head).expect("the host reads");
    stream.write_all(body).expect("the host reads");
    let answer = read_answer(&mut stream);
    let elapsed = start.elapsed();
    assert_eq!(answer.status, 200, "{answer:?}");
    elapsed
}

fn signed<'a>(path: &str, body: &'a [u8]) -> Request<&'a [u8]> {
    let mut request = Request::post(format!("https://{AUTHORITY}{path}"))
        .header("content-type", "application/octet-stream")
        .body(body)
        .expect("a valid request");
    sign_request(&mut request, &secrets(), &sign_options()).expect("signing works");
    request
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = answer(&bytes) {
            return answer;
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).expect("the host answers");
        assert!(read > 0, "the host has closed the connection");
        bytes.extend(&piece[..read]);
    }
}

/// Latencies of small requests in ms, while uploads go on that never end, with a pause after each 256 KiB.
fn beside_uploads(address: SocketAddr, path: &str, pause: Option<Duration>) -> Vec<f64> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..UPLOADS_AT_ONCE {
            scope.spawn(|| {
                let piece = vec![7; 256 * 1024];
                let mut stream = TcpStream::connect(address).expect("the host listens");
                // The digest would only matter at the end.
                stream
                    .write_all(&head(&signed(path, b"not the body"), usize::MAX >> 8))
                    .expect("the host reads");
                while !is_over.load(Ordering::Relaxed) {
                    stream.write_all(&piece).expect("the host reads");
                    if let Some(pause) = pause {
                        thread::sleep(pause);
                    }
                }
            });
        }
        let small = &signed_posts("/plain", &"{}".into(), 1)[0];
        let mut stream = TcpStream::connect(address).expect("the host listens");
        stream.set_nodelay(true).expect("an option of TCP");
        thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        let mut latencies = Vec::new();
        while start.elapsed() < SMALL_REQUESTS_FOR {
            let sent = Instant::now();
            stream.write_all(small).expect("the host reads");
            let answer = read_answer(&mut stream);
            latencies.push(sent.elapsed().as_secs_f64() * 1e3);
            assert_eq!(answer.status, 200);
            thread::sleep(Duration::from_micros(500));
        }
        is_over.store(true, Ordering::Relaxed);
        latencies
    })
}
