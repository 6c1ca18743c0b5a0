//! The payload of an app instance: a JSON object with the fields that Wix documents.

use std::{fmt, time::SystemTime};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::error::{AppInstanceError, AppInstanceErrorKind};

/// The documented fields. A field is optional unless all published samples have it.
///
/// Other fields are skipped here; `AppInstance::field` reads them from the JSON text.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    pub(super) instance_id: Box<str>,
    pub(super) sign_date: Date,
    #[serde(rename = "appDefId")]
    pub(super) app_id: Option<Box<str>>,
    #[serde(rename = "uid")]
    pub(super) user_id: Option<Box<str>>,
    #[serde(rename = "aid")]
    pub(super) anonymous_id: Option<Box<str>>,
    pub(super) permissions: Option<Box<str>>,
    pub(super) vendor_product_id: Option<Box<str>>,
    pub(super) site_owner_id: Option<Box<str>>,
    pub(super) site_member_id: Option<Box<str>>,
    pub(super) login_account_id: Option<Box<str>>,
    pub(super) origin_instance_id: Option<Box<str>>,
    pub(super) expiration_date: Option<Date>,
    pub(super) demo_mode: Option<bool>,
}

impl Payload {
    pub(super) fn read(json: &str) -> Result<Self, AppInstanceError> {
        let malformed = |reason: &str| {
            AppInstanceError::new(AppInstanceErrorKind::MalformedPayload).detail(reason)
        };
        // `serde` would also read an array that has the fields in their order.
        if !json.trim_ascii_start().starts_with('{') {
            return Err(malformed("it is not a JSON object"));
        }
        // The message names fields and types. It may show a value, which Wix has signed.
        let payload: Self = serde_json::from_str(json)
            .map_err(|error| malformed(&error.to_string().escape_default().to_string()))?;
        if payload.instance_id.is_empty() {
            return Err(malformed("`instanceId` is empty"));
        }
        Ok(payload)
    }
}

/// A date and time of RFC 3339, such as `2014-08-26T04:39:31.010-05:00`.
#[derive(Clone, Copy)]
pub(super) struct Date(pub(super) SystemTime);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DateVisitor)
    }
}

struct DateVisitor;

impl Visitor<'_> for DateVisitor {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
        let time: jiff::Timestamp = text
            .parse()
            .map_err(|_| E::custom("a date is not RFC 3339"))?;
        SystemTime::try_from(time)
            .map(Date)
            .map_err(|_| E::custom("a date is out of range"))
    }
}
