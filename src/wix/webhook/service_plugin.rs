//! Service plugins: the requests in which Wix asks the app for something.

use std::{fmt, time::SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::{
    claims::{Claims, malformed, read, verified_claims},
    error::{WebhookError, WebhookErrorKind as Kind},
    identity::WebhookIdentity,
    options::WebhookOptions,
};
use crate::escape::escape;

/// The issuer of the requests of service plugins.
const ISSUER: &str = "wix.com";

/// A verified request of a service plugin: Wix has signed it for this app, and it is fresh.
///
/// ```
/// use hmac_auth::wix::{ServicePluginRequest, WebhookError, WebhookOptions};
///
/// fn shipping_rates(
///     body: &[u8],
///     options: &WebhookOptions,
/// ) -> Result<String, WebhookError> {
///     let app_id = "the id of your app";
///     let call = ServicePluginRequest::verify(body, app_id, options)?;
///     let currency = call.currency().unwrap_or("EUR");
///     let items = &call.request()["lineItems"];
///     Ok(format!("rates in {currency} for {items}"))
/// }
/// ```
#[derive(Clone)]
pub struct ServicePluginRequest {
    data: Data,
    identity: Option<WebhookIdentity>,
    issued_at: SystemTime,
    expires_at: SystemTime,
}

#[derive(Clone, Deserialize)]
struct Data {
    request: Value,
    metadata: Metadata,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    instance_id: Option<String>,
    request_id: Option<Value>,
    currency: Option<Value>,
    languages: Option<Value>,
    app_extension_type: Option<Value>,
    #[serde(default)]
    identity: Value,
}

impl ServicePluginRequest {
    /// Verifies the raw body of a request: the whole of it is one JWT, by `wix.com` for this app.
    ///
    /// App ids compare without case.
    ///
    /// # Errors
    ///
    /// [`WebhookError`]: its kind is for the operator, its response for the peer.
    ///
    /// # Security
    ///
    /// Nothing here remembers a request. Somebody who has seen one can send it again until it is too
    /// old, and gets your answer.
    pub fn verify(
        body: &[u8],
        app_id: &str,
        options: &WebhookOptions,
    ) -> Result<Self, WebhookError> {
        let (json, claims) = verified_claims(body, options)?;
        if claims.data.is_string() {
            return Err(Kind::Webhook.into());
        }
        check_parties(&claims, app_id)?;
        for (name, value) in [
            ("data", &claims.data),
            ("data.metadata", &claims.data["metadata"]),
        ] {
            if !value.is_object() {
                return Err(malformed(format!("`{name}` is not an object")));
            }
        }
        // Read again into the fields that count: one that stands there twice is an error.
        let claims: Claims<Data> = read(&json)?;
        Ok(Self {
            issued_at: claims.issued_at(),
            expires_at: claims.expires_at(),
            identity: WebhookIdentity::read(&claims.data.metadata.identity),
            data: claims.data,
        })
    }

    /// `request`: what Wix asks, as the documentation of the service plugin says.
    #[must_use]
    pub fn request(&self) -> &Value {
        &self.data.request
    }

    /// `metadata.instanceId`: the installation of the app on one site. Never empty.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        let id = self.data.metadata.instance_id.as_deref();
        id.filter(|id| !id.is_empty())
    }

    /// `metadata.requestId`: the id of this request, for logs.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.data.metadata.request_id.as_ref()?.as_str()
    }

    /// `metadata.currency`: a code of ISO 4217, such as `EUR`.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        self.data.metadata.currency.as_ref()?.as_str()
    }

    /// `metadata.languages`: the languages of the subject, the preferred one first.
    #[must_use]
    pub fn languages(&self) -> Vec<&str> {
        match &self.data.metadata.languages {
            Some(Value::Array(languages)) => languages.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(language)) => vec![language],
            _ => Vec::new(),
        }
    }

    /// `metadata.appExtensionType`: the type of the service plugin.
    #[must_use]
    pub fn app_extension_type(&self) -> Option<&str> {
        self.data.metadata.app_extension_type.as_ref()?.as_str()
    }

    /// `metadata.identity`: the subject that caused the request.
    #[must_use]
    pub fn identity(&self) -> Option<&WebhookIdentity> {
        self.identity.as_ref()
    }

    /// `iat`: when Wix signed the request.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// `exp`: until when the request is valid.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

fn check_parties(claims: &Claims<Value>, app_id: &str) -> Result<(), WebhookError> {
    let detail = |value: &Option<Value>| match value {
        None => "it is absent".to_owned(),
        Some(Value::String(text)) => format!("it is `{}`", escape(text)),
        Some(other) => format!("it is `{}`", escape(&other.to_string())),
    };
    if claims.iss.as_ref().and_then(Value::as_str) != Some(ISSUER) {
        return Err(WebhookError::new(Kind::WrongIssuer).detail(detail(&claims.iss)));
    }
    // An empty app id is that of no app.
    let is_this_app = |audience: &Value| {
        let audience = audience.as_str();
        !app_id.is_empty() && audience.is_some_and(|id| id.eq_ignore_ascii_case(app_id))
    };
    let is_for_this_app = match &claims.aud {
        Some(Value::Array(audiences)) => audiences.iter().any(is_this_app),
        Some(audience) => is_this_app(audience),
        None => false,
    };
    if is_for_this_app {
        Ok(())
    } else {
        Err(WebhookError::new(Kind::WrongApp).detail(detail(&claims.aud)))
    }
}

impl fmt::Debug for ServicePluginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request may be somebody's address.
        f.debug_struct("ServicePluginRequest")
            .field("instance_id", &self.instance_id())
            .field("request_id", &self.request_id())
            .field("app_extension_type", &self.app_extension_type())
            .field("identity", &self.identity)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}
