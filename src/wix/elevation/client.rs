use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use reqwest::{ClientBuilder, Url, redirect, retry};
use zeroize::Zeroizing;

use crate::wix::{ElevationError, ElevationErrorKind, oauth::MAX_RESPONSE_LEN};

const MAX_RETRIES: u32 = 2;

/// How long to wait at most before the first retry; twice that before the second.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Sends the questions to Wix.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base_url: Option<Arc<Url>>,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(builder: ClientBuilder, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = builder
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .build()?;
        Ok(Self {
            http,
            base_url: None,
            timeout,
        })
    }

    pub(super) fn set_base_url(&mut self, url: Url) {
        self.base_url = Some(Arc::new(url));
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends the request and reads the answer, again if that may help, and all that in time. `read` also gets when it was sent,
    /// and so does the caller.
    pub(super) async fn ask<T>(
        &self,
        request: Request<Vec<u8>>,
        read: impl Fn(&Response<Zeroizing<Vec<u8>>>, SystemTime) -> Result<T, ElevationError>,
    ) -> Result<(T, SystemTime), ElevationError> {
        // Shared by all attempts, and wiped with the last of them.
        let request = request.map(|body| Bytes::from_owner(Zeroizing::new(body)));
        let attempts = async {
            let mut retries = 0..MAX_RETRIES;
            loop {
                let sent_at = crate::time::now();
                let result = self
                    .send(&request)
                    .await
                    .and_then(|response| read(&response, sent_at));
                match (result, retries.len()) {
                    (Err(error), 1..) if may_pass(&error) => {
                        tokio::time::sleep(wait(retries.next().unwrap_or_default())).await;
                    }
                    (result, _) => return result.map(|value| (value, sent_at)),
                }
            }
        };
        tokio::time::timeout(self.timeout, attempts)
            .await
            .unwrap_or_else(|_| Err(ElevationErrorKind::TimedOut.into()))
    }

    /// One byte more than the limit is read, by which the reader knows.
    async fn send(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Zeroizing<Vec<u8>>>, ElevationError> {
        let mut request = reqwest::Request::try_from(request.clone()).map_err(unreachable)?;
        if let Some(base_url) = &self.base_url {
            let path = format!(
                "{}{}",
                base_url.path().trim_end_matches('/'),
                request.url().path()
            );
            *request.url_mut() = Url::clone(base_url);
            request.url_mut().set_path(&path);
        }
        let mut answer = self.http.execute(request).await.map_err(unreachable)?;
        // Growing would leave copies of a token behind; real answers are far shorter.
        let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            let room = MAX_RESPONSE_LEN + 1 - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() > MAX_RESPONSE_LEN {
                break;
            }
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

fn unreachable(error: reqwest::Error) -> ElevationError {
    let kind = if error.is_timeout() {
        ElevationErrorKind::TimedOut
    } else {
        ElevationErrorKind::Unreachable
    };
    // The URL may have a password.
    ElevationError::new(kind).caused_by(error.without_url())
}

/// Whether to try again here. Who has said when is not asked before, and nobody waits that long.
fn may_pass(error: &ElevationError) -> bool {
    matches!(
        error.kind(),
        ElevationErrorKind::Unavailable | ElevationErrorKind::Unreachable
    ) && error.retry_after().is_none()
}

/// Between half of the time and all of it, so that many hosts do not come back at once.
fn wait(retries: u32) -> Duration {
    let half = FIRST_WAIT * 2_u32.pow(retries) / 2;
    // Without random numbers, the longest.
    let share = getrandom::u32().map_or(256, |random| random % 257);
    half + half * share / 256
}
