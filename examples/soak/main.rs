//! Whether a host stays right, and its memory flat, under mixed traffic for as long as you like.
//!
//! ```text
//! cargo run --release --example soak                   # 30 minutes
//! cargo run --release --example soak -- --minutes 1
//! ```
//!
//! An axum host runs on one thread in a process of its own; this one is its clients, over loopback, on one more thread. The
//! clients find how fast both go, and hold three quarters of that. Each request is signed anew. Once a minute both secrets are
//! rotated, and the previous ones retired after some seconds.
//! The program fails if one answer is wrong, if a kind of request never came, or if the memory of the host grows.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use tokio::time::sleep;

use crate::{
    host::{Host, block_on},
    memory::Memory,
    report::Report,
    rotation::Rotation,
    tally::Tally,
    traffic::Traffic,
};

#[path = "../common/client.rs"]
mod client;
#[path = "../common/consumer.rs"]
mod consumer;
#[path = "../common/host.rs"]
mod host;
mod memory;
mod pace;
#[path = "../common/report.rs"]
mod report;
mod rotation;
mod routes;
mod tally;
mod traffic;

/// As fast as it goes, for the rate that is held afterwards.
const SPRINT: Duration = Duration::from_secs(12);

/// What was remembered in the sprint is forgotten, the guard is full at the rate that is held, and the allocator has all
/// that it keeps.
const WARM_UP: Duration = Duration::from_secs(25);

/// How often the memory of the host is read.
const STEP: Duration = Duration::from_secs(1);

/// More is a leak: by the line through all readings, over the measured time.
const MAX_GROWTH_MIB: f64 = 2.0;

/// Wide: both are measured on machines with neighbours too, and are there to be read.
const MAX_P99_MS: f64 = 50.0;
const MIN_RATE: f64 = 1_500.0;

/// Sends mixed traffic to a host, and fails if an answer is wrong or memory grows.
#[derive(Parser)]
struct Args {
    /// How long
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// What this program starts itself as
    #[arg(long, hide = true)]
    role: Option<Role>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Host,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.role {
        Some(Role::Host) => routes::serve(),
        None => return soak(60 * args.minutes),
    }
    ExitCode::SUCCESS
}

fn soak(seconds: u32) -> ExitCode {
    let mut host = Host::start();
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds.into());
    let traffic = Traffic::new(host.address, end);
    let (tally, memory, busy) = block_on(async {
        let clients = traffic.start();
        let mut rotation = Rotation::new(traffic.secrets());
        let mut memory = Memory::default();
        let mut busy = None;
        while Instant::now() < end {
            sleep(STEP).await;
            let elapsed = began.elapsed();
            rotation.go_on(elapsed, &mut host.child);
            if elapsed >= SPRINT {
                traffic.hold();
            }
            if elapsed < WARM_UP {
                continue;
            }
            if busy.is_none() {
                traffic.begin_measuring();
                busy = host.busy();
            }
            if let Some(kib) = host.memory("VmRSS") {
                memory.read(elapsed, kib, traffic.answered());
            }
        }
        let busy = host
            .busy()
            .zip(busy)
            .map(|(now, then)| now.saturating_sub(then));
        clients.join_all().await;
        (traffic.into_tally(), memory, busy)
    });
    let measured = began.elapsed().saturating_sub(WARM_UP);
    print_and_judge(&tally, &memory, measured, busy)
}

fn print_and_judge(
    tally: &Tally,
    memory: &Memory,
    measured: Duration,
    busy: Option<Duration>,
) -> ExitCode {
    let mut report = Report::default();
    println!("# Soak\n");
    print!("{tally}");
    let (all, rate) = (tally.measured(), tally.measured() / measured.as_secs_f64());
    println!(
        "\n{rate:.0} requests/s for {:.0} s after a warm-up of {} s.",
        measured.as_secs_f64(),
        WARM_UP.as_secs()
    );
    if let Some(busy) = busy {
        println!(
            "The thread of the host was busy for {:.0} % of that, {:.1} µs a request.",
            100.0 * busy.as_secs_f64() / measured.as_secs_f64(),
            1e6 * busy.as_secs_f64() / all
        );
    }
    println!("\n{memory}");
    report.wrong_answers(tally.wrong());
    report.count_at_most("kinds that never came", tally.missing(), 0.0);
    report.count_at_most(
        "MiB that the memory of the host grows, by least squares",
        memory.slope_per_second() * measured.as_secs_f64(),
        MAX_GROWTH_MIB,
    );
    report.time_at_most(
        "p99 of a genuine request, in ms",
        tally.p99_ms(),
        MAX_P99_MS,
    );
    report.rate_at_least("requests/s", rate, MIN_RATE);
    report.finish(true)
}
