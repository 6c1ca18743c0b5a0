use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use serde::Serialize;

use super::{
    ElevationError, ElevationErrorKind, InstanceId,
    oauth::{json_request, json_response, seconds, text},
    request::without_scheme,
};
use crate::escape::escape;

/// How many bytes an access token may have; real ones have about a thousand.
pub const MAX_ACCESS_TOKEN_LEN: usize = 8 * 1024;

/// Asks Wix what an access token is: `POST https://www.wixapis.com/oauth2/token-info`.
///
/// `token` is what the page has sent in `Authorization`, as it is or after `Bearer `. Send the
/// request, and give the answer to [`TokenInfo::from_response`]; `wix::Elevation` of the feature
/// `client` does both.
///
/// # Errors
///
/// [`ElevationErrorKind::Missing`], [`TooLarge`](ElevationErrorKind::TooLarge),
/// [`MalformedToken`](ElevationErrorKind::MalformedToken), or
/// [`PublicInstance`](ElevationErrorKind::PublicInstance) for a look-alike. An app instance is
/// taken too: one of Wix's articles has a backend ask about it here, another has it verified with
/// the app secret, by [`AppInstance::parse`](super::AppInstance::parse) and then
/// [`InstanceId::from`]. Of everything else, only Wix knows what it is.
///
/// # Security
///
/// The body is the token, with which everybody can do what the visitor may: it belongs into no log.
pub fn token_info_request(token: &str) -> Result<Request<Vec<u8>>, ElevationError> {
    #[derive(Serialize)]
    struct Question<'a> {
        token: &'a str,
    }

    let token = access_token_of(token)?;
    Ok(json_request(
        "https://www.wixapis.com/oauth2/token-info",
        &Question { token },
        token.len(),
    ))
}

/// The token without a scheme, unless it is clearly something else.
pub(super) fn access_token_of(value: &str) -> Result<&str, ElevationError> {
    let token = without_scheme(value);
    if token.is_empty() {
        Err(ElevationErrorKind::Missing.into())
    } else if token.len() > MAX_ACCESS_TOKEN_LEN {
        Err(ElevationErrorKind::TooLarge.into())
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(ElevationErrorKind::MalformedToken.into())
    } else if token.starts_with("wixcode-pub.") {
        Err(ElevationErrorKind::PublicInstance.into())
    } else {
        Ok(token)
    }
}

/// What Wix says of an access token: for which installation of the app it is, and whose.
///
/// It comes out of [`from_response`](Self::from_response) and from nowhere else, so that owning one
/// is the proof that, at that time, the token was active, not expired, and for this app.
#[derive(Clone, Debug)]
pub struct TokenInfo {
    instance_id: InstanceId,
    expires_at: SystemTime,
    issued_at: Option<SystemTime>,
    subject_type: SubjectType,
    subject_id: Option<Box<str>>,
    account_id: Option<Box<str>>,
    site_id: Option<Box<str>>,
    vendor_product_id: Option<Box<str>>,
}

/// Who an access token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubjectType {
    /// A user of Wix: the owner of the site or one of their contributors.
    User,
    /// A logged-in member of the site.
    Member,
    /// A visitor of the site who is not logged in.
    Visitor,
    /// An app: the token is an elevated one already.
    App,
    /// Wix says `UNKNOWN`, nothing, or something new.
    Unknown,
}

impl TokenInfo {
    /// Reads the answer to a [`token_info_request`].
    ///
    /// Checked: the token is active, `exp` is there and in the future, `clientId` is `app_id`, and
    /// there is an `instanceId`. Types do not matter as long as the meaning is clear: Wix has
    /// numbers as text, and null for what is absent. What is neither is taken for absent.
    ///
    /// # Errors
    ///
    /// [`ElevationErrorKind::TokenRefused`] for a 4xx or an empty answer;
    /// [`Inactive`](ElevationErrorKind::Inactive),
    /// [`NoExpiration`](ElevationErrorKind::NoExpiration),
    /// [`Expired`](ElevationErrorKind::Expired), [`WrongApp`](ElevationErrorKind::WrongApp) or
    /// [`NoInstance`](ElevationErrorKind::NoInstance) for what the checks refuse;
    /// [`RateLimited`](ElevationErrorKind::RateLimited) for 429 and
    /// [`Unavailable`](ElevationErrorKind::Unavailable) for 5xx;
    /// [`MalformedResponse`](ElevationErrorKind::MalformedResponse) for anything else, also beyond
    /// 64 KiB.
    ///
    /// # Security
    ///
    /// Tokens of other apps are valid too. Without the check of `clientId`, what a visitor has sent
    /// to another app, that app could send here.
    pub fn from_response(
        response: &Response<impl AsRef<[u8]>>,
        app_id: &str,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        if response.status().is_success() && response.body().as_ref().trim_ascii().is_empty() {
            return Err(
                ElevationError::new(ElevationErrorKind::TokenRefused).detail("the answer is empty")
            );
        }
        let info = json_response(response, ElevationErrorKind::TokenRefused, now)?;
        let time = |name| UNIX_EPOCH.checked_add(Duration::from_secs(seconds(&info, name)?));
        let owned = |name| text(&info, name).map(Box::from);

        let is_active = match info.get("active") {
            Some(serde_json::Value::Bool(active)) => *active,
            _ => text(&info, "active").is_some_and(|active| active.eq_ignore_ascii_case("true")),
        };
        if !is_active {
            return Err(ElevationErrorKind::Inactive.into());
        }
        let expires_at = time("exp").ok_or(ElevationErrorKind::NoExpiration)?;
        if expires_at <= now {
            return Err(ElevationErrorKind::Expired.into());
        }
        match text(&info, "clientId") {
            Some(client_id) if client_id == app_id => {}
            Some(other) => {
                return Err(ElevationError::new(ElevationErrorKind::WrongApp)
                    .detail(format!("it is for `{}`", escape(other))));
            }
            None => return Err(ElevationErrorKind::WrongApp.into()),
        }
        let instance_id = text(&info, "instanceId").and_then(|id| InstanceId::new(id).ok());
        Ok(Self {
            instance_id: instance_id.ok_or(ElevationErrorKind::NoInstance)?,
            expires_at,
            issued_at: time("iat"),
            subject_type: SubjectType::read(text(&info, "subjectType")),
            subject_id: owned("subjectId"),
            account_id: owned("accountId"),
            site_id: owned("siteId"),
            vendor_product_id: owned("vendorProductId"),
        })
    }

    /// The installation of the app on one site.
    #[must_use]
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// `subjectType`: what kind of subject the token stands for.
    #[must_use]
    pub fn subject_type(&self) -> SubjectType {
        self.subject_type
    }

    /// `subjectId`: which user, member or visitor.
    #[must_use]
    pub fn subject_id(&self) -> Option<&str> {
        self.subject_id.as_deref()
    }

    /// `accountId`: the account that the site belongs to.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref()
    }

    /// `siteId`: the site.
    #[must_use]
    pub fn site_id(&self) -> Option<&str> {
        self.site_id.as_deref()
    }

    /// `vendorProductId`: what the site owner has bought of the app, in the app's own words.
    #[must_use]
    pub fn vendor_product_id(&self) -> Option<&str> {
        self.vendor_product_id.as_deref()
    }

    /// `exp`: until when the token may be used.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// `iat`: since when it may be used.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }
}

impl SubjectType {
    fn read(text: Option<&str>) -> Self {
        match text {
            Some("USER") => Self::User,
            Some("MEMBER") => Self::Member,
            Some("VISITOR") => Self::Visitor,
            Some("APP") => Self::App,
            _ => Self::Unknown,
        }
    }
}
