//! What an app instance says of itself, where Wix has judged its text and not this crate.

use std::time::SystemTime;

use super::{
    error::AppInstanceErrorKind, options::AppInstanceOptions, payload::Payload,
    signed_text::vouched_json,
};

/// An app instance that Token Info has called active. It is no [`AppInstance`]: nobody here has
/// verified its signature.
///
/// [`AppInstance`]: super::AppInstance
pub(in crate::wix) struct Vouched {
    pub(in crate::wix) instance_id: Box<str>,
    pub(in crate::wix) expires_at: SystemTime,
}

/// Why the text gives no time until which it is valid.
pub(in crate::wix) enum Unvouched {
    /// The text is no app instance, or an unreadable one.
    NoAppInstance,
    /// `signDate` is in the future.
    InFuture,
    /// The app instance is too old, or its expiration date has passed.
    Expired,
    /// The app instance is for another app. The text names both apps, escaped.
    WrongApp(String),
}

impl Vouched {
    /// Reads an app instance, whose times are those of the defaults of [`AppInstanceOptions`].
    ///
    /// `text` must be exactly the text that Wix has called active. No part of it may go to an error:
    /// its holder can use it.
    pub(in crate::wix) fn read(
        text: &str,
        app_id: &str,
        now: SystemTime,
    ) -> Result<Self, Unvouched> {
        let json = vouched_json(text).map_err(|_| Unvouched::NoAppInstance)?;
        let payload = Payload::read(&json).map_err(|_| Unvouched::NoAppInstance)?;
        let mut options = AppInstanceOptions::new().at(now);
        // The answer of Wix has named the app already. The text may leave it out.
        if payload.app_id.is_some() {
            options = options.app_id(app_id);
        }
        options
            .check(&payload)
            .map_err(|error| match error.kind() {
                AppInstanceErrorKind::WrongApp => Unvouched::WrongApp(error.to_string()),
                AppInstanceErrorKind::InFuture => Unvouched::InFuture,
                _ => Unvouched::Expired,
            })?;
        match options.accepted_until(&payload) {
            Some(expires_at) if expires_at > now => Ok(Self {
                instance_id: payload.instance_id,
                expires_at,
            }),
            _ => Err(Unvouched::Expired),
        }
    }
}
