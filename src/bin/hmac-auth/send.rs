//! `hmac-auth send`: signs a request, sends it, and shows the response.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use http::Request;
use reqwest::{Client, redirect};

use super::{
    Failure, Outcome,
    answer::Answer,
    captured::read_response,
    command::curl_config,
    request_args::{RequestArgs, Signed},
};

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    request: RequestArgs,
    /// Print the status and the body only
    #[arg(long)]
    brief: bool,
}

pub(super) fn run(args: &SendArgs) -> Result<Outcome, Failure> {
    let signed = args.request.sign()?;
    let answer = if signed.url.scheme() == "https" {
        by_curl(&signed)?
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(by_reqwest(signed.request))?
    };
    if args.brief {
        answer.print_briefly()?;
    } else {
        answer.print()?;
    }
    Ok(if answer.status.is_success() {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

async fn by_reqwest(request: Request<Vec<u8>>) -> Result<Answer, Failure> {
    // A signature is for one URL: following a redirect would only show it to somebody else.
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?;
    let response = client.execute(request.try_into()?).await?;
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await?.to_vec(),
    })
}

/// This crate brings no TLS: over https, the curl of the system sends the request.
fn by_curl(signed: &Signed) -> Result<Answer, Failure> {
    let config = curl_config(signed)?;
    let timeout = TIMEOUT.as_secs().to_string();
    let mut process = Command::new("curl")
        .args(["--disable", "--silent", "--show-error", "--include"])
        .args(["--max-time", &timeout, "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            format!(
                "curl does not start, which sends requests over https: install it, or use \
                 `hmac-auth sign`: {error}"
            )
        })?;
    if let Some(mut stdin) = process.stdin.take() {
        // curl reads all of it before it does anything else.
        stdin.write_all(config.as_bytes())?;
    }
    let output = process.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("curl has not sent the request: {}", output.status).into());
    }
    read_response(&output.stdout)
}
