//! The payload of an app instance: a JSON object with the fields that Wix documents.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::error::{AppInstanceError, AppInstanceErrorKind};

/// How long an app instance is valid after `signDate`, by what Wix writes into `expirationDate`.
pub(super) const LIFETIME: Duration = Duration::from_secs(4 * 60 * 60);

/// The documented fields. A field is optional unless all published samples have it.
///
/// Those that decide who may do what are strict. Every other one that has an odd type counts as
/// absent, and does not spoil the app instance. `AppInstance::field` reads any field from the JSON
/// text.
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
    #[serde(default, deserialize_with = "text")]
    pub(super) vendor_product_id: Option<Box<str>>,
    #[serde(default, deserialize_with = "text")]
    pub(super) site_owner_id: Option<Box<str>>,
    #[serde(default, deserialize_with = "text")]
    pub(super) site_member_id: Option<Box<str>>,
    #[serde(default, deserialize_with = "text")]
    pub(super) login_account_id: Option<Box<str>>,
    #[serde(default, deserialize_with = "text")]
    pub(super) origin_instance_id: Option<Box<str>>,
    #[serde(default)]
    expiration_date: Expiration,
    #[serde(default, deserialize_with = "flag")]
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
        let mut payload: Self = serde_json::from_str(json)
            .map_err(|error| malformed(&error.to_string().escape_default().to_string()))?;
        if payload.instance_id.is_empty() {
            return Err(malformed("`instanceId` is empty"));
        }
        // An empty id is the id of nobody.
        for id in [&mut payload.user_id, &mut payload.anonymous_id] {
            id.take_if(|id| id.is_empty());
        }
        Ok(payload)
    }

    /// The last moment at which the app instance is valid, if the payload limits it.
    pub(super) fn expiration_date(&self) -> Option<SystemTime> {
        match self.expiration_date {
            Expiration::Absent => None,
            Expiration::At(date) => Some(date),
            Expiration::Unreadable => self.sign_date.0.checked_add(LIFETIME),
        }
    }
}

/// `expirationDate`. It limits the app instance even if it cannot be read.
#[derive(Clone, Copy, Default)]
enum Expiration {
    #[default]
    Absent,
    At(SystemTime),
    Unreadable,
}

impl<'de> Deserialize<'de> for Expiration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(|value| match value {
            Value::Null => Self::Absent,
            Value::Text(text) => date(text).map_or(Self::Unreadable, Self::At),
            Value::Flag(_) | Value::Other => Self::Unreadable,
        }))
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<str>>, D::Error> {
    deserializer.deserialize_any(AnyValue(|value| match value {
        Value::Text(text) => Some(text.into()),
        _ => None,
    }))
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(AnyValue(|value| match value {
        Value::Flag(flag) => Some(flag),
        _ => None,
    }))
}

/// A value of JSON, as far as a field here can have it.
enum Value<'a> {
    Null,
    Text(&'a str),
    Flag(bool),
    Other,
}

/// Reads a value of any type. The function says what it means.
struct AnyValue<T>(fn(Value<'_>) -> T);

impl<'de, T> Visitor<'de> for AnyValue<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(self.0(Value::Null))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(self.0(Value::Text(text)))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Ok(self.0(Value::Flag(flag)))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Ok(self.0(Value::Other))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Ok(self.0(Value::Other))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(self.0(Value::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.0(Value::Other))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<T, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.0(Value::Other))
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
        date(text)
            .map(Date)
            .ok_or_else(|| E::custom("a date is not RFC 3339, or out of range"))
    }
}

fn date(text: &str) -> Option<SystemTime> {
    let time: jiff::Timestamp = text.parse().ok()?;
    SystemTime::try_from(time).ok()
}
