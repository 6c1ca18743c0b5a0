//! The webhooks of Wix: the endpoint, and the task that handles what comes there.

use hmac_auth::wix::{
    AppEvent, ReceiveWebhooks, WebhookEvent, WebhookKey, WebhookKeyError, WebhookOptions,
};
use tokio::sync::mpsc;

/// The endpoint. It needs no layer: the signature of Wix is all.
pub(crate) fn endpoint(public_key: &str) -> Result<ReceiveWebhooks, WebhookKeyError> {
    let options = WebhookOptions::new(WebhookKey::from_pem(public_key)?);
    let (sender, events) = mpsc::channel(1024);
    tokio::spawn(handle(events));
    Ok(ReceiveWebhooks::new(options, sender))
}

/// Takes as long as it needs: Wix already has its answer.
async fn handle(mut events: mpsc::Receiver<WebhookEvent>) {
    while let Some(event) = events.recv().await {
        let site = event.instance_id().unwrap_or("no site");
        match event.app_event() {
            Some(AppEvent::Installed) => println!("webhook {site} has the app"),
            Some(AppEvent::Removed) => println!("webhook {site} is without the app"),
            _ => println!("webhook {} of {site}", event.event_type()),
        }
    }
}
