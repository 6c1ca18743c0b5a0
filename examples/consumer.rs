//! A consumer to try hosts with: it signs one request, sends it and prints the status and the body of the response.
//!
//! ```text
//! export HMAC_AUTH_SECRET=…   # the one of the host
//! cargo run --example consumer -- GET http://127.0.0.1:8080/_functions/siteStats
//! cargo run --example consumer -- POST http://127.0.0.1:8080/_functions/siteStats --data '{"month":11}'
//! ```
//!
//! The exit code is 0 if the status is 2xx.

use std::{error::Error, iter, process::ExitCode, time::Duration};

use clap::Parser;
use hmac_auth::{EnvSecrets, SecretEncoding, SignOptions, sign_request};
use http::{HeaderName, HeaderValue, Method, Request, header::CONTENT_TYPE};
use reqwest::{Client, Response, Url, redirect};

/// `EnvSecrets` reads it from the variable `HMAC_AUTH_SECRET`.
const SECRET_NAME: &str = "hmac-auth-secret";

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one request, signed with the secret in `HMAC_AUTH_SECRET`, and prints status and body.
#[derive(Parser)]
struct Args {
    /// GET, POST, …
    method: Method,
    /// Where to send it
    url: Url,
    /// The body; JSON, unless a header says otherwise
    #[arg(long, value_name = "BODY")]
    data: Option<String>,
    /// One more header, 'Name: value'; repeatable
    #[arg(long = "header", value_name = "HEADER", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Under which name the host knows this consumer
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// `HMAC_AUTH_SECRET` is hexadecimal [default: its UTF-8 text is the secret]
    #[arg(long)]
    hex: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", with_sources(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Says whether the host has answered 2xx.
async fn run(args: Args) -> Result<bool, Box<dyn Error>> {
    let response = invoke(args).await?;
    let status = response.status();
    println!("{status}\n{}", response.text().await?);
    Ok(status.is_success())
}

async fn invoke(args: Args) -> Result<Response, Box<dyn Error>> {
    // As text, the URL is as the client will send it; `http::Uri` would keep what the client normalises, and sign that.
    let mut request = Request::builder()
        .method(args.method)
        .uri(args.url.as_str())
        .body(Vec::new())?;
    for (name, value) in args.headers {
        request.headers_mut().append(name, value);
    }
    if let Some(data) = args.data {
        *request.body_mut() = data.into_bytes();
        request
            .headers_mut()
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
    }

    let encoding = if args.hex {
        SecretEncoding::Hex
    } else {
        SecretEncoding::Text
    };
    let secrets = EnvSecrets::new("").encoding(encoding);
    let mut options = SignOptions::new().secret_name(SECRET_NAME);
    if let Some(key_id) = args.key_id {
        options = options.key_id(key_id);
    }
    sign_request(&mut request, &secrets, &options)?;

    // A signature is for one URL: following a redirect would only show it to somebody else.
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?;
    Ok(client.execute(request.try_into()?).await?)
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), Box<dyn Error + Send + Sync>> {
    let (name, value) = text.split_once(':').ok_or("a header is 'Name: value'")?;
    Ok((name.parse()?, value.trim().parse()?))
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    let chain = iter::successors(Some(error), |&error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
