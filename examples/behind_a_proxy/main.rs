//! What a proxy lets through: a host, and a consumer that calls it through the proxy.
//!
//! ```text
//! cargo run --example behind_a_proxy -- --listen 127.0.0.1:8080 --through 127.0.0.1:80
//! ```
//!
//! Configure your proxy to forward to the address of `--listen`. The consumer signs requests whose
//! paths, queries and bodies proxies like to change, and writes each one to the proxy byte by byte:
//! no client library normalises it before. For each request the table shows the status that the
//! consumer got, and what the host saw: nothing, `accepted`, or the kind and the reason of a
//! refusal. The exit code is 0 if the host saw each request once, as it would without a proxy.
//!
//! Without `--through`, the consumer calls the host directly.

mod case;
mod host;
mod wire;

use std::{error::Error, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use hmac_auth::{DEFAULT_SECRET_NAME, MemorySecrets, Secret, generate_secret};
use http::HeaderName;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::{
    case::{Case, cases},
    host::{Arrival, Arrivals},
};

/// Starts a host, calls it through a proxy, and prints what arrived.
#[derive(Parser)]
struct Args {
    /// Where the host listens: the address that the proxy forwards to
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the proxy listens, without TLS [default: call the host directly]
    #[arg(long, value_name = "ADDR")]
    through: Option<SocketAddr>,
    /// The name under which consumers know the host
    #[arg(long, value_name = "HOST", default_value = "api.example.com")]
    authority: String,
    /// The field in which the proxy sends the authority
    #[arg(long, value_name = "FIELD")]
    trust_forwarded_host: Option<HeaderName>,
    /// Speak HTTP/2 to the proxy, without TLS
    #[arg(long)]
    http2: bool,
    /// Send only the request with this name; repeatable
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How long the host waits before it answers an accepted request
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    delay: u64,
    /// Print one JSON object for each request
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let arrivals = Arrivals::default();
    let host = host::start(&args, secrets.clone(), arrivals.clone()).await?;
    let proxy = args.through.unwrap_or(host);

    let mut all_as_sent = true;
    let asked = |case: &Case| args.only.is_empty() || args.only.iter().any(|one| one == case.name);
    for case in cases(&args.authority)
        .iter()
        .filter(|case| asked(case) && !(args.http2 && case.is_http1_only()))
    {
        let request = case.signed(&secrets)?;
        let answer = if args.http2 {
            case.send_http2(request, proxy).await
        } else {
            case.send(request, proxy).await
        };
        // A proxy may send a request again, or a copy of it, when the consumer has its answer.
        sleep(Duration::from_millis(args.delay)).await;
        let arrived = arrivals.take(case.name);
        let kinds: Vec<_> = arrived.iter().map(Arrival::kind).collect();
        all_as_sent &= kinds == [case.expected];
        if args.json {
            println!("{}", case.to_json(&answer, &arrived));
        } else {
            case.print(&answer, &arrived);
        }
    }
    Ok(if all_as_sent {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Case {
    fn print(&self, answer: &Result<u16, String>, arrived: &[Arrival]) {
        let answer = match answer {
            Ok(status) => status.to_string(),
            Err(problem) => problem.clone(),
        };
        let kinds: Vec<_> = arrived.iter().map(Arrival::kind).collect();
        let kinds = if kinds.is_empty() {
            "nothing arrived".to_owned()
        } else {
            kinds.join(", ")
        };
        println!("{:<17} {answer:<4} {kinds}", self.name);
        for (_, reason) in arrived.iter().filter_map(|one| one.refusal.as_ref()) {
            println!("{:<22} {reason}", "");
        }
    }

    fn to_json(&self, answer: &Result<u16, String>, arrived: &[Arrival]) -> Value {
        let arrived = arrived.iter().map(|one| {
            let reason = one.refusal.as_ref().map(|(_, reason)| reason);
            json!({ "kind": one.kind(), "reason": reason })
        });
        json!({
            "name": self.name,
            "request": format!("{} {}", self.method, self.target),
            "expected": self.expected,
            "status": answer.as_ref().ok(),
            "problem": answer.as_ref().err(),
            "arrived": arrived.collect::<Vec<_>>(),
        })
    }
}
