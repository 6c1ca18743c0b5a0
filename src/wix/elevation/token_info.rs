//! Token Info: the answer of Wix about an access token, or about an app instance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    error::{ElevationError, ElevationErrorKind},
    instance_id::InstanceId,
    oauth::{json_request, json_response, reason, seconds, text},
};
use crate::{
    escape::escape,
    wix::{
        app_id::check_app,
        app_instance::{Unvouched, Vouched},
        authorization::without_bearer,
    },
};

/// The longest access token that Wix is asked about, in bytes. Real ones have about a thousand.
pub const MAX_ACCESS_TOKEN_LEN: usize = 8 * 1024;

/// Makes the request that asks Wix about an access token:
/// `POST https://www.wixapis.com/oauth2/token-info`.
///
/// `token` is the value of `Authorization` that the page sent, with or without `Bearer `. Send the
/// request, and give the answer to [`TokenInfo::from_response`]. With the feature `client`,
/// `wix::Elevation` does both.
///
/// An app instance is accepted too, because the articles of Wix differ. One asks Token Info about
/// an app instance: read that answer with [`TokenInfo::from_response_about`]. Another verifies it
/// with the app secret, which is [`AppInstance::parse`](crate::wix::AppInstance::parse) and
/// [`InstanceId::from`] here.
///
/// # Errors
///
/// - [`ElevationErrorKind::Missing`] for an empty token;
/// - [`TooLarge`](ElevationErrorKind::TooLarge) for more than [`MAX_ACCESS_TOKEN_LEN`];
/// - [`MalformedToken`](ElevationErrorKind::MalformedToken) for characters that no token has;
/// - [`PublicInstance`](ElevationErrorKind::PublicInstance) for `wixcode-pub.…`.
///
/// Only Wix can judge all other texts.
///
/// # Security
///
/// The body contains the token, and its holder can do all that the visitor may do: keep it out of
/// logs.
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

/// The token without a scheme, if it can be an access token at all.
pub(super) fn access_token_of(value: &str) -> Result<&str, ElevationError> {
    let token = without_bearer(value);
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

/// The answer of Wix about an access token: its installation of the app, and its subject.
///
/// Only [`from_response`](Self::from_response) and
/// [`from_response_about`](Self::from_response_about) make this type, so owning one is the proof: at
/// that time, the token was active, not expired, and for this app.
#[derive(Clone, Debug)]
pub struct TokenInfo {
    instance_id: InstanceId,
    expires_at: SystemTime,
    expires_by_app_instance: bool,
    issued_at: Option<SystemTime>,
    subject_type: SubjectType,
    subject_id: Option<Box<str>>,
    account_id: Option<Box<str>>,
    site_id: Option<Box<str>>,
    vendor_product_id: Option<Box<str>>,
}

impl TokenInfo {
    /// Reads the answer to a [`token_info_request`].
    ///
    /// The checks: the token is active, `exp` is present and in the future, `clientId` is `app_id`,
    /// in any case, and there is an `instanceId`. The type of a value does not matter if its meaning is clear:
    /// Wix writes some numbers as text, and null for absent values. A value without a clear meaning
    /// counts as absent.
    ///
    /// # Errors
    ///
    /// - [`ElevationErrorKind::TokenRefused`] for a 4xx or an empty answer;
    /// - [`Inactive`](ElevationErrorKind::Inactive),
    ///   [`NoExpiration`](ElevationErrorKind::NoExpiration),
    ///   [`Expired`](ElevationErrorKind::Expired), [`WrongApp`](ElevationErrorKind::WrongApp) or
    ///   [`NoInstance`](ElevationErrorKind::NoInstance) if a check fails;
    /// - [`RateLimited`](ElevationErrorKind::RateLimited) for 429;
    /// - [`Unavailable`](ElevationErrorKind::Unavailable) for 5xx;
    /// - [`MalformedResponse`](ElevationErrorKind::MalformedResponse) for every other answer, also
    ///   for one of more than 64 KiB.
    ///
    /// # Security
    ///
    /// The tokens of other apps are active too. Without the check of `clientId`, another app could
    /// send here the token that a visitor sent to that app.
    pub fn from_response(
        response: &Response<impl AsRef<[u8]>>,
        app_id: &str,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        Self::read(response, None, app_id, now)
    }

    /// Reads the answer to a [`token_info_request`] about `asked`, which may be an app instance.
    ///
    /// The checks are those of [`from_response`](Self::from_response). Wix documents `exp` for access
    /// tokens only. If the answer has none and `asked` is an app instance, the times of the app
    /// instance count: it may be [`DEFAULT_MAX_AGE`](crate::wix::DEFAULT_MAX_AGE) old, counted from
    /// `signDate`, and its `expirationDate` must not have passed. It must name the instance that Wix
    /// names, and no other app. An access token without `exp` stays refused.
    ///
    /// `asked` is the text that [`token_info_request`] got.
    ///
    /// # Errors
    ///
    /// Those of [`from_response`](Self::from_response).
    ///
    /// # Security
    ///
    /// This function does not verify the signature of an app instance. Wix has judged exactly the
    /// text that it was asked about, so `asked` must be that text, and the answer must come from Wix.
    pub fn from_response_about(
        asked: &str,
        response: &Response<impl AsRef<[u8]>>,
        app_id: &str,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        Self::read(response, Some(without_bearer(asked)), app_id, now)
    }

    fn read(
        response: &Response<impl AsRef<[u8]>>,
        asked: Option<&str>,
        app_id: &str,
        now: SystemTime,
    ) -> Result<Self, ElevationError> {
        if response.status().is_success() && response.body().as_ref().trim_ascii().is_empty() {
            return Err(
                ElevationError::new(ElevationErrorKind::TokenRefused).detail("the answer is empty")
            );
        }
        let info = json_response(response, ElevationErrorKind::TokenRefused, now)?;
        // Wix may answer 200 and name an error.
        let refusal = |kind, detail: Option<String>| {
            let detail = [detail, reason(&info)].into_iter().flatten();
            let detail = detail.collect::<Vec<_>>().join(", ");
            match detail.as_str() {
                "" => ElevationError::new(kind),
                _ => ElevationError::new(kind).detail(detail),
            }
        };
        if !is_active(&info) {
            return Err(refusal(ElevationErrorKind::Inactive, None));
        }
        if text(&info, "error").is_some() {
            return Err(refusal(ElevationErrorKind::TokenRefused, None));
        }
        let exp = time(&info, "exp");
        if exp.is_none() && (asked.is_none() || !is_absent(&info, "exp")) {
            return Err(refusal(ElevationErrorKind::NoExpiration, None));
        }
        if exp.is_some_and(|exp| exp <= now) {
            return Err(refusal(ElevationErrorKind::Expired, None));
        }
        check_app(text(&info, "clientId"), app_id)
            .map_err(|reason| refusal(ElevationErrorKind::WrongApp, Some(reason)))?;
        let instance_id = text(&info, "instanceId")
            .and_then(|id| InstanceId::new(id).ok())
            .ok_or_else(|| refusal(ElevationErrorKind::NoInstance, None))?;
        let expires_by_app_instance = exp.is_none();
        let expires_at = match exp {
            Some(exp) => exp,
            None => expiry_of_app_instance(asked.unwrap_or_default(), &instance_id, app_id, now)
                .map_err(|(kind, detail)| refusal(kind, detail))?,
        };
        let owned = |name| text(&info, name).map(Box::from);
        Ok(Self {
            instance_id,
            expires_at,
            expires_by_app_instance,
            issued_at: time(&info, "iat"),
            subject_type: SubjectType::read(text(&info, "subjectType")),
            subject_id: owned("subjectId"),
            account_id: owned("accountId"),
            site_id: owned("siteId"),
            vendor_product_id: owned("vendorProductId"),
        })
    }

    /// `instanceId`: the installation of the app on one site.
    #[must_use]
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// `subjectType`: the kind of subject that the token stands for.
    #[must_use]
    pub fn subject_type(&self) -> SubjectType {
        self.subject_type
    }

    /// `subjectId`: the id of the user, member or visitor.
    #[must_use]
    pub fn subject_id(&self) -> Option<&str> {
        self.subject_id.as_deref()
    }

    /// `accountId`: the id of the account that the site belongs to.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref()
    }

    /// `siteId`: the id of the site.
    #[must_use]
    pub fn site_id(&self) -> Option<&str> {
        self.site_id.as_deref()
    }

    /// `vendorProductId`: the product that the site owner has bought, as the app names it.
    #[must_use]
    pub fn vendor_product_id(&self) -> Option<&str> {
        self.vendor_product_id.as_deref()
    }

    /// `exp`: the time until which the token is valid. For an app instance that Wix names no time
    /// for, the time by its `signDate` and its `expirationDate`.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Whether Wix has named no `exp`, and [`expires_at`](Self::expires_at) is that of the app
    /// instance. Use such an answer for some seconds only: Wix may revoke the app instance earlier.
    #[must_use]
    pub fn expires_by_app_instance(&self) -> bool {
        self.expires_by_app_instance
    }

    /// `iat`: the time at which Wix made the token.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }
}

