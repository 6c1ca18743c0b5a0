//! The service that keeps the secret, over HTTP. No error of it shows a byte of an answer.

use std::{error::Error, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac_auth::{Secret, SecretError, SecretSet};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::InvalidHeaderValue};
use reqwest::{Client, Url, redirect};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER_LEN: usize = 64 * 1024;

pub(crate) struct Source {
    client: Client,
    url: Url,
    format: Format,
}

/// Where the secret is in an answer.
pub(crate) struct Format {
    pub(crate) pointer: String,
    pub(crate) is_base64: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the source cannot be reached: {}", root(.0))]
    Unreachable(reqwest::Error),
    #[error("the source answers {0}")]
    Status(StatusCode),
    #[error("the answer has more than {MAX_ANSWER_LEN} bytes")]
    TooLarge,
    #[error("the answer is not JSON")]
    NotJson,
    #[error("the answer has nothing at `--pointer`")]
    NothingThere,
    #[error(r#"the secret is not {{"current": "…", "previous": "…"}} in JSON"#)]
    NotASecret,
    #[error(transparent)]
    Unusable(#[from] SecretError),
}

impl Source {
    pub(crate) fn new(
        url: Url,
        token_header: HeaderName,
        token: &str,
        format: Format,
    ) -> Result<Self, Box<dyn Error>> {
        let token = HeaderValue::from_str(token);
        let mut token = token.map_err(|_: InvalidHeaderValue| "SOURCE_TOKEN is no header")?;
        token.set_sensitive(true);
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(token_header, token)]))
            // The token is for this source alone.
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self {
            client,
            url,
            format,
        })
    }

    pub(crate) async fn read(&self) -> Result<SecretSet, SourceError> {
        // An error of reqwest shows the whole URL, unless it is told not to.
        let unreachable = |error: reqwest::Error| SourceError::Unreachable(error.without_url());
        let request = self.client.get(self.url.clone());
        let mut answer = request.send().await.map_err(unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(SourceError::Status(answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_LEN {
                return Err(SourceError::TooLarge);
            }
            body.extend(chunk);
        }
        self.format.secret_set(&body)
    }
}

impl Format {
    fn secret_set(&self, answer: &[u8]) -> Result<SecretSet, SourceError> {
        let answer: Value = serde_json::from_slice(answer).map_err(|_| SourceError::NotJson)?;
        let found = answer.pointer(&self.pointer);
        // Vault has fields of its own, the others have one text.
        let secret = match found.ok_or(SourceError::NothingThere)? {
            Value::String(text) if self.is_base64 => {
                let text = STANDARD.decode(text).map_err(|_| SourceError::NotASecret)?;
                serde_json::from_slice(&text).map_err(|_| SourceError::NotASecret)?
            }
            Value::String(text) => {
                serde_json::from_str(text).map_err(|_| SourceError::NotASecret)?
            }
            fields => fields.clone(),
        };
        let current = secret["current"].as_str().ok_or(SourceError::NotASecret)?;
        let current = Secret::from_text(current)?;
        Ok(match &secret["previous"] {
            Value::Null => SecretSet::new(current),
            Value::String(previous) => {
                SecretSet::with_previous(current, [Secret::from_text(previous)?])?
            }
            _ => return Err(SourceError::NotASecret),
        })
    }
}

/// What is really wrong stands last.
fn root(error: &reqwest::Error) -> String {
    let mut root: &dyn Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
