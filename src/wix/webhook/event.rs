//! A webhook of Wix: proof of what Wix says about one installation of the app.

use std::{fmt, time::SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::{
    app_event::AppEvent,
    claims::{malformed, verified_claims},
    domain_event::DomainEvent,
    error::{WebhookError, WebhookErrorKind},
    hex::hex,
    identity::WebhookIdentity,
    json,
    options::WebhookOptions,
};
use crate::crypto::Sha256;

/// A verified webhook: Wix has signed it, and it is fresh.
///
/// ```
/// use hmac_auth::wix::{
///     AppEvent, WebhookError, WebhookEvent, WebhookOptions,
/// };
///
/// /// `body` is the raw body of the request.
/// fn receive(
///     body: &[u8],
///     options: &WebhookOptions,
/// ) -> Result<(), WebhookError> {
///     let event = WebhookEvent::verify(body, options)?;
///     let site = event.instance_id().unwrap_or("no site");
///     match event.app_event() {
///         Some(AppEvent::Installed) => println!("installed: {site}"),
///         Some(AppEvent::Removed) => println!("removed: {site}"),
///         _ => println!("{} at {site}", event.event_type()),
///     }
///     if let Some(event) = event.domain_event() {
///         println!("{:?} of {:?}", event.slug(), event.entity_fqdn());
///     }
///     Ok(())
/// }
/// ```
///
/// # Security
///
/// Wix sends an event again until it gets an answer of 200 in time. Handle each
/// [`id`](Self::id) once. `ReceiveWebhooks`, with the feature `tower`, does that.
#[derive(Clone)]
pub struct WebhookEvent {
    id: String,
    event_type: String,
    instance_id: Option<String>,
    data: String,
    identity: Option<WebhookIdentity>,
    domain_event: Option<DomainEvent>,
    issued_at: SystemTime,
    expires_at: SystemTime,
}

/// The second level of JSON: what stands as a text in the claim `data`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    event_type: String,
    instance_id: Option<String>,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    identity: Value,
}

impl WebhookEvent {
    /// Verifies the raw body of a webhook: the whole of it is one JWT.
    ///
    /// Checks in this order: the length, the three parts, `alg`, the signature, `iat`, `nbf` and
    /// `exp`, and the shape of `data`. A key in the header of the JWT is never used.
    ///
    /// # Errors
    ///
    /// [`WebhookError`]: its kind is for the operator, its response for the peer.
    ///
    /// # Security
    ///
    /// Never read a body as JSON if this fails: nobody has signed it.
    pub fn verify(body: &[u8], options: &WebhookOptions) -> Result<Self, WebhookError> {
        let (_, claims) = verified_claims(body, options)?;
        let (issued_at, expires_at) = (claims.issued_at(), claims.expires_at());
        let Value::String(envelope) = claims.data else {
            return Err(match claims.data {
                Value::Object(_) => WebhookErrorKind::ServicePlugin.into(),
                _ => malformed("`data` is not a string"),
            });
        };
        let envelope: Envelope =
            json::object(&envelope).map_err(|reason| malformed(format!("`data`: {reason}")))?;
        if envelope.event_type.is_empty() {
            return Err(malformed("`data`: `eventType` is empty"));
        }
        let data = match envelope.data {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let instance_id = envelope.instance_id.filter(|id| !id.is_empty());
        let domain_event = DomainEvent::read(&data);
        let id = match &domain_event {
            Some(event) => event.id().to_owned(),
            None => hash(&[
                &envelope.event_type,
                instance_id.as_deref().unwrap_or_default(),
                &data,
            ]),
        };
        Ok(Self {
            id,
            event_type: envelope.event_type,
            instance_id,
            data,
            identity: WebhookIdentity::read(&envelope.identity),
            domain_event,
            issued_at,
            expires_at,
        })
    }

    /// The same text each time that Wix sends this event, and another one for each other event of
    /// the installation.
    ///
    /// It is the id of the [`domain_event`](Self::domain_event). Other events have none: for them,
    /// it is the SHA-256 of `eventType`, `instanceId` and `data`, in hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `eventType`, such as `AppInstalled` or `wix.ecom.v1.order_created`. Never empty.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// `instanceId`: the installation of the app on one site. Never empty.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.instance_id.as_deref()
    }

    /// `data` as Wix wrote it: mostly the JSON text of an object. Empty if it is absent.
    ///
    /// Read it into a type of your own with `serde_json::from_str`.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// `data` as JSON. Each call reads the text anew. `None` if it is not JSON.
    #[must_use]
    pub fn data_json(&self) -> Option<Value> {
        serde_json::from_str(&self.data).ok()
    }

    /// `identity`: the subject that caused the event.
    #[must_use]
    pub fn identity(&self) -> Option<&WebhookIdentity> {
        self.identity.as_ref()
    }

    /// The domain event in `data`. `None` for events of another shape.
    #[must_use]
    pub fn domain_event(&self) -> Option<&DomainEvent> {
        self.domain_event.as_ref()
    }

    /// What happened to the installation of the app. `None` for other events.
    #[must_use]
    pub fn app_event(&self) -> Option<AppEvent> {
        AppEvent::of(&self.event_type)
    }

    /// `iat`: when Wix signed the webhook.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// `exp`: until when the webhook is valid.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl fmt::Debug for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The data may be somebody's address.
        f.debug_struct("WebhookEvent")
            .field("id", &self.id)
            .field("event_type", &self.event_type)
            .field("instance_id", &self.instance_id)
            .field("identity", &self.identity)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of texts, each with its length before it: no text can move into its neighbour.
fn hash(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex(hash.finish())
}
