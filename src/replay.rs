//! Accepting each signature once.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{crypto::Mac, error::AuthError};

pub use self::memory::{
    DEFAULT_REPLAY_CAPACITY, DEFAULT_REPLAY_CAPACITY_PER_CONSUMER, MemoryReplayGuard,
};

mod mac_hash;
mod memory;

/// Remembers which signatures were used, for the layers of `tower`.
///
/// [`MemoryReplayGuard`] is one, for one process. Several processes behind one load balancer share a guard of your own:
///
/// ```
/// use std::sync::Arc;
///
/// use hmac_auth::{AuthError, AuthErrorKind, ReplayGuard, ReplayId, UseOnce};
///
/// struct SharedGuard(Arc<Database>);
/// # struct Database;
/// # impl Database { async fn insert_if_absent(&self, _key: [u8; 32], _until: i64) -> Result<bool, std::io::Error> { Ok(true) } }
///
/// impl ReplayGuard for SharedGuard {
///     fn use_once(&self, id: &ReplayId, _consumer: &str) -> UseOnce {
///         let (database, id) = (Arc::clone(&self.0), id.clone());
///         UseOnce::pending(async move {
///             match database.insert_if_absent(*id.as_bytes(), id.fresh_until()).await {
///                 Ok(true) => Ok(()),
///                 Ok(false) => Err(AuthErrorKind::Replayed.into()),
///                 Err(error) => Err(AuthError::replay_guard_unavailable(error)), // refused: never accept what was not checked
///             }
///         })
///     }
/// }
/// ```
pub trait ReplayGuard: Send + Sync {
    /// Remembers the signature, unless it was used before.
    ///
    /// Of several calls with the same signature, in whatever processes, exactly one may succeed. Called once for each request whose
    /// signature is valid, just before the handler; a request is refused with whatever error comes out.
    ///
    /// The [consumer](crate::Validated::consumer) is proven, too: for guards that share out their room.
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce;
}

impl<T: ReplayGuard + ?Sized> ReplayGuard for Arc<T> {
    fn use_once(&self, id: &ReplayId, consumer: &str) -> UseOnce {
        (**self).use_once(id, consumer)
    }
}

/// The answer of a [`ReplayGuard`]: there at once, or awaited.
pub struct UseOnce(Answer);

enum Answer {
    Ready(Option<Result<(), AuthError>>),
    Pending(Pin<Box<dyn Future<Output = Result<(), AuthError>> + Send>>),
}

impl UseOnce {
    /// An answer that is there at once, without an allocation.
    #[must_use]
    pub fn ready(answer: Result<(), AuthError>) -> Self {
        Self(Answer::Ready(Some(answer)))
    }

    /// An answer to wait for. Limit its time: as long as it is not there, the request waits.
    #[must_use]
    pub fn pending(answer: impl Future<Output = Result<(), AuthError>> + Send + 'static) -> Self {
        Self(Answer::Pending(Box::pin(answer)))
    }
}

impl Future for UseOnce {
    type Output = Result<(), AuthError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            // Like all futures, it is not polled again once it has answered.
            Answer::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Answer::Pending(answer) => answer.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for UseOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UseOnce")
            .field("is_ready", &matches!(self.0, Answer::Ready(_)))
            .finish()
    }
}

/// What identifies a validated request among all that could be replayed: its MAC, decoded, and how long that is worth
/// remembering.
///
/// Two spellings of one signature have the same id, and no two requests have. `Debug` shows no part of the MAC.
#[derive(Clone)]
pub struct ReplayId {
    pub(crate) mac: Mac,
    pub(crate) created: i64,
    pub(crate) fresh_until: i64,
    pub(crate) validated_at: i64,
}

impl ReplayId {
    /// The 32 bytes, for a guard outside this crate.
    ///
    /// # Security
    ///
    /// This is the MAC: whoever reads it where no guard is used can replay the request while it is fresh.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.mac
    }

    /// When the signature was made, in seconds since 1970: authenticated, and at most
    /// [`max_clock_skew`](crate::ValidateOptions::max_clock_skew) in the future.
    #[must_use]
    pub fn created(&self) -> i64 {
        self.created
    }

    /// The last second, since 1970, in which the host could accept the signature again: a guard may forget it afterwards, with a
    /// margin for its own latency. Who reads the body between [`Claim::verify_head`](crate::Claim::verify_head) and the guard must not ask
    /// the guard later than this; the layers of `tower` see to it.
    #[must_use]
    pub fn fresh_until(&self) -> i64 {
        self.fresh_until
    }

    /// The second, since 1970, for which the request was validated.
    #[must_use]
    pub fn validated_at(&self) -> i64 {
        self.validated_at
    }
}

impl fmt::Debug for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayId")
            .field("created", &self.created)
            .field("fresh_until", &self.fresh_until)
            .finish_non_exhaustive()
    }
}
