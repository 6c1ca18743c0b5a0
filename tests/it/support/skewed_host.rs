//! A host whose clock differs from that of the consumer, and whose answers have a `Date`.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::SystemTime,
};

use axum::{Router, body::Body, extract::Request, middleware, response::Response};
use hmac_auth::{
    SignOptions, SignResponseOptions, ValidateOptions,
    signature::{SIGNATURE_INPUT, SignatureInputs},
    tower::{SignResponseLayer, ValidateAuthLayer},
};
use http::{HeaderValue, StatusCode, header::DATE};

use crate::support::request::{NOW, secrets, time};

/// What a consumer has sent, and what it got: `created` as seconds after [`NOW`], and the status.
pub(crate) type Try = (i64, u16);

/// How an answer changes before it goes out.
pub(crate) type Change = fn(&mut Response);

#[derive(Clone)]
pub(crate) struct Host {
    /// In seconds after [`NOW`].
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) router: Router,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    tries: Vec<Try>,
    nonces: Vec<String>,
}

fn by(clock: &Arc<AtomicI64>) -> impl Fn() -> SystemTime + Send + Sync + 'static + use<> {
    let clock = Arc::clone(clock);
    move || time(NOW + clock.load(Ordering::Relaxed))
}

/// A consumer that takes it to be [`NOW`].
pub(crate) fn consumer() -> SignOptions {
    SignOptions::new().clock(|| time(NOW))
}

pub(crate) fn date(seconds: i64) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(time(NOW + seconds))).unwrap()
}

impl Host {
    pub(crate) fn new(seconds: i64) -> Self {
        Self::with(seconds, |options| options, StatusCode::OK, |_| ())
    }

    /// A host that refuses everybody.
    pub(crate) fn refusing(seconds: i64, change: Change) -> Self {
        let nobody = |options: ValidateOptions| options.authorities(["nobody.example"]);
        Self::with(seconds, nobody, StatusCode::OK, change)
    }

    /// The answers of the handler have this status.
    pub(crate) fn with(
        seconds: i64,
        options_of: impl FnOnce(ValidateOptions) -> ValidateOptions,
        status: StatusCode,
        change: Change,
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(seconds));
        let options = ValidateOptions::new().clock(by(&clock));
        let options = options_of(options.authorities(["host.example"]));
        let of_responses = SignResponseOptions::new().clock(by(&clock));
        let seen = Arc::<Mutex<Seen>>::default();
        let (noted, now) = (Arc::clone(&seen), Arc::clone(&clock));
        let note = middleware::from_fn(move |request: Request, next: middleware::Next| {
            let (noted, now) = (Arc::clone(&noted), Arc::clone(&now));
            async move {
                assert_eq!(request.headers().get_all(SIGNATURE_INPUT).iter().count(), 1);
                let input = SignatureInputs::new(request.headers()).next();
                let input = input.unwrap().unwrap();
                let created = input.created().unwrap() - NOW;
                let nonce = input.nonce().unwrap().into_owned();
                noted.lock().unwrap().nonces.push(nonce);
                let mut response = next.run(request).await;
                let date = date(now.load(Ordering::Relaxed));
                response.headers_mut().insert(DATE, date);
                change(&mut response);
                let one = (created, response.status().as_u16());
                noted.lock().unwrap().tries.push(one);
                response
            }
        });
        let echo = async move |request: Request| {
            let body = axum::body::to_bytes(request.into_body(), 1024).await;
            let mut response = Response::new(Body::from(body.unwrap()));
            *response.status_mut() = status;
            response
        };
        let router = Router::new()
            .fallback(echo)
            .layer(ValidateAuthLayer::new(secrets(), options))
            .layer(SignResponseLayer::new().options(of_responses))
            .layer(note);
        Self {
            clock,
            router,
            seen,
        }
    }

    /// What has happened since the last call. No nonce comes twice.
    pub(crate) fn tries(&self) -> Vec<Try> {
        let mut seen = self.seen.lock().unwrap();
        let different: HashSet<_> = seen.nonces.iter().collect();
        assert_eq!(different.len(), seen.nonces.len());
        std::mem::take(&mut seen.tries)
    }
}
