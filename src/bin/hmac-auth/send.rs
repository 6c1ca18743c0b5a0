//! `hmac-auth send`: signs a request, sends it, and shows the response.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use hmac_auth::{ResponseErrorKind, SentRequest};
use http::Request;
use reqwest::{Client, redirect, retry};

use super::{
    Failure, Outcome,
    answer::{Answer, Output},
    captured::read_response,
    command::{curl_config, is_text},
    request_args::{RequestArgs, Signed},
    tell,
    temporary_file::TemporaryFile,
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
    let mut signed = args.request.sign()?;
    let answer = if signed.url.scheme() == "https" {
        by_curl(&mut signed)?
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(by_reqwest(signed.request))?
    };
    let is_genuine = args.is_genuine(&answer, &signed.sent);
    if is_genuine {
        answer.print_to(&mut Output::stdout(), args.brief)?;
    } else {
        // For the eyes of the operator only: no program behind a pipe takes it for an answer.
        answer.print_to(&mut Output::stderr(), args.brief)?;
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
                tell(text);
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
        tell(format_args!("refused {}: {error:#}", error.kind()));
        false
    }
}

async fn by_reqwest(request: Request<Vec<u8>>) -> Result<Answer, Failure> {
    // A signature is for one URL: following a redirect would only show it to somebody else.
    // It also counts once, so nothing is sent twice.
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .timeout(TIMEOUT)
        .build()?;
    let request = request.try_into()?;
    let response = client.execute(request).await.map_err(without_query)?;
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await.map_err(without_query)?.to_vec(),
    })
}

/// The query may hold tokens, and logs keep errors.
fn without_query(mut error: reqwest::Error) -> reqwest::Error {
    if let Some(url) = error.url_mut() {
        url.set_query(None);
    }
    error
}

/// This crate brings no TLS: over https, the curl of the system sends the request.
fn by_curl(signed: &mut Signed) -> Result<Answer, Failure> {
    // The configuration cannot hold all bytes, and takes the standard input of curl.
    let body = signed.request.body();
    let is_text = signed.file.is_some() || is_text(body);
    let body = (!is_text).then(|| TemporaryFile::with(body)).transpose()?;
    if let Some(body) = &body {
        signed.file = Some(body.path().to_owned());
    }
    let config = curl_config(signed)?;
    let timeout = TIMEOUT.as_secs().to_string();
    let mut process = Command::new("curl")
        .args(["--disable", "--silent", "--show-error", "--include"])
        // The answer of a proxy is not that of the host.
        .arg("--suppress-connect-headers")
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
    // curl reads all of it before it does anything else.
    let written = process
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(config.as_bytes()));
    let output = process.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("curl has not sent the request: {}", output.status).into());
    }
    // A pipe that broke is no reader of the output who has seen enough.
    if let Some(Err(error)) = written {
        return Err(format!("curl has not read the whole request: {error}").into());
    }
    read_response(&output.stdout)
}
