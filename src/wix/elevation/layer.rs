//! The tower layer that lets only requests with a valid access token through.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    error::{ElevationError, ElevationErrorKind},
    exchange::Elevation,
    frontend_token::FrontendToken,
    token_gate::TokenGate,
    token_info::{SubjectType, TokenInfo},
};
#[cfg(feature = "metrics")]
use crate::metrics;
#[cfg(feature = "tracing")]
use crate::{
    escape::escape,
    tower::{is_recording, record_on_span, refusal_event},
};
use crate::{
    eventual::POLLED_AFTER_END,
    tower::{Reply, close_if_body_is_left, take_ready},
};

/// Makes [`RequireTokenInfo`] services, which let only requests with a valid access token through.
///
/// The page sends the token of its visitor in `Authorization`, as `fetchWithAuth` of the SDK does.
/// The layer asks Wix about the token, with [`Elevation`]. It lets the request through if the token
/// is active, not expired and for this app, and if the route is for this type of subject. The inner
/// service then finds two values in the extensions of the request:
///
/// - [`TokenInfo`]: the installation, and the subject;
/// - [`FrontendToken`]: the token itself, for [`Elevation::elevate`].
///
/// A refused request never reaches the inner service: the peer gets
/// [`ElevationError::to_response`], and the extensions of this response hold the
/// [`ElevationErrorKind`]. With the feature `tracing`, each refusal is an event.
///
/// The answers of the service say `Cache-Control: private`, unless they say `public`, `s-maxage`,
/// `private` or `no-store` themselves. A refusal says `no-store`. The layer does not read bodies,
/// so a refused request with a body ends its connection over HTTP/1.
///
/// Put [`cors_for_any_origin`](crate::wix::cors_for_any_origin) or [`cors`](crate::wix::cors())
/// outside of this layer, for each route: the preflight request of a browser has no token.
///
/// ```
/// use axum::{Extension, Router, http::StatusCode, routing::get};
/// use hmac_auth::wix::{
///     self, AppCredentials, Elevation, SubjectType, TokenInfo, TokenInfoLayer,
/// };
/// use http::Method;
///
/// # fn app(app_secret: &str) -> Result<Router, Box<dyn std::error::Error>> {
/// let credentials = AppCredentials::new("the id of your app", app_secret)?;
/// let elevation = Elevation::new(credentials, reqwest::Client::builder())?;
/// // Once for the whole app. The dashboard has the tokens of users.
/// let tokens = TokenInfoLayer::new(
///     elevation.clone(),
///     [SubjectType::User, SubjectType::Member],
/// );
/// let confirm = async move |Extension(info): Extension<TokenInfo>| {
///     // First decide whether `info.subject_id()` may do this.
///     let token = elevation.access_token(info.instance_id()).await;
///     token.map(drop).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
/// };
/// let any_origin = wix::cors_for_any_origin().methods([Method::GET]);
/// // The first layer of a pair is the outer one.
/// let app = Router::new()
///     .route("/confirm", get(confirm).layer((any_origin, tokens)));
/// # Ok(app)
/// # }
/// # app("the secret of your app").unwrap();
/// ```
///
/// # Questions to Wix
///
/// | token | question |
/// | --- | --- |
/// | none, several, or a text without the shape `OauthNG.JWS.…` of an access token | never |
/// | accepted | as for [`Elevation`]: after a minute, or when the token expires |
/// | refused | after 10 s. Up to 10,000 refusals are remembered, by the SHA-256 of the token |
///
/// At most 16 questions wait for Wix at the same time. Another one waits for its turn, for up to
/// one second. Then its request is refused with the kind [`Busy`](ElevationErrorKind::Busy): 503
/// with `Retry-After`. So a short rush passes, and a flood of forged tokens costs neither memory
/// nor more connections to Wix. Accepted tokens that are remembered need no turn. All others wait
/// with the forged ones while the flood lasts: limit the rate of each caller in front.
///
/// Clones of the layer share all this. Make one layer, and clone it for each route.
///
/// # Security
///
/// The type of a subject is not a right. Every visitor of every site with your app has a valid
/// token, and everybody can become a member of many sites. Before a handler uses the rights of the
/// app, it must decide whether *this* subject may do *this*.
#[derive(Clone)]
pub struct TokenInfoLayer {
    gate: TokenGate,
    accepted: Arc<[SubjectType]>,
}

impl TokenInfoLayer {
    /// Lets these types of subjects through. Others get 403.
    ///
    /// The dashboard sends tokens of a [`User`](SubjectType::User). Sites send those of a
    /// [`Member`](SubjectType::Member) or a [`Visitor`](SubjectType::Visitor).
    #[must_use]
    pub fn new(elevation: Elevation, accepted: impl IntoIterator<Item = SubjectType>) -> Self {
        Self {
            gate: TokenGate::new(elevation),
            accepted: accepted.into_iter().collect(),
        }
    }

