//! A host that validates and keeps what arrives on a real socket.

use std::{
    error::Error,
    iter,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use hmac_auth::{
    AuthErrorKind, MemoryReplayGuard, ValidateOptions, Validated,
    client::{Client, InvokeError, invoke},
    signature::Scheme,
    validate_auth,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, request};
use reqwest::ClientBuilder;
use tokio::net::TcpListener;

use crate::support::request::{NOW, options, secrets, sign_options, time};

/// The host's names, one of them international.
pub(crate) const HOST_NAMES: [&str; 2] = ["host.example", "xn--bcher-kva.example"];

pub(crate) const SITE: HeaderName = HeaderName::from_static("x-site");

/// Validates and remembers whatever arrives.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: ValidateOptions,
    pub(crate) guard: MemoryReplayGuard,
    /// For those who are accepted.
    pub(crate) answer: (StatusCode, HeaderMap),
    pub(crate) arrived: Mutex<Vec<Arrived>>,
}

#[derive(Clone)]
pub(crate) struct Arrived {
    pub(crate) request: Request<Bytes>,
    pub(crate) outcome: Result<Validated, AuthErrorKind>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::requiring(&[]).await
    }

    pub(crate) async fn requiring(fields: &[HeaderName]) -> Self {
        let options = fields
            .iter()
            .fold(options(), |options, field| options.require(field.as_str()));
        Self::with(options, (StatusCode::OK, HeaderMap::new())).await
    }

    pub(crate) async fn answering(status: StatusCode, headers: HeaderMap) -> Self {
        Self::with(options(), (status, headers)).await
    }

    pub(crate) async fn with(options: ValidateOptions, answer: (StatusCode, HeaderMap)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let with_port = [
            address.to_string(),
            format!("{}:{}", HOST_NAMES[0], address.port()),
        ];
        let authorities = HOST_NAMES.map(str::to_owned).into_iter().chain(with_port);
        let shared = Arc::new(Shared {
            options: options
                .authorities(authorities)
                .external_scheme(Scheme::Http),
            guard: MemoryReplayGuard::new().started_at(time(NOW)),
            answer,
            arrived: Mutex::default(),
        });
        shared.options.check().unwrap();
        let app = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Finds this host under all its names and without a port in the URL.
    pub(crate) fn builder(&self) -> ClientBuilder {
        let builder = reqwest::Client::builder().no_proxy();
        HOST_NAMES
            .into_iter()
            .fold(builder, |builder, name| builder.resolve(name, self.address))
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.builder()).unwrap()
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    /// The only request that arrived, which must be accepted.
    pub(crate) fn accepted(&self) -> (Request<Bytes>, Validated) {
        let [arrived] = <[_; 1]>::try_from(self.arrived())
            .ok()
            .expect("one request");
        (arrived.request, arrived.outcome.expect("accepted"))
    }
}

pub(crate) async fn receive(
    State(host): State<Arc<Shared>>,
    head: request::Parts,
    body: Bytes,
) -> Response {
    let request = Request::from_parts(head, body);
    let outcome = validate_auth(&request, &secrets(), &host.options)
        .and_then(|validated| host.guard.first_use(validated));
    let response = match &outcome {
        Ok(_) => (host.answer.0, host.answer.1.clone(), "accepted").into_response(),
        Err(error) => error.to_response(&host.options).map(axum::body::Body::from),
    };
    host.arrived.lock().unwrap().push(Arrived {
        request,
        outcome: outcome.map_err(|error| error.kind()),
    });
    response
}

pub(crate) async fn send(
    client: &Client,
    request: reqwest::Request,
) -> Result<reqwest::Response, InvokeError> {
    invoke(client, request, &secrets(), &sign_options()).await
}

pub(crate) fn covers(validated: &Validated, field: &HeaderName) -> bool {
    validated
        .components()
        .any(|component| component.name().as_str() == field.as_str())
}

pub(crate) fn headers<const N: usize>(headers: [(HeaderName, &'static str); N]) -> HeaderMap {
    headers
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
}

/// All that an operator could log of an error.
pub(crate) fn shown(error: &InvokeError) -> String {
    let chain = iter::successors(Some(error as &dyn Error), |&error| error.source());
    let chain = chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    format!("{chain} {error:?}")
}
