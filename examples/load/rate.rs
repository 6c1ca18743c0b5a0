//! Requests per second with 1 KiB of JSON: without authentication, with bare hashing, and with the layer.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    batch::{send_all, signed_posts},
    client::Connection,
    host::{Host, block_on},
    report::Report,
    spread::{median_and_spread, quantile},
};

pub(crate) const CONNECTIONS: usize = 16;
const ROUNDS: usize = 24;
const REQUESTS: usize = 6_000;

/// Axum boxes each handler with a layer once more, whatever the layer does.
const VARIANTS: [(&str, &str); 4] = [
    ("no authentication", "/plain"),
    ("bare hashing", "/inline"),
    ("bare hashing, empty layer", "/inline-layered"),
    ("layer", "/layer"),
];

#[derive(Default)]
struct Variant {
    rates: Vec<f64>,
    /// What a request takes of the host's time, in µs.
    costs: Vec<f64>,
    /// In µs.
    latencies: Vec<f64>,
}

pub(crate) fn measure(report: &mut Report) {
    let host = Host::start();
    let mut variants: [Variant; 4] = Default::default();
    block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::new(host.address).await);
        }
        // The first round warms up.
        for round in 0..=ROUNDS {
            for turn in 0..VARIANTS.len() {
                let index = (round + turn) % VARIANTS.len();
                let requests = Arc::new(signed_posts(VARIANTS[index].1, &body(), REQUESTS));
                let busy = host.busy();
                let start = Instant::now();
                let sent = send_all(&mut connections, &requests).await;
                let elapsed = start.elapsed().as_secs_f64();
                let busy = host
                    .busy()
                    .zip(busy)
                    .map(|(after, before)| after.saturating_sub(before).as_secs_f64());
                assert!(sent.iter().all(|sent| sent.status == 200));
                if round > 0 {
                    let variant = &mut variants[index];
                    variant.rates.push(count(REQUESTS) / elapsed);
                    variant
                        .costs
                        .push(busy.unwrap_or(elapsed) / count(REQUESTS) * 1e6);
                    variant
                        .latencies
                        .extend(sent.iter().map(|sent| sent.micros));
                }
            }
        }
    });

    println!("\n# Requests per second\n");
    println!(
        "POST of 1 KiB JSON, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {REQUESTS} requests.\n"
    );
    println!("| variant | requests/s | p50 µs | p99 µs | host µs/request |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for ((name, _), variant) in VARIANTS.iter().zip(&mut variants) {
        let Variant {
            rates,
            costs,
            latencies,
        } = variant;
        let [p50, p99] = [0.5, 0.99].map(|q| quantile(latencies, q));
        let [rate, cost] = [
            median_and_spread(rates.clone()).0,
            median_and_spread(costs.clone()).0,
        ];
        println!("| {name} | {rate:.0} | {p50:.0} | {p99:.0} | {cost:.2} |");
    }
    println!("\n| ratio within a round | requests/s | host time |");
    println!("| --- | ---: | ---: |");
    let ratio = |one: &[f64], other: &[f64]| {
        median_and_spread(
            one.iter()
                .zip(other)
                .map(|(one, other)| one / other)
                .collect(),
        )
    };
    let [plain, inline, layered, layer] = &variants;
    let mut beyond = 0.0;
    for (name, one, other) in [
        ("bare hashing / none", inline, plain),
        ("bare hashing, empty layer / bare hashing", layered, inline),
        ("layer / none", layer, plain),
        ("layer / bare hashing, empty layer", layer, layered),
        ("layer / bare hashing", layer, inline),
    ] {
        let (rate, rate_text) = ratio(&one.rates, &other.rates);
        println!(
            "| {name} | {rate_text} | {} |",
            ratio(&one.costs, &other.costs).1
        );
        beyond = rate;
    }
    report.rate_at_least("requests/s, layer / bare hashing", beyond, 0.95);
}

/// 1 KiB of JSON.
pub(crate) fn body() -> Bytes {
    let mut body = br#"{"site":"a","orders":["#.to_vec();
    while body.len() < 1024 - 8 {
        body.extend(format!("{},", body.len()).bytes());
    }
    body.extend(b"0]}");
    body.resize(1024, b' ');
    body.into()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn count(count: usize) -> f64 {
    count as f64
}
