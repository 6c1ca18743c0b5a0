//! App instances: the text that Wix signs for each page of an app, verified and read.

use std::{fmt, time::SystemTime};

use self::{payload::Payload, signed_text::verified_json};
use crate::secret::SecretSet;

#[cfg(feature = "tower")]
pub use self::layer::{ValidateAppInstance, ValidateAppInstanceFuture, ValidateAppInstanceLayer};
pub(super) use self::vouched::{Unvouched, Vouched};
pub use self::{
    error::{AppInstanceError, AppInstanceErrorKind},
    identity::Identity,
    options::{AppInstanceOptions, DEFAULT_APP_SECRET_NAME, DEFAULT_MAX_AGE},
    request::app_instance_of,
    signed_text::MAX_APP_INSTANCE_LEN,
};

mod error;
mod identity;
#[cfg(feature = "tower")]
mod layer;
mod options;
mod payload;
mod request;
mod signed_text;
mod vouched;

/// A verified app instance: which installation of the app a request comes from, and who looks at
/// the page.
///
/// Only [`parse`](Self::parse) makes this type, so owning one is the proof. An app instance always
/// has an [`instance_id`](Self::instance_id) and a [`sign_date`](Self::sign_date).
/// [`field`](Self::field) reads the fields that have no method here.
///
/// A field that decides nothing, such as [`demo_mode`](Self::demo_mode), counts as absent if it has
/// another type than Wix documents. The ids of installation, app and user, the permissions and
/// `signDate` are strict. See
/// [About App Instances](https://dev.wix.com/docs/build-apps/develop-your-app/access/app-instances/about-app-instances).
///
/// `Debug` shows the ids and not the whole payload.
#[derive(Clone)]
pub struct AppInstance {
    json: String,
    payload: Payload,
}

impl AppInstance {
    /// Verifies the text of an app instance, `signature.payload`, and reads it.
    ///
    /// The checks come in this order:
    ///
    /// 1. size and shape of the text;
    /// 2. the signature, over the text as received, with each secret of the set;
    /// 3. the payload;
    /// 4. the app that the app instance is for;
    /// 5. its age, and its expiration date.
    ///
    /// # Errors
    ///
    /// [`AppInstanceError`]: its kind is for the operator, its response for the peer.
    ///
    /// # Security
    ///
    /// The peer chooses the whole text until the signature is verified. Nothing of the payload is
    /// decoded before that. Configure [`AppInstanceOptions::app_id`], or an app instance of another
    /// app with the same secret is accepted.
    pub fn parse(
        text: &str,
        secrets: &SecretSet,
        options: &AppInstanceOptions,
    ) -> Result<Self, AppInstanceError> {
        let json = verified_json(text, secrets)?;
        let payload = Payload::read(&json)?;
        options.check(&payload)?;
        Ok(Self { json, payload })
    }

    /// `instanceId`: the installation of the app on one site. Never empty.
    ///
    /// Use this id to keep the data of several sites apart.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.payload.instance_id
    }

    /// The kind of person who looks at the page.
    ///
    /// An owner has the permission `OWNER`, *and* is logged in, *and* is no anonymous visitor. Wix
    /// advises to refuse visitors by their `aid`. That alone would accept a cached page, which has
    /// neither `uid` nor `aid`.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::of(&self.payload)
    }

    /// Accepts only the owner of the site.
    ///
    /// # Errors
    ///
    /// [`AppInstanceErrorKind::NotOwner`] for every other identity, with the status 403.
    pub fn require_owner(&self) -> Result<&Self, AppInstanceError> {
        if self.identity() == Identity::Owner {
            Ok(self)
        } else {
            Err(AppInstanceErrorKind::NotOwner.into())
        }
    }

    /// `uid`: the id of the logged-in member or Wix user. An empty one counts as absent.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.payload.user_id.as_deref()
    }

    /// `aid`: the id of the visitor. Members of a live site have an `aid` too, beside their
    /// [`user_id`](Self::user_id). An empty one counts as absent.
    #[must_use]
    pub fn anonymous_id(&self) -> Option<&str> {
        self.payload.anonymous_id.as_deref()
    }

    /// `permissions`: `OWNER`, empty or absent. Rely on [`identity`](Self::identity) instead.
    #[must_use]
    pub fn permissions(&self) -> Option<&str> {
        self.payload.permissions.as_deref()
    }

    /// `appDefId`: the id of the app.
    #[must_use]
    pub fn app_id(&self) -> Option<&str> {
        self.payload.app_id.as_deref()
    }

    /// `vendorProductId`: the product that the site owner has bought, as the app names it.
    #[must_use]
    pub fn vendor_product_id(&self) -> Option<&str> {
        self.payload.vendor_product_id.as_deref()
    }

    /// `siteOwnerId`: the id of the site owner. A contributor has another
    /// [`user_id`](Self::user_id).
    #[must_use]
    pub fn site_owner_id(&self) -> Option<&str> {
        self.payload.site_owner_id.as_deref()
    }

    /// `siteMemberId`: the id of the logged-in member of the site.
    #[must_use]
    pub fn site_member_id(&self) -> Option<&str> {
        self.payload.site_member_id.as_deref()
    }

    /// `loginAccountId`: the id of the account that is logged in.
    #[must_use]
    pub fn login_account_id(&self) -> Option<&str> {
        self.payload.login_account_id.as_deref()
    }

    /// `originInstanceId`: on a cloned site, the instance that this one is a copy of.
    #[must_use]
    pub fn origin_instance_id(&self) -> Option<&str> {
        self.payload.origin_instance_id.as_deref()
    }

    /// `signDate`: when Wix signed the app instance.
    #[must_use]
    pub fn sign_date(&self) -> SystemTime {
        self.payload.sign_date.0
    }

    /// `expirationDate`: the last moment at which the app instance is valid. Often absent.
    ///
    /// If there is one that cannot be read, it is `signDate` and 4 h, as Wix writes it.
    #[must_use]
    pub fn expiration_date(&self) -> Option<SystemTime> {
        self.payload.expiration_date()
    }

    /// `demoMode`: whether Wix shows the app in a demonstration.
    #[must_use]
    pub fn demo_mode(&self) -> Option<bool> {
        self.payload.demo_mode
    }

    /// Any field by its name. Each call reads the JSON text anew.
    ///
    /// `None` if the field is absent, or if the payload has more than 127 nested levels.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<serde_json::Value> {
        let mut fields: serde_json::Map<_, _> = serde_json::from_str(&self.json).ok()?;
        fields.remove(name)
    }

    /// The whole payload, as Wix wrote it.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.json
    }
}

impl fmt::Debug for AppInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppInstance")
            .field("instance_id", &self.instance_id())
            .field("app_id", &self.app_id())
            .field("identity", &self.identity())
            .field("user_id", &self.user_id())
            .field("sign_date", &self.sign_date())
            .finish_non_exhaustive()
    }
}
