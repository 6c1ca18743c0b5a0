//! The exchange of a visitor's access token for one of the app itself.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Request;
use reqwest::{ClientBuilder, Url};

use super::{
    access_token::{AccessToken, access_token_request, admin_token_request},
    credentials::AppCredentials,
    elevated_token::ElevatedToken,
    error::{ElevationError, ElevationErrorKind},
    instance_id::InstanceId,
    lifetime::{info_usable_until, token_usable_until},
    token_cache::{Cached, TokenCache},
    token_info::{TokenInfo, access_token_of, token_info_request},
    visitor_token::{VisitorToken, visitor_token_request},
    wix_api::WixApi,
};
use crate::{crypto::Sha256, time::Clock};

/// The default time that Wix has for each of its two answers, retries included: 10 s.
pub const DEFAULT_ELEVATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Exchanges the access token of a visitor for one of the app itself, so that the backend can do
/// what the visitor may not do.
///
/// Wix describes the exchange in
/// [Elevate REST API Call Permissions with Self-Hosting](https://dev.wix.com/docs/build-apps/develop-your-app/frameworks/self-hosting/elevate-rest-api-call-permissions-for-self-hosting).
/// This type adds the checks of [`TokenInfo::from_response`], your decision, and caches. Create one
/// for the whole app. It is cheap to clone, and the clones share their caches and connections.
///
/// ```no_run
/// use hmac_auth::wix::{AppCredentials, Elevation, SubjectType};
///
/// # async fn confirm(
/// #     request: &http::Request<()>,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// // Once.
/// let app_secret = std::env::var("WIX_APP_SECRET")?;
/// let credentials = AppCredentials::new("the id of your app", app_secret)?;
/// let elevation = Elevation::new(credentials, reqwest::Client::builder())?;
///
/// // For each request that needs it: here, members may confirm a booking.
/// let token = request
///     .headers()
///     .get("authorization")
///     .and_then(|value| value.to_str().ok())
///     .unwrap_or_default();
/// let elevated = elevation
///     .elevate(token, |info| info.subject_type() == SubjectType::Member)
///     .await?;
///
/// let url = "https://www.wixapis.com/_api/bookings-service/v2/bookings/1/confirm";
/// let mut call = http::Request::post(url).body("{}")?;
/// elevated.authorize(&mut call);
/// # Ok(())
/// # }
/// ```
///
/// # Questions and caches
///
/// | question | asked again |
/// | --- | --- |
/// | Token Info, for each visitor's token | after a minute, or when the token expires |
/// | your decision | each time |
/// | Token Info, for an app instance that Wix names no `exp` for | after 10 s |
/// | Create Access Token, for each instance | five minutes before the token expires, or a tenth of its lifetime; after [`forget`](Self::forget) |
/// | [`admin_token`](Self::admin_token), and [`visitor_token`](Self::visitor_token) for each visitor's token | the same |
///
/// Concurrent calls with the same question share one request. The caches keep no failures. Each
/// cache holds up to 10,000 answers, and each kind of token has its own cache.
///
/// A lost connection and a 5xx without `Retry-After` are retried twice, each time after a short
/// random wait. A 429 is not retried; its error has
/// [`retry_after`](ElevationError::retry_after).
///
/// # Defaults
///
/// | option | default |
/// | --- | --- |
/// | [`timeout`](Self::timeout) | [`DEFAULT_ELEVATION_TIMEOUT`], 10 s |
/// | [`base_url`](Self::base_url) | `https://www.wixapis.com` |
/// | [`clock`](Self::clock) | the clock of the system |
///
/// # TLS
///
/// Choose TLS with a feature of your own dependency on `reqwest`, such as `rustls`. Without TLS,
/// Wix cannot be reached.
///
/// # Security
///
/// Wix limits Token Info to 200 calls a minute for each instance, and each unknown token costs one
/// call: limit the rate of your own callers. With the feature `tower`, `wix::TokenInfoLayer` limits
/// the questions for whole routes.
#[derive(Clone)]
pub struct Elevation {
    wix: WixApi,
    credentials: Arc<AppCredentials>,
    token_infos: TokenCache<TokenHash, Arc<TokenInfo>>,
    access_tokens: TokenCache<InstanceId, Arc<AccessToken>>,
    admin_tokens: TokenCache<(), Arc<AccessToken>>,
    visitor_tokens: TokenCache<TokenHash, Arc<VisitorToken>>,
}

