//! A consumer on hyper-util that retries: each try is signed anew.
//!
//! ```text
//! cargo run --example hyper_client
//! ```
//!
//! The host, on a free port, answers 503 twice before it serves. The exit code is 0 if the third try is accepted.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{Extension, Router, http::StatusCode, routing::get};
use bytes::Bytes;
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemorySecrets, Secret, SignOptions, ValidateOptions, Validated,
    generate_secret,
    signature::Scheme,
    tower::{SignRequestLayer, ValidateAuthLayer},
};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::{
    BoxError, ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(&generate_secret()?)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = ValidateOptions::new()
        .authorities([address.to_string()])
        .external_scheme(Scheme::Http);
    options.check_with(&secrets)?;
    let app = Router::new()
        .route("/_functions/siteStats", get(busy))
        .layer(ValidateAuthLayer::new(secrets.clone(), options));
    tokio::spawn(axum::serve(listener, app).into_future());

    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(Tries(3)))
        // Inside of the retries: a signature counts once.
        .layer(SignRequestLayer::new(
            secrets,
            SignOptions::new().key_id("site-a"),
        ))
        .service(Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
    let request =
        Request::get(format!("http://{address}/_functions/siteStats")).body(Full::default())?;
    let response = client.oneshot(request).await?;
    println!("{}", response.status());
    if response.status().is_success() {
        Ok(())
    } else {
        Err("refused".into())
    }
}

/// Accepts every try, and serves only the third.
async fn busy(Extension(validated): Extension<Validated>) -> StatusCode {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    println!(
        "accepted, with the nonce {}",
        validated.nonce().unwrap_or("none")
    );
    if TRIES.fetch_add(1, Ordering::Relaxed) < 2 {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}

/// How many tries are left. Only for requests that may happen twice.
#[derive(Clone)]
struct Tries(u32);

impl<E> Policy<Request<Full<Bytes>>, Response<Incoming>, E> for Tries {
    type Future = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<Incoming>, E>,
    ) -> Option<Self::Future> {
        self.0 -= 1;
        let is_busy = result
            .as_ref()
            .is_ok_and(|response| response.status() == StatusCode::SERVICE_UNAVAILABLE);
        (self.0 > 0 && is_busy)
            .then(|| Box::pin(tokio::time::sleep(Duration::from_millis(50))) as Self::Future)
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}
