//! The endpoint for webhooks: a service that hands each event to a queue, once.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::CACHE_CONTROL, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    body::{DEFAULT_WEBHOOK_TIMEOUT, WholeBody},
    error::{WebhookError, WebhookErrorKind},
    event::WebhookEvent,
    options::WebhookOptions,
    repeats::{DEFAULT_REMEMBERED_WEBHOOKS, Repeats},
    webhook_queue::WebhookQueue,
};
#[cfg(feature = "metrics")]
use crate::metrics;
#[cfg(feature = "tracing")]
use crate::{
    escape::escape,
    tower::{is_recording, record_on_span, refusal_event},
};
use crate::{
    eventual::POLLED_AFTER_END,
    tower::{BoxError, BufferedBody, close_connection},
};

/// Receives webhooks: verifies each one, hands it to a queue, and answers.
///
/// The answer comes before the event is handled, because Wix waits for 1.25 seconds only:
///
/// | answer | when |
/// | --- | --- |
/// | 200 | The queue has taken the event, now or when Wix sent the event before. |
/// | 401 | The body is not a fresh webhook that the key of the app has signed. |
/// | 400, 408, 413 | The body breaks off, comes too slowly, or has more than 1 MiB. |
/// | 405 | The method is not `POST`. |
/// | 503, with `Retry-After` | The queue is full or closed. |
///
/// All answers say `Cache-Control: no-store`. The answer to a refused request has the
/// [`WebhookErrorKind`] in its extensions. With the feature `tracing`, each answer is an event, and
/// the current span gets the `instance_id` if it has such a field.
///
/// ```
/// use axum::Router;
/// use hmac_auth::wix::{
///     ReceiveWebhooks, WebhookEvent, WebhookKey, WebhookKeyError,
///     WebhookOptions,
/// };
/// use tokio::sync::mpsc;
///
/// fn app(
///     public_key: &str,
/// ) -> Result<(Router, mpsc::Receiver<WebhookEvent>), WebhookKeyError> {
///     let options = WebhookOptions::new(WebhookKey::from_pem(public_key)?);
///     let (sender, receiver) = mpsc::channel(1024);
///     let webhooks = ReceiveWebhooks::new(options, sender);
///     Ok((Router::new().route_service("/webhook", webhooks), receiver))
/// }
/// ```
///
/// # Repeats
///
/// Wix sends an event again until it gets 200 in time. The service remembers the
/// [ids](WebhookEvent::id) of the latest events that the queue has taken, for itself and its clones.
/// An event for two installations is two. After a restart the service knows none, and several
/// processes do not know those of each other. If that matters, also note id and installation where
/// you keep the result, in one transaction with it.
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`timeout`](Self::timeout) | [`DEFAULT_WEBHOOK_TIMEOUT`], one second |
/// | [`remembered_webhooks`](Self::remembered_webhooks) | [`DEFAULT_REMEMBERED_WEBHOOKS`], 65,536 |
#[derive(Clone)]
pub struct ReceiveWebhooks {
    options: Arc<WebhookOptions>,
    queue: Arc<dyn WebhookQueue>,
    repeats: Arc<Repeats>,
    timeout: Duration,
}

impl ReceiveWebhooks {
    /// Hands the events to this queue, such as the sender of a bounded channel.
    #[must_use]
    pub fn new(options: WebhookOptions, queue: impl WebhookQueue + 'static) -> Self {
        Self {
            options: Arc::new(options),
            queue: Arc::new(queue),
            repeats: Arc::new(Repeats::new(DEFAULT_REMEMBERED_WEBHOOKS)),
            timeout: DEFAULT_WEBHOOK_TIMEOUT,
        }
    }

    /// How long a peer may take to send the body. Slower ones get 408.
    ///
    /// The time is that of tokio, whose runtime must have its timer enabled.
    #[must_use]
    pub fn timeout(mut self, duration: Duration) -> Self {
        self.timeout = duration;
        self
    }

    /// How many events are remembered, at least one. Beyond that, the oldest one is forgotten.
    #[must_use]
    pub fn remembered_webhooks(mut self, events: usize) -> Self {
        self.repeats = Arc::new(Repeats::new(events));
        self
    }

    /// Verifies the body, and hands the event to the queue.
    fn receive(&self, body: &[u8]) -> Result<(), WebhookError> {
        let event = WebhookEvent::verify(body, &self.options)?;
        #[cfg(feature = "tracing")]
        let (id, event_type, instance_id) = {
            if let Some(instance_id) = event.instance_id().filter(|_| is_recording()) {
                record_on_span("instance_id", instance_id);
            }
            let instance_id = event.instance_id().map(escape);
            (escape(event.id()), escape(event.event_type()), instance_id)
        };
        let outcome = self.repeats.queue_once(event, &*self.queue)?;
        #[cfg(feature = "tracing")]
        tracing::debug!(
            target: "hmac_auth", id, event_type, instance_id, ?outcome, "webhook accepted"
        );
        #[cfg(not(feature = "tracing"))]
        let _ = outcome;
        Ok(())
    }
}

impl fmt::Debug for ReceiveWebhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveWebhooks")
            .field("options", &self.options)
            .field("timeout", &self.timeout)
            .field("remembered_webhooks", &self.repeats.capacity())
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for ReceiveWebhooks
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Response = Response<BufferedBody<B>>;
    type Error = Infallible;
    type Future = ReceiveWebhooksFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        ReceiveWebhooksFuture {
            body: WholeBody::new(body, self.timeout),
            receiver: self.clone(),
            head: parts,
            is_answered: false,
        }
    }
}

pin_project! {
    /// The answer to a webhook.
    pub struct ReceiveWebhooksFuture<B> {
        #[pin]
        body: WholeBody<B>,
        receiver: ReceiveWebhooks,
        head: Parts,
        is_answered: bool,
    }
}

impl<B> Future for ReceiveWebhooksFuture<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<BufferedBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        assert!(!*this.is_answered, "{POLLED_AFTER_END}");
        let received = if this.head.method == Method::POST {
            let body = ready!(this.body.as_mut().poll_bytes(cx));
            body.and_then(|body| this.receiver.receive(&body))
        } else {
            Err(WebhookErrorKind::WrongMethod.into())
        };
        *this.is_answered = true;
        let mut response = match received {
            Ok(()) => {
                #[cfg(feature = "metrics")]
                metrics::count(metrics::WEBHOOKS_ACCEPTED);
                accepted()
            }
            Err(error) => {
                #[cfg(feature = "metrics")]
                metrics::count_by(metrics::WEBHOOKS_REFUSED, "kind", error.kind().as_str());
                #[cfg(feature = "tracing")]
                {
                    let path = escape(this.head.uri.path());
                    refusal_event!(error, path, "webhook refused");
                }
                refusal(&error)
            }
        };
        if this.body.is_unread() {
            close_connection(&mut response, this.head.version);
        }
        Poll::Ready(Ok(response.map(BufferedBody::from)))
    }
}

fn accepted() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

fn refusal(error: &WebhookError) -> Response<Bytes> {
    let mut response = error
        .to_response()
        .map(|body| Bytes::from_static(body.as_bytes()));
    response.extensions_mut().insert(error.kind());
    response
}

impl<B> fmt::Debug for ReceiveWebhooksFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveWebhooksFuture")
            .finish_non_exhaustive()
    }
}