    /// The same layer, with its memory and limits, for a route that is for other types of subjects.
    #[must_use]
    pub fn accept(mut self, accepted: impl IntoIterator<Item = SubjectType>) -> Self {
        self.accepted = accepted.into_iter().collect();
        self
    }

    async fn validate(self, token: FrontendToken) -> Result<Proof, ElevationError> {
        let info = self.gate.token_info(token.as_str()).await?;
        if self.accepted.contains(&info.subject_type()) {
            Ok(Proof { info, token })
        } else {
            Err(ElevationError::new(ElevationErrorKind::NotAllowed)
                .detail(format!("the route is not for a {:?}", info.subject_type())))
        }
    }
}

impl<S> Layer<S> for TokenInfoLayer {
    type Service = RequireTokenInfo<S>;

    fn layer(&self, inner: S) -> RequireTokenInfo<S> {
        RequireTokenInfo {
            inner,
            layer: self.clone(),
        }
    }
}

impl fmt::Debug for TokenInfoLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenInfoLayer")
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

/// A service that gets only requests with a valid access token. Made by [`TokenInfoLayer`].
#[derive(Clone, Debug)]
pub struct RequireTokenInfo<S> {
    inner: S,
    layer: TokenInfoLayer,
}

impl<S, B, R> Service<Request<B>> for RequireTokenInfo<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RequireTokenInfoFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = take_ready(&mut self.inner);
        let state = match FrontendToken::of(request.headers()) {
            Ok(token) => State::Asking {
                answer: Box::pin(self.layer.clone().validate(token)),
                waiting: Some((service, request)),
            },
            Err(error) => State::Replying {
                reply: refuse(&error, &request),
            },
        };
        RequireTokenInfoFuture { state }
    }
}

/// What the inner service gets.
struct Proof {
    info: Arc<TokenInfo>,
    token: FrontendToken,
}

type Answer = Pin<Box<dyn Future<Output = Result<Proof, ElevationError>> + Send>>;

pin_project! {
    /// The response of the inner service, or the response to a refused request.
    pub struct RequireTokenInfoFuture<S: Service<Request<B>>, B> {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<B>>, B> {
        // `None` after the answer has come.
        Asking { answer: Answer, waiting: Option<(S, Request<B>)> },
        Replying { #[pin] reply: Reply<S::Future, TokenInfo> },
    }
}

impl<S, B, R> Future for RequireTokenInfoFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let reply = match state.as_mut().project() {
                StateProjection::Asking { answer, waiting } => {
                    let answer = ready!(answer.as_mut().poll(cx));
                    let (mut service, request) = waiting.take().expect(POLLED_AFTER_END);
                    match answer {
                        Ok(proof) => accept(&mut service, request, proof),
                        Err(error) => refuse(&error, &request),
                    }
                }
                StateProjection::Replying { reply } => return reply.poll(cx),
            };
            state.set(State::Replying { reply });
        }
    }
}

fn accept<S, B>(
    service: &mut S,
    mut request: Request<B>,
    proof: Proof,
) -> Reply<S::Future, TokenInfo>
where
    S: Service<Request<B>>,
{
    let info = TokenInfo::clone(&proof.info);
    #[cfg(feature = "metrics")]
    metrics::count(metrics::TOKENS_ACCEPTED);
    #[cfg(feature = "tracing")]
    {
        let instance_id = info.instance_id().as_str();
        if is_recording() {
            record_on_span("instance_id", instance_id);
        }
        tracing::debug!(
            target: "hmac_auth",
            instance_id = escape(instance_id),
            subject_type = ?info.subject_type(),
            "access token accepted"
        );
    }
    request.extensions_mut().insert(info.clone());
    request.extensions_mut().insert(proof.token);
    Reply::service(service.call(request), info)
}

fn refuse<F, B>(error: &ElevationError, request: &Request<B>) -> Reply<F, TokenInfo> {
    #[cfg(feature = "metrics")]
    metrics::count_by(metrics::TOKENS_REFUSED, "kind", error.kind().as_str());
    #[cfg(feature = "tracing")]
    refusal_event!(
        error,
        path = escape(request.uri().path()),
        "access token refused"
    );
    let mut response = error
        .to_response()
        .map(|body| Bytes::from_static(body.as_bytes()));
    response.extensions_mut().insert(error.kind());
    close_if_body_is_left(&mut response, request);
    Reply::refusal(response)
}

impl<S: Service<Request<B>>, B> fmt::Debug for RequireTokenInfoFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireTokenInfoFuture")
            .finish_non_exhaustive()
    }
}