impl Elevation {
    /// Builds the HTTP client.
    ///
    /// The client does not follow redirects, because they would send tokens and the app secret to
    /// another server. It makes no retries of its own either. Set no `default_headers` on the
    /// builder, such as `Authorization`: Wix would get them.
    ///
    /// # Errors
    ///
    /// The error of `reqwest::ClientBuilder::build`: TLS or the resolver cannot be started, or an
    /// option has an invalid value.
    pub fn new(
        credentials: AppCredentials,
        builder: ClientBuilder,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            wix: WixApi::new(builder, DEFAULT_ELEVATION_TIMEOUT)?,
            credentials: Arc::new(credentials),
            token_infos: TokenCache::new(Clock::default()),
            access_tokens: TokenCache::new(Clock::default()),
            admin_tokens: TokenCache::new(Clock::default()),
            visitor_tokens: TokenCache::new(Clock::default()),
        })
    }

    /// Sends the requests to another server than `https://www.wixapis.com`, for tests. The path of
    /// `url` comes before the path of the endpoint.
    ///
    /// # Security
    ///
    /// This server gets the tokens and the app secret, and its answers are trusted.
    #[must_use]
    pub fn base_url(mut self, url: Url) -> Self {
        self.wix.set_base_url(url);
        self
    }

    /// The time that Wix has for each of its two answers, retries included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.wix.set_timeout(timeout);
        self
    }

    /// Takes the present from this clock, and never from the system. The caches start empty.
    ///
    /// With a clock of your own, a token stays in memory until it is replaced or its room is needed.
    /// With the clock of the system, it is gone from memory when it expires. The
    /// [`timeout`](Self::timeout) is a duration, which no clock changes.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let clock = Clock::default().given(clock);
        self.token_infos = TokenCache::new(clock.clone());
        self.access_tokens = TokenCache::new(clock.clone());
        self.admin_tokens = TokenCache::new(clock.clone());
        self.visitor_tokens = TokenCache::new(clock.clone());
        self.wix.clock = clock;
        self
    }

    /// Exchanges the token of a visitor, member or user for one of the app, if `allow` accepts the
    /// subject.
    ///
    /// `frontend_token` is the value of `Authorization` that the page sent, with or without
    /// `Bearer `.
    ///
    /// # Errors
    ///
    /// [`ElevationError`]: its kind is for the operator, its response for the peer.
    ///
    /// # Security
    ///
    /// Every visitor of every site with your app has a token that passes all other checks. So
    /// `allow` must decide whether *this* subject may do *this*, by
    /// [`subject_type`](TokenInfo::subject_type) and [`subject_id`](TokenInfo::subject_id). An
    /// `allow` that accepts everybody is a privilege escalation: it gives the rights of the app to
    /// everybody who finds the route.
    ///
    /// A page of the dashboard has the token of a [`User`](super::SubjectType::User). A page of a
    /// site has that of a [`Member`](super::SubjectType::Member) or a
    /// [`Visitor`](super::SubjectType::Visitor). No type is accepted by default, because only the
    /// application knows for whom its route is.
    ///
    /// `allow` decides each time, also about a cached token. If your decision has to wait, for
    /// example for a database, call [`token_info`](Self::token_info) first, and then
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

    /// Asks whom the token of a visitor, member or user stands for, without an exchange.
    ///
    /// # Errors
    ///
    /// [`ElevationError`], as for [`elevate`](Self::elevate).
    pub async fn token_info(&self, frontend_token: &str) -> Result<Arc<TokenInfo>, ElevationError> {
        let token = access_token_of(frontend_token)?;
        self.token_infos
            .get(TokenHash::of(token), || self.ask_token_info(token))
            .await
    }

    /// Gets a token of the app for an installation. Use it in jobs without a visitor, and after you
    /// have [verified](crate::wix::AppInstance::parse) an app instance.
    ///
    /// # Errors
    ///
    /// [`ElevationError`] of the kinds with the status 503.
    ///
    /// # Security
    ///
    /// This method makes no decision. The caller must have decided already, and must know where the
    /// instance id comes from.
    pub async fn access_token(
        &self,
        instance_id: &InstanceId,
    ) -> Result<ElevatedToken, ElevationError> {
        let token = self
            .access_tokens
            .get(instance_id.clone(), || {
                self.ask_access_token(access_token_request(&self.credentials, instance_id))
            })
            .await?;
        Ok(ElevatedToken::new(token, instance_id.clone()))
    }

    /// Forgets a token of the app that Wix has refused with 401, so that the next call asks for
    /// another one. Then try your own call once more, and not more often.
    ///
    /// Wix may end a token early, for example when somebody removes the app from a site. Several
    /// callers may forget one token: the token that came after it stays.
    ///
    /// ```no_run
    /// use hmac_auth::wix::{Elevation, ElevationError, InstanceId};
    ///
    /// # async fn call(
    /// #     request: &http::Request<()>,
    /// # ) -> http::Response<()> { http::Response::new(()) }
    /// async fn call_twice_at_most(
    ///     elevation: &Elevation,
    ///     instance_id: &InstanceId,
    ///     request: &mut http::Request<()>,
    /// ) -> Result<http::Response<()>, ElevationError> {
    ///     let token = elevation.access_token(instance_id).await?;
    ///     token.authorize(request);
    ///     let response = call(request).await;
    ///     if response.status() != http::StatusCode::UNAUTHORIZED {
    ///         return Ok(response);
    ///     }
    ///     elevation.forget(&token).await;
    ///     let token = elevation.access_token(instance_id).await?;
    ///     token.authorize(request);
    ///     Ok(call(request).await)
    /// }
    /// ```
    pub async fn forget(&self, refused: &ElevatedToken) {
        let is_refused = |cached: &Cached<_>| Arc::ptr_eq(&cached.value, refused.token());
        self.access_tokens
            .remove_if(refused.instance_id().clone(), is_refused)
            .await;
    }

    /// What [`token_info`](Self::token_info) has found, for a layer that asks in its own way.
    #[cfg(feature = "tower")]
    pub(super) fn token_infos(&self) -> &TokenCache<TokenHash, Arc<TokenInfo>> {
        &self.token_infos
    }

    #[cfg(feature = "tower")]
    pub(super) fn given_clock(&self) -> Clock {
        self.wix.clock.clone()
    }

    /// Gets a token of a Headless project, whose OAuth app has no installation, for admin operations.
    ///
    /// The credentials are the client id and the secret of that OAuth app.
    ///
    /// # Errors
    ///
    /// [`ElevationError`] of the kinds with the status 503.
    ///
    /// # Security
    ///
    /// This method makes no decision. The holder of the token may administer the project.
    pub async fn admin_token(&self) -> Result<Arc<AccessToken>, ElevationError> {
        self.admin_tokens
            .get((), || {
                self.ask_access_token(admin_token_request(&self.credentials))
            })
            .await
    }

    /// Gets a token with which the backend acts as the visitor, member or user whose token the page
    /// sent.
    ///
    /// Token Info judges the page's token each time, from the cache or anew. `AppStrategy` of Wix's
    /// SDK does not ask.
    ///
    /// # Errors
    ///
    /// [`ElevationError`], as for [`elevate`](Self::elevate).
    pub async fn visitor_token(
        &self,
        frontend_token: &str,
    ) -> Result<Arc<VisitorToken>, ElevationError> {
        self.token_info(frontend_token).await?;
        let token = access_token_of(frontend_token)?;
        self.visitor_tokens
            .get(TokenHash::of(token), || self.ask_visitor_token(token))
            .await
    }

    pub(super) async fn ask_token_info(
        &self,
        token: &str,
    ) -> Result<Cached<Arc<TokenInfo>>, ElevationError> {
        let app_id = self.credentials.app_id();
        let request = token_info_request(token)?;
        let (info, asked_at) = self
            .wix
            .ask(request, |answer, _| {
                TokenInfo::from_response_about(token, answer, app_id, self.wix.clock.now())
            })
            .await?;
        Ok(Cached {
            usable_until: info_usable_until(&info, asked_at),
            value: Arc::new(info),
        })
    }

    async fn ask_access_token(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<Cached<Arc<AccessToken>>, ElevationError> {
        let (token, asked_at) = self.wix.ask(request, AccessToken::from_response).await?;
        Ok(Cached {
            usable_until: token_usable_until(token.expires_at(), asked_at),
            value: Arc::new(token),
        })
    }

    async fn ask_visitor_token(
        &self,
        token: &str,
    ) -> Result<Cached<Arc<VisitorToken>>, ElevationError> {
        let request = visitor_token_request(&self.credentials, token)?;
        let (token, asked_at) = self.wix.ask(request, VisitorToken::from_response).await?;
        Ok(Cached {
            usable_until: token_usable_until(token.expires_at(), asked_at),
            value: Arc::new(token),
        })
    }
}

/// The SHA-256 of a token, so that a cache holds no token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()))
    }
}

/// Without the URL, which may have a password.
impl fmt::Debug for Elevation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elevation")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
