//! The connection to the OAuth endpoints of Wix, with retries and a timeout.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response};
use reqwest::{ClientBuilder, Url, redirect, retry};
use zeroize::Zeroizing;

use super::{
    error::{ElevationError, ElevationErrorKind},
    oauth::MAX_RESPONSE_LEN,
};
use crate::{crypto::fill_random, time::Clock};

const MAX_RETRIES: u32 = 2;

/// The longest wait before the first retry. The wait before the second retry may be twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Sends requests to Wix.
#[derive(Clone)]
pub(super) struct WixApi {
    http: reqwest::Client,
    base_url: Option<Arc<Url>>,
    timeout: Duration,
    pub(super) clock: Clock,
}

impl WixApi {
    pub(super) fn new(builder: ClientBuilder, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = builder
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .build()?;
        Ok(Self {
            http,
            base_url: None,
            timeout,
            clock: Clock::default(),
        })
    }

    pub(super) fn set_base_url(&mut self, url: Url) {
        self.base_url = Some(Arc::new(url));
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends the request and reads the answer, and tries again if that may help. The timeout limits
    /// all attempts together.
    ///
    /// `read` gets the answer and the time at which its request was sent. The caller gets the same
    /// time.
    pub(super) async fn ask<T>(
        &self,
        request: Request<Vec<u8>>,
        read: impl Fn(&Response<Zeroizing<Vec<u8>>>, SystemTime) -> Result<T, ElevationError>,
    ) -> Result<(T, SystemTime), ElevationError> {
        // All attempts share the body, which is wiped after the last of them.
        let request = request.map(|body| Bytes::from_owner(Zeroizing::new(body)));
        let attempts = async {
            let mut retries = 0..MAX_RETRIES;
            loop {
                let sent_at = self.clock.now();
                let answer = self.send(&request).await;
                let result = answer.and_then(|answer| read(&answer, sent_at));
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

    /// Sends the request once. One byte more than the limit is read, so that the reader of the
    /// answer sees that it is too long.
    async fn send(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Response<Zeroizing<Vec<u8>>>, ElevationError> {
        let mut request = reqwest::Request::try_from(request.clone()).map_err(unreachable)?;
        if let Some(base_url) = &self.base_url {
            let base_path = base_url.path().trim_end_matches('/');
            let path = format!("{base_path}{}", request.url().path());
            *request.url_mut() = Url::clone(base_url);
            request.url_mut().set_path(&path);
        }
        let mut answer = self.http.execute(request).await.map_err(unreachable)?;
        // A buffer that grows leaves copies of a token behind. Real answers are far shorter.
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

/// Whether another attempt may help. If Wix named a time, only the caller can wait for so long.
fn may_pass(error: &ElevationError) -> bool {
    matches!(
        error.kind(),
        ElevationErrorKind::Unavailable | ElevationErrorKind::Unreachable
    ) && error.retry_after().is_none()
}

/// Between half of the time and all of it, so that many hosts do not come back at once.
fn wait(retries: u32) -> Duration {
    let half = FIRST_WAIT * 2_u32.pow(retries) / 2;
    // Without random numbers, the longest wait.
    let mut random = [0; 4];
    let share = fill_random(&mut random).map_or(256, |()| u32::from_ne_bytes(random) % 257);
    half + half * share / 256
}
