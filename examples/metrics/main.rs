//! A host with metrics, its endpoint for Prometheus, and a minute of traffic.
//!
//! ```text
//! cargo run --features metrics --example metrics                        # a few seconds, then some numbers
//! cargo run --features metrics --release --example metrics -- --chart   # a minute, then docs/metrics-dashboard.svg
//! ```
//!
//! The host listens on loopback. Its clients are in the same process, and so is the reader of `/metrics`.

use std::{error::Error, fs, path::Path, time::Duration};

use clap::Parser;

use crate::{host::Host, scrape::Scrape};

mod chart;
mod host;
mod scrape;
mod traffic;

/// How often the metrics are read.
const STEP: Duration = Duration::from_millis(500);

/// Shows what the metrics of a host say.
#[derive(Parser)]
struct Args {
    /// Run for a minute and draw docs/metrics-dashboard.svg
    #[arg(long)]
    chart: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let host = Host::start().await?;
    let scale = if args.chart { 1.0 } else { 0.05 };
    let length = Duration::from_secs(60).mul_f64(scale);
    let traffic = traffic::start(&host, scale);
    let mut scrapes = Vec::new();
    while scrapes.last().is_none_or(|last: &Scrape| last.at < length) {
        tokio::time::sleep(STEP.min(length / 4)).await;
        scrapes.push(Scrape::read(&host).await?);
    }
    drop(traffic);

    let last = scrapes.last().expect("at least one");
    for (name, label) in [
        ("requests_validated_total", "consumer"),
        ("requests_refused_total", "kind"),
        ("requests_would_be_refused_total", "kind"),
        ("directory_cache_answers_total", "source"),
    ] {
        println!("{name}");
        for (value, count) in last.by_label(name, label) {
            if count > 0.0 {
                println!("{count:>8} {label}={value}");
            }
        }
    }
    if args.chart {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics-dashboard.svg");
        fs::write(path, chart::draw(&scrapes))?;
    }
    let validated = last.by_label("requests_validated_total", "consumer");
    if validated.len() < 3 {
        return Err("not every consumer was served".into());
    }
    Ok(())
}
