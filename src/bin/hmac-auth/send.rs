//! `hmac-auth send`: signs a request, sends it, and shows the response.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use hmac_auth::{ResponseErrorKind, SentRequest};
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
    /// Refuse a response that the host has not signed, as code 3
    #[arg(long)]
    require_signed_response: bool,
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
    let is_genuine = args.is_genuine(&answer, &signed.sent);
    if args.brief {
        answer.print_briefly()?;
    } else {
        answer.print()?;
    }
    Ok(if answer.status.is_success() && is_genuine {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

impl SendArgs {
    /// Says whether the response is signed, and `false` if it must not be believed.
    fn is_genuine(&self, answer: &Answer, sent: &SentRequest) -> bool {
        let note = |text| {
            if !self.brief {
                eprintln!("{text}");
            }
        };
        let Err(error) = answer.validate(sent) else {
            note("the response is signed by the host");
            return true;
        };
        let is_unsigned = matches!(
            error.kind(),
            ResponseErrorKind::Unsigned | ResponseErrorKind::UnsignedRefusal
        );
        if is_unsigned && !self.require_signed_response {
            note("the response is not signed: nothing proves where it comes from");
            return true;
        }
        eprintln!("refused {}: {error:#}", error.kind());
        false
    }
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
