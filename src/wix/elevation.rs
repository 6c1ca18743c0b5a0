use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Request};
use reqwest::{ClientBuilder, Url};

use self::{
    client::Client,
    fresh::{Entry, Fresh},
};
use super::{
    AccessToken, AppCredentials, ElevationError, ElevationErrorKind, InstanceId, TokenInfo,
    access_token_request, token_info::access_token_of, token_info_request,
};
use crate::crypto::Sha256;

mod client;
mod fresh;

/// How long Wix may take for each of its two answers, retries included, unless configured: 10 s.
pub const DEFAULT_ELEVATION_TIMEOUT: Duration = Duration::from_secs(10);

/// For how long an answer of Token Info is used at most. A token that Wix revokes is accepted for that long.
const MAX_TOKEN_INFO_AGE: Duration = Duration::from_secs(60);

/// No elevated token is given out later than this before it expires, or a tenth of its lifetime if that is less: what is done
/// with it takes time, and clocks differ.
const SAFETY_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Lets the backend of an app do what its visitors may not: with a token of the app itself, for the installation that the
/// visitor's token belongs to.
///
/// It is what Wix describes in
/// [Elevate REST API Call Permissions with Self-Hosting](https://dev.wix.com/docs/build-apps/develop-your-app/frameworks/self-hosting/elevate-rest-api-call-permissions-for-self-hosting),
/// with what it leaves to the backend: the checks of [`TokenInfo::from_response`], your decision, and caches. Keep one for the
/// app; it is cheap to clone, and the clones share caches and connections.
///
/// ```no_run
/// use hmac_auth::wix::{AppCredentials, Elevation, ElevationError, SubjectType};
///
/// # async fn confirm(request: &http::Request<()>) -> Result<(), Box<dyn std::error::Error>> {
/// // Once.
/// let credentials = AppCredentials::new("the id of your app", std::env::var("WIX_APP_SECRET")?)?;
/// let elevation = Elevation::new(credentials, reqwest::Client::builder())?;
///
/// // For each request that needs it: here, members may confirm a booking.
/// let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
/// let elevated = elevation.elevate(token, |info| info.subject_type() == SubjectType::Member).await?;
///
/// let mut call = http::Request::post("https://www.wixapis.com/_api/bookings-service/v2/bookings/1/confirm").body("{}")?;
/// elevated.authorize(&mut call);
/// # Ok(())
/// # }
/// ```
///
/// # What is asked, and how often
///
/// | question | asked again |
/// | --- | --- |
/// | Token Info, for each visitor's token | after a minute, or when the token expires |
/// | your decision | each time |
/// | Create Access Token, for each instance | five minutes before the token expires, or a tenth of its lifetime |
///
/// Who asks the same at the same time waits for one answer. Each question may take [`DEFAULT_ELEVATION_TIMEOUT`], or what
/// [`timeout`](Self::timeout) says; within it, a lost connection and a 5xx without `Retry-After` are retried twice, after a short
/// random time. A 429 is not retried but says [when](ElevationError::retry_after). No failure is remembered. Up to 10 000 answers
/// of either kind are.
///
/// # TLS
///
/// Your own dependency on `reqwest` chooses it with a feature, such as `rustls`. Without one, Wix cannot be reached.
///
/// # Security
///
/// Wix limits Token Info to 200 calls a minute for each instance, and each unknown token costs one: limit your own callers.
#[derive(Clone)]
pub struct Elevation {
    client: Client,
    credentials: Arc<AppCredentials>,
    /// By the SHA-256 of the token, so that none is kept.
    token_infos: Fresh<[u8; 32], Arc<TokenInfo>>,
    access_tokens: Fresh<InstanceId, Arc<AccessToken>>,
}

