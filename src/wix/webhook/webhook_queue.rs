//! Where received events go: a queue that takes an event at once, or says why not.

use std::sync::mpsc::{SyncSender, TrySendError};

use tokio::sync::mpsc;

use super::{
    error::{WebhookError, WebhookErrorKind},
    event::WebhookEvent,
};

/// A queue for received events.
///
/// Senders of bounded channels are queues, those of tokio and of the standard library, and so are
/// closures:
///
/// ```
/// use hmac_auth::wix::{NotQueued, WebhookEvent, WebhookQueue};
///
/// fn is_queue(_: &impl WebhookQueue) {}
///
/// let (sender, receiver) = tokio::sync::mpsc::channel::<WebhookEvent>(64);
/// is_queue(&sender);
/// is_queue(&move |event: WebhookEvent| {
///     sender.try_send(event).map_err(|_| NotQueued::Full)
/// });
/// # drop(receiver);
/// ```
pub trait WebhookQueue: Send + Sync {
    /// Takes the event, without waiting.
    ///
    /// Wix gets an answer only after this returns, and other requests wait too. If it returns `Ok`,
    /// Wix never sends the event again.
    ///
    /// # Errors
    ///
    /// [`NotQueued`] if the queue cannot take the event now. Wix sends it again later.
    fn try_queue(&self, event: WebhookEvent) -> Result<(), NotQueued>;
}

/// Why a queue does not take an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotQueued {
    /// The queue has no room now.
    #[error("the queue is full")]
    Full,
    /// Nobody takes events from the queue any more.
    #[error("the queue is closed")]
    Closed,
}

impl<F> WebhookQueue for F
where
    F: Fn(WebhookEvent) -> Result<(), NotQueued> + Send + Sync,
{
    fn try_queue(&self, event: WebhookEvent) -> Result<(), NotQueued> {
        self(event)
    }
}

impl WebhookQueue for mpsc::Sender<WebhookEvent> {
    fn try_queue(&self, event: WebhookEvent) -> Result<(), NotQueued> {
        self.try_send(event).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotQueued::Full,
            mpsc::error::TrySendError::Closed(_) => NotQueued::Closed,
        })
    }
}

impl WebhookQueue for SyncSender<WebhookEvent> {
    fn try_queue(&self, event: WebhookEvent) -> Result<(), NotQueued> {
        self.try_send(event).map_err(|error| match error {
            TrySendError::Full(_) => NotQueued::Full,
            TrySendError::Disconnected(_) => NotQueued::Closed,
        })
    }
}

impl From<NotQueued> for WebhookError {
    fn from(reason: NotQueued) -> Self {
        Self::new(match reason {
            NotQueued::Full => WebhookErrorKind::QueueFull,
            NotQueued::Closed => WebhookErrorKind::QueueClosed,
        })
    }
}
