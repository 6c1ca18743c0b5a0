//! The JSON of an app instance.

use std::{fmt, time::SystemTime};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::{AppInstanceError, AppInstanceErrorKind};

/// What is documented, each optional unless all samples have it. Unknown fields are skipped here and stay readable in the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload<'a> {
    #[serde(borrow)]
    pub(super) instance_id: Text<'a>,
    pub(super) sign_date: Date,
    #[serde(borrow)]
    pub(super) app_def_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) aid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) permissions: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) vendor_product_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) site_owner_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) site_member_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) login_account_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) origin_instance_id: Option<Text<'a>>,
    pub(super) expiration_date: Option<Date>,
    pub(super) demo_mode: Option<bool>,
}

impl<'a> Payload<'a> {
    pub(super) fn read(json: &'a str) -> Result<Self, AppInstanceError> {
        let malformed = |reason: String| {
            AppInstanceError::new(AppInstanceErrorKind::MalformedPayload).detail(reason)
        };
        // An array in the order of the fields would be read too.
        if !json.trim_ascii_start().starts_with('{') {
            return Err(malformed("it is not a JSON object".to_owned()));
        }
        // The message names fields and types, and may show a value, which Wix has signed.
        let payload: Self = serde_json::from_str(json)
            .map_err(|error| malformed(error.to_string().escape_default().to_string()))?;
        if payload.instance_id.as_str().is_empty() {
            return Err(malformed("`instanceId` is empty".to_owned()));
        }
        Ok(payload)
    }
}

/// A string, borrowed unless it has escapes. (`Option<Cow<str>>` would always be copied.)
pub(super) enum Text<'a> {
    AsSpelled(&'a str),
    Unescaped(Box<str>),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::AsSpelled(text) => text,
            Self::Unescaped(text) => text,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text::AsSpelled(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text::Unescaped(text.into()))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// A date and time of RFC 3339: `2014-08-26T04:39:31.010-05:00`, `…Z`, with or without a fraction.
pub(super) struct Date(pub(super) SystemTime);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let time: jiff::Timestamp = text
            .as_str()
            .parse()
            .map_err(|_| D::Error::custom("a date is not RFC 3339"))?;
        SystemTime::try_from(time)
            .map(Self)
            .map_err(|_| D::Error::custom("a date is out of range"))
    }
}