impl Elevation {
    /// Builds the client, and switches off that it follows redirects, which would show tokens and the app secret to somebody
    /// else, and that it retries by itself.
    ///
    /// Set no `default_headers` on the builder, such as `Authorization`: Wix would get them.
    ///
    /// # Errors
    ///
    /// What `reqwest::ClientBuilder::build` says: TLS or the resolver cannot be started, or an option has an invalid value.
    pub fn new(
        credentials: AppCredentials,
        builder: ClientBuilder,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: Client::new(builder, DEFAULT_ELEVATION_TIMEOUT)?,
            credentials: Arc::new(credentials),
            token_infos: Fresh::new(),
            access_tokens: Fresh::new(),
        })
    }

    /// Asks at another place than `https://www.wixapis.com`, for tests. What stands in its path comes first.
    ///
    /// # Security
    ///
    /// This place gets the tokens and the app secret, and its answers are believed.
    #[must_use]
    pub fn base_url(mut self, url: Url) -> Self {
        self.client.set_base_url(url);
        self
    }

    /// How long each of the two answers may take, retries included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client.set_timeout(timeout);
        self
    }

    /// Exchanges the token of a visitor, member or user for one of the app, if `allow` says that this subject may do what is to
    /// be done with it.
    ///
    /// `frontend_token` is the `Authorization` that the page has sent, as it is or after `Bearer `.
    ///
    /// # Errors
    ///
    /// [`ElevationError`]: its kind is for the operator, its response for the peer.
    ///
    /// # Security
    ///
    /// Every visitor of every site with your app has a token that passes all checks here. So `allow` decides who may do *this*, by
    /// [`subject_type`](TokenInfo::subject_type) and [`subject_id`](TokenInfo::subject_id). It is asked each time, with a cached
    /// token as well. One that says yes to everybody gives the rights of the app to whoever finds the route: a privilege escalation.
    ///
    /// Who has to wait for the decision, such as for a database, takes [`token_info`](Self::token_info) first, and then
    /// [`access_token`](Self::access_token).
    pub async fn elevate(
        &self,
        frontend_token: &str,
        allow: impl FnOnce(&TokenInfo) -> bool,
    ) -> Result<ElevatedToken, ElevationError> {
        let info = self.token_info(frontend_token).await?;
        if !allow(&info) {
            return Err(ElevationErrorKind::NotAllowed.into());
        }
        self.access_token(info.instance_id()).await
    }

    /// Who the token of a visitor, member or user stands for; it need not lead to an elevation.
    ///
    /// # Errors
    ///
    /// [`ElevationError`], as of [`elevate`](Self::elevate).
    pub async fn token_info(&self, frontend_token: &str) -> Result<Arc<TokenInfo>, ElevationError> {
        let token = access_token_of(frontend_token)?;
        let mut hash = Sha256::new();
        hash.update(token.as_bytes());
        self.token_infos
            .get(hash.finish(), || self.ask_token_info(token))
            .await
    }

    /// A token of the app for an installation, for jobs without a visitor and for those whose app instance you have
    /// [verified](super::AppInstance::parse).
    ///
    /// # Errors
    ///
    /// [`ElevationError`] from [`CredentialsRefused`](ElevationErrorKind::CredentialsRefused) on.
    ///
    /// # Security
    ///
    /// Nothing is decided here: whoever calls it has done so, and knows where the instance id is from.
    pub async fn access_token(
        &self,
        instance_id: &InstanceId,
    ) -> Result<ElevatedToken, ElevationError> {
        let token = self
            .access_tokens
            .get(instance_id.clone(), || self.ask_access_token(instance_id))
            .await?;
        Ok(ElevatedToken {
            token,
            instance_id: instance_id.clone(),
        })
    }

    async fn ask_token_info(&self, token: &str) -> Result<Entry<Arc<TokenInfo>>, ElevationError> {
        let app_id = self.credentials.app_id();
        let request = token_info_request(token)?;
        let (info, asked_at) = self
            .client
            .ask(request, |answer, _| {
                TokenInfo::from_response(answer, app_id, crate::time::now())
            })
            .await?;
        Ok(Entry {
            until: info_usable_until(info.expires_at(), asked_at),
            value: Arc::new(info),
        })
    }

    async fn ask_access_token(
        &self,
        instance_id: &InstanceId,
    ) -> Result<Entry<Arc<AccessToken>>, ElevationError> {
        let request = access_token_request(&self.credentials, instance_id);
        let (token, asked_at) = self.client.ask(request, AccessToken::from_response).await?;
        Ok(Entry {
            until: token_usable_until(token.expires_at(), asked_at),
            value: Arc::new(token),
        })
    }
}

fn info_usable_until(expires_at: SystemTime, asked_at: SystemTime) -> SystemTime {
    // Without a minute to add to it, it is the end of time.
    asked_at
        .checked_add(MAX_TOKEN_INFO_AGE)
        .map_or(expires_at, |until| until.min(expires_at))
}

fn token_usable_until(expires_at: SystemTime, asked_at: SystemTime) -> SystemTime {
    let lifetime = expires_at.duration_since(asked_at).unwrap_or_default();
    expires_at
        .checked_sub(SAFETY_MARGIN.min(lifetime / 10))
        .unwrap_or(asked_at)
}

/// Without the URL, which may have a password.
impl fmt::Debug for Elevation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elevation")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// A token of the app itself, for one installation. Whoever has it can do there whatever the app may.
///
/// Cheap to clone. Use it at once and do not keep it: [`Elevation`] does, and knows when it expires. `Debug` does not show the
/// token.
#[derive(Clone, Debug)]
pub struct ElevatedToken {
    token: Arc<AccessToken>,
    instance_id: InstanceId,
}

impl ElevatedToken {
    /// Sets `Authorization` to the token, without a scheme, as Wix has it, and replaces what was there.
    ///
    /// # Security
    ///
    /// Only for requests to Wix: whoever gets one has the rights of the app.
    pub fn authorize<B>(&self, request: &mut Request<B>) {
        self.token.authorize(request);
    }

    /// [`authorize`](Self::authorize) for the headers of any other kind of request, such as `reqwest::Request::headers_mut`.
    pub fn authorize_headers(&self, headers: &mut HeaderMap) {
        self.token.authorize_headers(headers);
    }

    /// The installation that it is for.
    #[must_use]
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Until when Wix accepts it.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.token.expires_at()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn after(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    #[test]
    fn an_answer_of_token_info_is_used_for_a_minute_at_most() {
        for (lifetime, usable) in [(3_600, 60), (61, 60), (60, 60), (59, 59), (1, 1)] {
            assert_eq!(
                info_usable_until(after(lifetime), after(0)),
                after(usable),
                "{lifetime}"
            );
        }
    }

    #[test]
    fn the_safety_margin_is_five_minutes_or_a_tenth() {
        for (lifetime, usable) in [(14_400, 14_100), (3_000, 2_700), (2_000, 1_800), (10, 9)] {
            assert_eq!(
                token_usable_until(after(lifetime), after(0)),
                after(usable),
                "{lifetime}"
            );
        }
    }
}
