//! App instances: the text that Wix signs for each page of an app, verified and read.

use std::{fmt, ops::Range, time::SystemTime};

use base64::{
    Engine,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};

use self::payload::{Payload, Text};
use crate::secret::SecretSet;

#[cfg(feature = "tower")]
pub use self::layer::{ValidateAppInstance, ValidateAppInstanceFuture, ValidateAppInstanceLayer};
pub use self::{
    error::{AppInstanceError, AppInstanceErrorKind},
    options::{AppInstanceOptions, DEFAULT_APP_SECRET_NAME, DEFAULT_MAX_AGE},
    request::app_instance_of,
};

mod error;
#[cfg(feature = "tower")]
mod layer;
mod options;
mod payload;
mod request;

/// How many bytes an app instance may have; real ones have some hundred.
pub const MAX_APP_INSTANCE_LEN: usize = 8 * 1024;

/// A verified app instance: which installation of the app a request comes from, and who is looking at it.
///
/// It comes out of [`parse`](Self::parse) and from nowhere else, so that owning one is the proof. Only
/// [`instance_id`](Self::instance_id) and [`sign_date`](Self::sign_date) are always there; what else Wix has written, also what
/// has no method here, [`field`](Self::field) reads. See
/// [About App Instances](https://dev.wix.com/docs/build-apps/develop-your-app/access/app-instances/about-app-instances).
///
/// `Debug` shows the ids, not the whole payload.
#[derive(Clone)]
pub struct AppInstance {
    /// The payload as JSON, then those of its strings that are spelled with escapes: all in one allocation.
    text: String,
    json_len: usize,
    instance_id: Range<usize>,
    app_id: Option<Range<usize>>,
    user_id: Option<Range<usize>>,
    anonymous_id: Option<Range<usize>>,
    permissions: Option<Range<usize>>,
    vendor_product_id: Option<Range<usize>>,
    site_owner_id: Option<Range<usize>>,
    site_member_id: Option<Range<usize>>,
    login_account_id: Option<Range<usize>>,
    origin_instance_id: Option<Range<usize>>,
    sign_date: SystemTime,
    expiration_date: Option<SystemTime>,
    demo_mode: Option<bool>,
}

/// Who is looking at the page that sent an app instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// The owner of the site: with the permission, as a logged-in user, and not as a visitor.
    Owner,
    /// A logged-in member of the site or user of Wix.
    Member,
    /// A visitor who is not logged in.
    Visitor,
    /// It does not say, as on a page that was cached. Never an owner.
    Unknown,
}

impl AppInstance {
    /// Verifies an app instance string, `signature.payload`, and reads it.
    ///
    /// Checked, in this order: size and shape; the signature, over the text as received, under each secret of the set; the payload;
    /// for which app it is; how old it is, and whether it has expired.
    ///
    /// # Errors
    ///
    /// [`AppInstanceError`]: its kind is for the operator, its response for the peer.
    ///
    /// # Security
    ///
    /// All of the text is chosen by the peer until its signature is verified, and nothing of it is decoded before. Configure
    /// [`AppInstanceOptions::app_id`], so that nothing depends on no other app having the same secret.
    pub fn parse(
        text: &str,
        secrets: &SecretSet,
        options: &AppInstanceOptions,
    ) -> Result<Self, AppInstanceError> {
        let (signature, payload) = split(text)?;
        let mut mac = [0; 33];
        let mac = match URL_SAFE_NO_PAD.decode_slice(signature, &mut mac) {
            Ok(32) => mac
                .first_chunk()
                .ok_or(AppInstanceErrorKind::MalformedSignature)?,
            _ => return Err(AppInstanceErrorKind::MalformedSignature.into()),
        };
        if secrets.verified_by(payload.as_bytes(), mac).is_none() {
            return Err(AppInstanceErrorKind::WrongMac.into());
        }
        let instance = Self::read(decode(payload)?)?;
        options.check(&instance)?;
        Ok(instance)
    }

