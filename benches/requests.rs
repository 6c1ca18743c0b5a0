//! Criterion's view of each contender alone. The ratios come from `ratios`, which measures the contenders side by side.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use crate::contenders::{Contender, Message, Operation};

#[path = "common/contenders.rs"]
mod contenders;

/// How many requests are prepared at once: few, so that they stay in the caches.
const BATCH: u64 = 64;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .configure_from_args();
    for operation in [Operation::Validate, Operation::Sign] {
        for message in Message::all() {
            bench(&mut criterion, operation, &message);
        }
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, operation: Operation, message: &Message) {
    let mut group = criterion.benchmark_group(format!("{operation} {}", message.name));
    if !message.body.is_empty() {
        group.throughput(Throughput::Bytes(message.body.len() as u64));
    }
    for contender in Contender::ALL {
        let Some(mut job) = contender.job(operation, message) else {
            continue;
        };
        group.bench_function(contender.name(), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let count = left.min(BATCH);
                    job.prepare(usize::try_from(count).expect("a small number"));
                    let start = Instant::now();
                    job.run();
                    time += start.elapsed();
                    left -= count;
                }
                time
            });
        });
    }
    group.finish();
}
