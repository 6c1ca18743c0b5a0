//! Webhooks, service plugins and signed requests: what Wix signs with a private key (RS256).

pub use self::{
    app_event::AppEvent,
    body_digest::verify_body_digest,
    domain_event::{DomainEvent, DomainEventBody},
    error::{WebhookError, WebhookErrorKind},
    event::WebhookEvent,
    identity::WebhookIdentity,
    key::WebhookKey,
    key_error::WebhookKeyError,
    options::{DEFAULT_MAX_WEBHOOK_AGE, WebhookOptions},
    service_plugin::ServicePluginRequest,
    signed_text::MAX_WEBHOOK_LEN,
};

#[cfg(feature = "tower")]
pub use self::{
    body::DEFAULT_WEBHOOK_TIMEOUT,
    repeats::DEFAULT_REMEMBERED_WEBHOOKS,
    service::{ReceiveWebhooks, ReceiveWebhooksFuture},
    webhook_queue::{NotQueued, WebhookQueue},
};

mod app_event;
#[cfg(feature = "tower")]
mod body;
mod body_digest;
mod claims;
mod domain_event;
mod error;
mod event;
mod hex;
mod identity;
mod json;
mod key;
mod key_error;
mod options;
#[cfg(feature = "tower")]
mod repeats;
#[cfg(feature = "tower")]
mod service;
mod service_plugin;
mod signed_text;
#[cfg(feature = "tower")]
mod webhook_queue;