    /// Reads a payload whose signature was verified.
    fn read(mut text: String) -> Result<Self, AppInstanceError> {
        let payload = Payload::read(&text)?;
        let mut unescaped = String::new();
        let mut keep = |value: &Text<'_>| match value {
            Text::AsSpelled(part) => {
                let start = part.as_ptr() as usize - text.as_ptr() as usize;
                start..start + part.len()
            }
            Text::Unescaped(value) => {
                let start = text.len() + unescaped.len();
                unescaped.push_str(value);
                start..start + value.len()
            }
        };
        let mut keep_some = |value: &Option<Text<'_>>| value.as_ref().map(&mut keep);
        let mut instance = Self {
            json_len: text.len(),
            app_id: keep_some(&payload.app_def_id),
            user_id: keep_some(&payload.uid),
            anonymous_id: keep_some(&payload.aid),
            permissions: keep_some(&payload.permissions),
            vendor_product_id: keep_some(&payload.vendor_product_id),
            site_owner_id: keep_some(&payload.site_owner_id),
            site_member_id: keep_some(&payload.site_member_id),
            login_account_id: keep_some(&payload.login_account_id),
            origin_instance_id: keep_some(&payload.origin_instance_id),
            instance_id: keep(&payload.instance_id),
            sign_date: payload.sign_date.0,
            expiration_date: payload.expiration_date.map(|date| date.0),
            demo_mode: payload.demo_mode,
            text: String::new(),
        };
        text.push_str(&unescaped);
        instance.text = text;
        Ok(instance)
    }

    /// The installation of the app on one site: what tells the data of several sites apart. Never empty.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.text[self.instance_id.clone()]
    }

    /// Who is looking at the page.
    ///
    /// An owner is only who has the permission `OWNER` *and* is logged in *and* is no anonymous visitor. Wix's advice, to block
    /// visitors by `aid`, lets a cached page through that has neither.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let is_there = |id: Option<&str>| id.is_some_and(|id| !id.is_empty());
        let (has_user, has_visitor) = (is_there(self.user_id()), is_there(self.anonymous_id()));
        if self.permissions() == Some("OWNER") && has_user && self.anonymous_id().is_none() {
            Identity::Owner
        } else if has_user {
            Identity::Member
        } else if has_visitor {
            Identity::Visitor
        } else {
            Identity::Unknown
        }
    }

    /// Goes on only for the owner of the site.
    ///
    /// # Errors
    ///
    /// [`AppInstanceErrorKind::NotOwner`] for everybody else, with the status 403.
    pub fn require_owner(&self) -> Result<&Self, AppInstanceError> {
        if self.identity() == Identity::Owner {
            Ok(self)
        } else {
            Err(AppInstanceErrorKind::NotOwner.into())
        }
    }

    /// `uid`: the id of the logged-in member or Wix user.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.kept(self.user_id.as_ref())
    }

    /// `aid`: the id of the visitor. Members of a live site have it too, beside their [`user_id`](Self::user_id).
    #[must_use]
    pub fn anonymous_id(&self) -> Option<&str> {
        self.kept(self.anonymous_id.as_ref())
    }

    /// `permissions`: `OWNER`, empty or absent. See [`identity`](Self::identity) before relying on it.
    #[must_use]
    pub fn permissions(&self) -> Option<&str> {
        self.kept(self.permissions.as_ref())
    }

    /// `appDefId`: the id of the app.
    #[must_use]
    pub fn app_id(&self) -> Option<&str> {
        self.kept(self.app_id.as_ref())
    }

    /// `vendorProductId`: what the site owner has bought of the app, in the app's own words.
    #[must_use]
    pub fn vendor_product_id(&self) -> Option<&str> {
        self.kept(self.vendor_product_id.as_ref())
    }

    /// `siteOwnerId`: the id of the owner of the site. A contributor has another [`user_id`](Self::user_id).
    #[must_use]
    pub fn site_owner_id(&self) -> Option<&str> {
        self.kept(self.site_owner_id.as_ref())
    }

    /// `siteMemberId`: the id of the logged-in member of the site.
    #[must_use]
    pub fn site_member_id(&self) -> Option<&str> {
        self.kept(self.site_member_id.as_ref())
    }

    /// `loginAccountId`: the id of the account that is logged in.
    #[must_use]
    pub fn login_account_id(&self) -> Option<&str> {
        self.kept(self.login_account_id.as_ref())
    }

    /// `originInstanceId`: of which instance this one is a copy, on a cloned site.
    #[must_use]
    pub fn origin_instance_id(&self) -> Option<&str> {
        self.kept(self.origin_instance_id.as_ref())
    }

    /// `signDate`: when Wix has signed it.
    #[must_use]
    pub fn sign_date(&self) -> SystemTime {
        self.sign_date
    }

    /// `expirationDate`: until when it may be used; not always there.
    #[must_use]
    pub fn expiration_date(&self) -> Option<SystemTime> {
        self.expiration_date
    }

    /// `demoMode`: whether the app is shown in a demonstration.
    #[must_use]
    pub fn demo_mode(&self) -> Option<bool> {
        self.demo_mode
    }

    /// Any field by its name, read anew each time; `None` if it is absent, or if anything is nested deeper than 127 levels.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<serde_json::Value> {
        let mut payload: serde_json::Map<_, _> = serde_json::from_str(self.as_json()).ok()?;
        payload.remove(name)
    }

    /// The whole payload, as Wix has written it.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.text[..self.json_len]
    }

    fn kept(&self, range: Option<&Range<usize>>) -> Option<&str> {
        range.map(|range| &self.text[range.clone()])
    }
}

impl fmt::Debug for AppInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppInstance")
            .field("instance_id", &self.instance_id())
            .field("app_id", &self.app_id())
            .field("identity", &self.identity())
            .field("user_id", &self.user_id())
            .field("sign_date", &self.sign_date)
            .finish_non_exhaustive()
    }
}

/// The two parts of an app instance.
fn split(text: &str) -> Result<(&str, &str), AppInstanceError> {
    if text.len() > MAX_APP_INSTANCE_LEN {
        return Err(AppInstanceErrorKind::TooLarge.into());
    }
    match text.split_once('.') {
        Some((signature, payload)) if !payload.is_empty() && !payload.contains('.') => {
            Ok((signature, payload))
        }
        _ => Err(look_alike(text).into()),
    }
}

/// What else turns up in its place.
fn look_alike(text: &str) -> AppInstanceErrorKind {
    if text.is_empty() {
        AppInstanceErrorKind::Missing
    } else if text.starts_with("OauthNG.JWS.") {
        AppInstanceErrorKind::AccessToken
    } else if text.starts_with("wixcode-pub.") {
        AppInstanceErrorKind::PublicInstance
    } else if text.starts_with("eyJ") && text.matches('.').count() == 2 {
        AppInstanceErrorKind::Jwt
    } else {
        AppInstanceErrorKind::NotTwoParts
    }
}

/// The JSON of a payload: base64 in one of its two alphabets, padded or not. Wix has published all of them.
fn decode(payload: &str) -> Result<String, AppInstanceError> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, CONFIG);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, CONFIG);

    let malformed =
        |reason: &str| AppInstanceError::new(AppInstanceErrorKind::MalformedPayload).detail(reason);
    let json = URL_SAFE
        .decode(payload)
        .or_else(|_| STANDARD.decode(payload))
        .map_err(|_| malformed("it is not base64"))?;
    String::from_utf8(json).map_err(|_| malformed("it is not UTF-8"))
}
