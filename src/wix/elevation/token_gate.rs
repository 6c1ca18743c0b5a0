//! How a layer asks Wix about access tokens: about no refused one twice in a short time, and not
//! about too many at once.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    error::{ElevationError, ElevationErrorKind},
    exchange::{Elevation, TokenHash},
    token_cache::{Cached, TokenCache},
    token_info::TokenInfo,
};

/// How long a refused token is not asked about again.
const REFUSAL_AGE: Duration = Duration::from_secs(10);

/// How many questions about tokens may wait for Wix at the same time.
const MAX_CALLS: usize = 16;

/// How long a question waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Cheap to clone; the clones share their limits.
#[derive(Clone)]
pub(super) struct TokenGate {
    elevation: Elevation,
    /// Apart from the accepted tokens, which a flood of forged ones must not push out.
    refused: TokenCache<TokenHash, ElevationError>,
    calls: Arc<Semaphore>,
}

impl TokenGate {
    pub(super) fn new(elevation: Elevation) -> Self {
        Self {
            refused: TokenCache::new(elevation.given_clock()),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            elevation,
        }
    }

    /// Whom the token stands for. `token` must have the shape of an access token.
    pub(super) async fn token_info(&self, token: &str) -> Result<Arc<TokenInfo>, ElevationError> {
        let hash = TokenHash::of(token);
        let ask = || async {
            if let Some(refusal) = self.refused.find(&hash).await {
                return Err(refusal);
            }
            let _permit = self.turn().await?;
            let answer = self.elevation.ask_token_info(token).await;
            if let Err(error) = &answer {
                self.remember(hash, error).await;
            }
            answer
        };
        self.elevation.token_infos().get(hash, ask).await
    }

    /// Waits until fewer calls are in flight, but not for long: those who wait hold their requests.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, ElevationError> {
        let turn = tokio::time::timeout(MAX_WAIT, self.calls.acquire()).await;
        let permit = turn.ok().and_then(Result::ok);
        permit.ok_or_else(|| ElevationErrorKind::Busy.into())
    }

    /// Remembers what Wix said about the token. That Wix said nothing may pass at once.
    async fn remember(&self, hash: TokenHash, error: &ElevationError) {
        if error.status() != http::StatusCode::UNAUTHORIZED {
            return;
        }
        let usable_until = self.elevation.given_clock().now().checked_add(REFUSAL_AGE);
        if let Some(usable_until) = usable_until {
            let value = error.clone();
            let refusal = Cached {
                value,
                usable_until,
            };
            self.refused.keep(hash, refusal).await;
        }
    }
}