/// The kind of subject that an access token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubjectType {
    /// A user of Wix: the owner of the site, or a contributor.
    User,
    /// A logged-in member of the site.
    Member,
    /// A visitor of the site who is not logged in.
    Visitor,
    /// An app: the token is an elevated one already.
    App,
    /// Wix says `UNKNOWN`, nothing, or a word that is new.
    Unknown,
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

/// The time until which an app instance is valid that Wix has called active and named no time for.
fn expiry_of_app_instance(
    text: &str,
    instance_id: &InstanceId,
    app_id: &str,
    now: SystemTime,
) -> Result<SystemTime, (ElevationErrorKind, Option<String>)> {
    let vouched = Vouched::read(text, app_id, now).map_err(|unvouched| match unvouched {
        Unvouched::NoAppInstance => (ElevationErrorKind::NoExpiration, None),
        Unvouched::InFuture => {
            let detail = "the app instance was signed in the future: compare the clocks";
            (ElevationErrorKind::NoExpiration, Some(detail.to_owned()))
        }
        Unvouched::Expired => (ElevationErrorKind::Expired, None),
        Unvouched::WrongApp(reason) => (ElevationErrorKind::WrongApp, Some(reason)),
    })?;
    if vouched
        .instance_id
        .eq_ignore_ascii_case(instance_id.as_str())
    {
        Ok(vouched.expires_at)
    } else {
        let detail = format!(
            "the app instance is for {}, Wix says {}",
            escape(&vouched.instance_id),
            escape(instance_id.as_str())
        );
        Err((ElevationErrorKind::NoInstance, Some(detail)))
    }
}

fn is_active(info: &Map<String, Value>) -> bool {
    match info.get("active") {
        Some(Value::Bool(active)) => *active,
        _ => text(info, "active").is_some_and(|active| active.eq_ignore_ascii_case("true")),
    }
}

/// Null counts as absent.
fn is_absent(info: &Map<String, Value>, name: &str) -> bool {
    info.get(name).is_none_or(Value::is_null)
}

fn time(info: &Map<String, Value>, name: &str) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds(info, name)?))
}
