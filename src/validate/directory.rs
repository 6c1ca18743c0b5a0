//! Where consumers are found by their key id.

#[cfg(feature = "metrics")]
use std::borrow::Borrow;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{consumer::Consumer, error::AuthError};
use crate::eventual::Eventual;

/// The longest key id that a directory is asked for, in bytes. A longer one is unknown.
pub const MAX_DIRECTORY_KEY_ID_LEN: usize = 256;

/// Finds consumers by their key id, for a host whose consumers come and go.
///
/// A host with few consumers lists them with
/// [`ValidateOptions::key_ids`](crate::ValidateOptions::key_ids). A directory reads them from a
/// database or a service, while requests come:
///
/// ```
/// use std::sync::Arc;
///
/// use hmac_auth::{AuthError, Consumer, ConsumerDirectory, FindConsumer, Secret};
///
/// struct Consumers(Arc<Database>);
/// # struct Database;
/// # struct Row { name: String, secret: String }
/// # impl Database {
/// #     async fn find(&self, _key_id: &str) -> Result<Option<Row>, std::io::Error> { Ok(None) }
/// # }
///
/// impl ConsumerDirectory for Consumers {
///     fn find(&self, key_id: &str) -> FindConsumer {
///         let (database, key_id) = (Arc::clone(&self.0), key_id.to_owned());
///         FindConsumer::pending(async move {
///             let row = database.find(&key_id).await;
///             let Some(row) = row.map_err(AuthError::directory_unavailable)? else {
///                 return Ok(None);
///             };
///             let secret = Secret::from_text(&row.secret);
///             let secret = secret.map_err(AuthError::directory_unavailable)?;
///             Ok(Some(Consumer::new(row.name, secret)))
///         })
///     }
/// }
/// ```
///
/// Give the directory to a layer of `tower`, or to [`Claim::verify_in`](crate::Claim::verify_in).
pub trait ConsumerDirectory: Send + Sync {
    /// The consumer with this key id, `None` if there is none.
    ///
    /// The peer chose the key id, and nothing is proven: it is printable ASCII of at most
    /// [`MAX_DIRECTORY_KEY_ID_LEN`] bytes. A host calls this method after all checks that need no
    /// secret, once for each key id of a request. Nearly all requests have one.
    ///
    /// Compare key ids byte by byte. A database that ignores case or blanks at the end lets one
    /// consumer use many ids, and `forget` of a cache reaches only one of them.
    ///
    /// [`AuthErrorKind::Revoked`](crate::AuthErrorKind::Revoked) refuses a consumer that was
    /// revoked. The peer cannot tell it from `None`, but the operator can. For a directory that
    /// cannot answer, see [`AuthError::directory_unavailable`].
    fn find(&self, key_id: &str) -> FindConsumer;
}

impl<T: ConsumerDirectory + ?Sized> ConsumerDirectory for Arc<T> {
    fn find(&self, key_id: &str) -> FindConsumer {
        (**self).find(key_id)
    }
}

impl<T: ConsumerDirectory + ?Sized> ConsumerDirectory for Box<T> {
    fn find(&self, key_id: &str) -> FindConsumer {
        (**self).find(key_id)
    }
}

/// The answer of a [`ConsumerDirectory`].
pub struct FindConsumer(Eventual<Found>);

/// What a directory knows.
pub(super) type Found = Result<Option<Consumer>, AuthError>;

/// The answer of a directory in a word, for a counter.
#[cfg(feature = "metrics")]
pub(crate) fn outcome_of<E: Borrow<AuthError>>(
    found: &Result<Option<Consumer>, E>,
) -> &'static str {
    match found.as_ref().map_err(Borrow::borrow) {
        Ok(Some(_)) => "found",
        Ok(None) => "unknown",
        Err(error) if error.status().is_server_error() => "failed",
        Err(_) => "revoked",
    }
}

impl FindConsumer {
    /// An answer that is there at once, without an allocation.
    #[must_use]
    pub fn ready(answer: Result<Option<Consumer>, AuthError>) -> Self {
        Self(Eventual::ready(answer))
    }

    /// An answer to wait for. Limit its time: the request waits until the answer is there.
    #[must_use]
    pub fn pending(
        answer: impl Future<Output = Result<Option<Consumer>, AuthError>> + Send + 'static,
    ) -> Self {
        Self(Eventual::pending(answer))
    }

    /// The answer if it is there already.
    pub(super) fn try_now(self) -> Result<Found, Self> {
        self.0.try_now().map_err(Self)
    }
}

impl Future for FindConsumer {
    type Output = Result<Option<Consumer>, AuthError>;

    /// # Panics
    ///
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for FindConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FindConsumer").field(&self.0).finish()
    }
}
