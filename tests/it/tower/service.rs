//! The service behind a layer: what reaches it, and its own errors.

use std::{
    fmt,
    future::{Ready, ready},
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use hmac_auth::{
    DEFAULT_SECRET_NAME, UseOnce,
    tower::{
        BufferedBody, SignRequest, SignRequestFuture, SignRequestLayer, StreamedBody, Upload,
        ValidateAuth, ValidateAuthFuture, ValidateAuthLayer, ValidateStream, ValidateStreamFuture,
        ValidateStreamLayer,
    },
};
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt};

use crate::support::{
    layers::{Handler, Script, Seen, ask_both, layer, layer_with, sign_layer, whole},
    request::{get, options, post, sign_options, signed, signed_with},
};

#[tokio::test]
async fn a_valid_request_reaches_the_service_whole_and_with_its_proof() {
    let layer = layer_with(options().key_ids([("site-a", DEFAULT_SECRET_NAME)]));
    for request in [get(), post()] {
        let sign = || {
            whole(signed_with(
                request.clone(),
                &sign_options().key_id("site-a"),
            ))
        };
        for Seen {
            response, calls, ..
        } in ask_both(&layer, sign).await
        {
            assert_eq!(
                (response.status(), calls),
                (StatusCode::CREATED, 1),
                "{response:?}"
            );
            // The answer of the service, which no shared cache may store.
            assert_eq!(response.headers()["cache-control"], "private");
            assert_eq!(
                (&response.headers()["x-consumer"], response.headers().len()),
                (&HeaderValue::from_static("site-a"), 2)
            );
            assert_eq!(response.body(), request.body());
            assert!(
                response
                    .extensions()
                    .get::<hmac_auth::AuthErrorKind>()
                    .is_none()
            );
        }
    }
}

/// A service that answers with its error, or is not even ready.
#[derive(Clone)]
struct Failing {
    is_ready: bool,
}

impl<B> Service<Request<B>> for Failing {
    type Response = Response<Bytes>;
    type Error = io::Error;
    type Future = Ready<io::Result<Response<Bytes>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(if self.is_ready {
            Ok(())
        } else {
            Err(io::Error::other("closed"))
        })
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(self.is_ready);
        ready(Err(io::Error::other("no database")))
    }
}

#[tokio::test]
async fn errors_of_the_service_are_passed_through() {
    for (is_ready, text) in [(true, "no database"), (false, "closed")] {
        let buffered = layer()
            .layer(Failing { is_ready })
            .oneshot(whole(signed(post())))
            .await
            .unwrap_err();
        let streamed = layer()
            .streaming()
            .layer(Failing { is_ready })
            .oneshot(whole(signed(post())))
            .await
            .unwrap_err();
        let sent = sign_layer()
            .layer(Failing { is_ready })
            .oneshot(whole(post()))
            .await
            .unwrap_err();
        let sent = sent.downcast::<io::Error>().expect("boxed, but the same");
        assert_eq!(
            [buffered, streamed, *sent].map(|error| error.to_string()),
            [text; 3]
        );
    }
}

#[test]
fn what_servers_move_between_threads_can_be_moved() {
    fn moved<T: Send>() {}
    fn shared<T: Send + Sync + Clone + fmt::Debug + 'static>() {}
    shared::<(ValidateAuthLayer, ValidateStreamLayer, SignRequestLayer)>();
    shared::<(
        ValidateAuth<Handler>,
        ValidateStream<Handler>,
        SignRequest<Handler>,
    )>();
    shared::<Upload>();
    moved::<(
        ValidateAuthFuture<Handler, Script>,
        ValidateStreamFuture<Handler, Script>,
    )>();
    moved::<(SignRequestFuture<Handler, Script>, UseOnce)>();
    moved::<(StreamedBody<Script>, BufferedBody<Script>)>();
}
