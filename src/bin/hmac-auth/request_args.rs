//! The request to sign, and how to sign it, as arguments.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Args, ValueEnum};
use hmac_auth::{AlgParameter, DigestAlgorithm, SentRequest, SignOptions, sign_request};
use http::{HeaderName, HeaderValue, Method, Request, header::CONTENT_TYPE};
use reqwest::Url;

use super::{Failure, secret_source::SecretSource};

#[derive(Args)]
pub(super) struct RequestArgs {
    /// GET, POST, …
    method: Method,
    /// Where to send it
    url: Url,
    /// The body; JSON, unless a header says otherwise
    #[arg(
        long,
        value_name = "BODY",
        allow_hyphen_values = true,
        conflicts_with = "data_file"
    )]
    data: Option<String>,
    /// The file of the body, whatever its bytes are; `-` is standard input
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    /// One more header, 'Name: value'; repeatable
    #[arg(long = "header", value_name = "HEADER", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Under which name the host knows this consumer
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// The application that the signature is for
    #[arg(long)]
    tag: Option<String>,
    /// One more component to cover, such as a header or `@target-uri`; repeatable
    #[arg(long, value_name = "COMPONENT")]
    cover: Vec<String>,
    /// For how long the signature counts
    #[arg(long, value_name = "SECONDS")]
    expires: Option<u64>,
    /// Name the algorithm in the signature
    #[arg(long)]
    alg: bool,
    /// The algorithm of `Content-Digest`
    #[arg(long, value_enum, default_value = "sha-256")]
    digest: Digest,
    /// The label of the signature [default: sig1]
    #[arg(long)]
    label: Option<String>,
    /// Sign as if at this time, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS", value_parser = parse_time)]
    at: Option<SystemTime>,
    #[command(flatten)]
    source: SecretSource,
}

#[derive(Clone, Copy, ValueEnum)]
enum Digest {
    #[value(name = "sha-256")]
    Sha256,
    #[value(name = "sha-512")]
    Sha512,
}

/// A signed request, and where its body came from.
pub(super) struct Signed {
    pub(super) request: Request<Vec<u8>>,
    /// What a signed response has to answer.
    pub(super) sent: SentRequest,
    /// The URL as a client sends it.
    pub(super) url: Url,
    /// The file of the body.
    pub(super) file: Option<PathBuf>,
}

impl RequestArgs {
    pub(super) fn sign(&self) -> Result<Signed, Failure> {
        let mut url = self.url.clone();
        url.set_fragment(None);
        // As text, the URL is as a client will send it; `http::Uri` would keep what the client
        // normalises, and sign that.
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(url.as_str())
            .body(self.body()?)?;
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        if let Some(content_type) = self.content_type(request.body()) {
            request
                .headers_mut()
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static(content_type));
        }
        let source = self.source.open()?;
        let options = self.options().secret_name(&source.name);
        let sent = sign_request(&mut request, &*source.store, &options)?;
        Ok(Signed {
            request,
            sent,
            url,
            file: self.data_file.clone().filter(|file| !is_stdin(file)),
        })
    }

    fn options(&self) -> SignOptions {
        let mut options = SignOptions::new().digest(match self.digest {
            Digest::Sha256 => DigestAlgorithm::Sha256,
            Digest::Sha512 => DigestAlgorithm::Sha512,
        });
        if let Some(key_id) = &self.key_id {
            options = options.key_id(key_id);
        }
        if let Some(tag) = &self.tag {
            options = options.tag(tag);
        }
        for component in &self.cover {
            options = options.cover(component);
        }
        if let Some(seconds) = self.expires {
            options = options.expires_in(Duration::from_secs(seconds));
        }
        if self.alg {
            options = options.alg(AlgParameter::HmacSha256);
        }
        if let Some(label) = &self.label {
            options = options.label(label);
        }
        match self.at {
            Some(time) => options.at(time),
            None => options,
        }
    }

    fn body(&self) -> Result<Vec<u8>, Failure> {
        let Some(file) = &self.data_file else {
            return Ok(self.data.clone().unwrap_or_default().into_bytes());
        };
        if !is_stdin(file) {
            return fs::read(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()).into());
        }
        if self.source.reads_stdin() {
            return Err("standard input cannot be both the secret and the body: \
                        put one of them into a file"
                .into());
        }
        let mut body = Vec::new();
        io::stdin().lock().read_to_end(&mut body)?;
        Ok(body)
    }

    fn content_type(&self, body: &[u8]) -> Option<&'static str> {
        if self.data.is_some() {
            return Some("application/json");
        }
        self.data_file.as_ref()?;
        let is_json = serde_json::from_slice::<serde_json::Value>(body).is_ok();
        Some(if is_json {
            "application/json"
        } else {
            "application/octet-stream"
        })
    }
}

fn is_stdin(path: &std::path::Path) -> bool {
    path.as_os_str() == "-"
}

/// The time so many seconds after 1970; `None` if there is no such time.
pub(super) fn time(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn parse_time(text: &str) -> Result<SystemTime, String> {
    let seconds = text.parse().ok();
    seconds
        .and_then(time)
        .ok_or_else(|| "give seconds since 1970".to_owned())
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let (name, value) = text.split_once(':').ok_or("a header is 'Name: value'")?;
    Ok((name.parse()?, value.trim().parse()?))
}
