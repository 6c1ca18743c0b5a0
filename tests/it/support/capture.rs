//! A service that keeps the head of each request that reaches it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind, tower::ValidateAuthLayer};
use http::{Request, Response, request::Parts};
use tower::{Layer, Service, ServiceExt};

use crate::support::layers::Script;

#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Option<Parts>>>);

impl Capture {
    /// The head of the last request that has come here.
    pub(crate) fn take(&self) -> Option<Parts> {
        self.0.lock().unwrap().take()
    }
}

impl<B> Service<Request<B>> for Capture {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        *self.0.lock().unwrap() = Some(request.into_parts().0);
        ready(Ok(Response::new(Bytes::new())))
    }
}

/// What the service sees of a request, or why it does not see it: buffered, then streamed.
pub(crate) async fn capture(
    layer: &ValidateAuthLayer,
    request: impl Fn() -> Request<Script>,
) -> [Result<Parts, AuthErrorKind>; 2] {
    let (buffered, streamed) = (Capture::default(), Capture::default());
    let responses = [
        layer.layer(buffered.clone()).oneshot(request()).await,
        layer
            .clone()
            .streaming()
            .layer(streamed.clone())
            .oneshot(request())
            .await,
    ];
    let seen = [buffered, streamed].map(|service| service.take());
    let mut responses = responses.into_iter();
    seen.map(|seen| {
        let Some(Ok(response)) = responses.next() else {
            panic!("one response for each");
        };
        match (seen, response.extensions().get::<AuthErrorKind>()) {
            (Some(parts), None) => Ok(parts),
            (None, Some(kind)) => Err(*kind),
            (seen, kind) => panic!("{seen:?} and {kind:?}"),
        }
    })
}

/// What the operator reads about a refused request.
pub(crate) async fn reason(layer: ValidateAuthLayer, request: Request<Script>) -> String {
    let reason = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&reason);
    let layer = layer.map_refusal(move |response, error, _| {
        *told.lock().unwrap() = error.to_string();
        response
    });
    let _ = layer.layer(Capture::default()).oneshot(request).await;
    reason.lock().unwrap().clone()
}
