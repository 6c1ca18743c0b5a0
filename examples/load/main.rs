//! What authentication costs a host under load, and whether it ever answers wrongly.
//!
//! ```text
//! cargo run --release --example load                    # everything in small amounts, about a minute
//! cargo run --release --example load -- --upload        # uploads of 1 GiB
//! cargo run --release --example load -- --consumers     # ten thousand consumers, in a list and in a directory
//! cargo run --release --example load -- --correctness   # a million requests, 1 % of them forged
//! ```
//!
//! An axum host runs on one thread in a process of its own; this one is its clients, on keep-alive connections over loopback.
//! Variants take turns within one run, so that a busy machine disturbs all of them alike. The exit code tells whether an
//! answer was wrong, and with `--check` also whether a goal for instructions or memory was missed: times depend on what else runs.

use std::process::ExitCode;

use clap::Parser;

use crate::report::Report;

mod batch;
#[path = "../common/client.rs"]
mod client;
#[path = "../common/consumer.rs"]
mod consumer;
mod consumers;
mod correctness;
#[path = "../common/host.rs"]
mod host;
mod instructions;
mod rate;
#[path = "../common/report.rs"]
mod report;
mod routes;
mod spread;
mod upload;

/// Measures what authentication costs an axum host.
#[derive(Parser)]
struct Args {
    /// Only uploads, of 1 GiB each
    #[arg(long)]
    upload: bool,
    /// Only ten thousand consumers, in a list and in a directory
    #[arg(long)]
    consumers: bool,
    /// Only whether any of N answers is wrong
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1000000")]
    correctness: Option<u64>,
    /// Fail if a goal is missed that is not one of time
    #[arg(long)]
    check: bool,
    /// What this program starts itself as
    #[arg(long, hide = true)]
    role: Option<Role>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Role {
    Host,
    /// Runs under callgrind.
    Counted,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.role {
        Some(Role::Host) => host::serve(routes::app(), |_| ()),
        Some(Role::Counted) => instructions::run(),
        None => return measure(&args),
    }
    ExitCode::SUCCESS
}

fn measure(args: &Args) -> ExitCode {
    let mut report = Report::default();
    match (args.upload, args.consumers, args.correctness) {
        (false, false, None) => {
            rate::measure(&mut report);
            consumers::measure(&mut report);
            instructions::measure(&mut report);
            upload::measure(128, &mut report);
            correctness::measure(200_000, &mut report);
        }
        (is_upload, is_consumers, correctness) => {
            if is_upload {
                upload::measure(1024, &mut report);
            }
            if is_consumers {
                consumers::measure(&mut report);
            }
            if let Some(count) = correctness {
                correctness::measure(count, &mut report);
            }
        }
    }
    report.finish(args.check)
}
