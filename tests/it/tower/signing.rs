//! The layer of a client: every try is signed, and what cannot be signed is not sent.

use std::{
    collections::BTreeSet,
    future::{Ready, ready},
    sync::{Arc, Mutex, atomic::Ordering},
};

use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, MemorySecrets, SecretError, SignError,
    tower::{BufferedBody, SignRequestLayer},
};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use tower::{Layer, ServiceBuilder, ServiceExt, retry};

use crate::support::{
    layers::{
        BoxError, Handler, Script, Step, chunked, data, hinted, layer, sign_layer, trailers, whole,
        with_body,
    },
    request::{get, post, sign_options},
};

#[tokio::test]
async fn what_a_client_sends_is_signed() {
    let text = r#"{"month":11,"site":"a"}"#;
    let with_empty_trailers = with_body(post(), [data(text), trailers(&[])]);
    for (request, body) in [
        (whole(get()), ""),
        (chunked(post(), 4), text),
        (with_empty_trailers, text),
    ] {
        let response = sign_layer()
            .layer(layer().layer(Handler::default()))
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(
            (response.status(), &**response.body()),
            (StatusCode::CREATED, body.as_bytes())
        );
    }
}

/// For bodies that cannot be made from bytes, on both sides.
#[tokio::test]
async fn a_buffered_body_stands_for_any_other() {
    let request =
        chunked(post(), 4).map(|body| BufferedBody::new(StreamBody::new(BodyStream::new(body))));
    let response = sign_layer()
        .layer(layer().layer(Handler::default()))
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(
        (response.status(), &**response.body()),
        (StatusCode::CREATED, &**post().body())
    );

    let mut body = BufferedBody::<Script>::from(Bytes::from("text"));
    assert_eq!(
        (body.size_hint().exact(), body.is_end_stream()),
        (Some(4), false)
    );
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "text"
    );
    assert!(body.is_end_stream() && body.frame().await.is_none());
    let body = BufferedBody::new(hinted(whole(post()), 7).into_body());
    assert_eq!((body.size_hint().lower(), body.is_end_stream()), (7, false));
    assert!(BufferedBody::new(Script::default()).is_end_stream());
}

/// Tries again while the answer is 503.
#[derive(Clone)]
struct Again(usize);

impl retry::Policy<Request<Full<Bytes>>, Response<Bytes>, BoxError> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<Bytes>, BoxError>,
    ) -> Option<Ready<()>> {
        self.0 = self.0.checked_sub(1)?;
        result
            .as_ref()
            .is_ok_and(|response| response.status() == 503)
            .then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn each_try_has_a_signature_of_its_own() {
    let (handler, sent) = (Handler::default(), Arc::new(Mutex::new(BTreeSet::new())));
    let (calls, noted) = (Arc::clone(&handler.calls), Arc::clone(&sent));
    let client = ServiceBuilder::new()
        .layer(retry::RetryLayer::new(Again(2)))
        .layer(sign_layer())
        .map_request(move |request: Request<Full<Bytes>>| {
            noted
                .lock()
                .unwrap()
                .insert(request.headers()["signature-input"].as_bytes().to_vec());
            request
        })
        .map_response(|mut response: Response<Bytes>| {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        })
        .layer(layer())
        .service(handler);
    let response = client
        .oneshot(post().map(|body| Full::new(Bytes::from(body))))
        .await
        .unwrap();
    // The guard of the host has accepted all three.
    assert_eq!(
        (
            response.extensions().get::<Kind>(),
            calls.load(Ordering::Relaxed)
        ),
        (None, 3)
    );
    assert_eq!(
        sent.lock().unwrap().len(),
        3,
        "the time is the same, the nonce is not"
    );
}

/// What comes instead of sending.
async fn not_sent(layer: SignRequestLayer, request: Request<Script>) -> BoxError {
    let handler = Handler::default();
    let calls = Arc::clone(&handler.calls);
    let error = layer.layer(handler).oneshot(request).await.unwrap_err();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    error
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let mut nowhere = post();
    *nowhere.uri_mut() = "/orders".parse().unwrap();
    let error = not_sent(sign_layer(), whole(nowhere)).await;
    assert!(
        matches!(error.downcast_ref(), Some(SignError::Component(_))),
        "{error:?}"
    );
    let error = not_sent(
        SignRequestLayer::new(MemorySecrets::new(), sign_options()),
        whole(post()),
    )
    .await;
    assert!(
        matches!(
            error.downcast_ref(),
            Some(SignError::Secret(SecretError::NotFound { .. }))
        ),
        "{error:?}"
    );
    let error = not_sent(
        sign_layer(),
        with_body(post(), [data("text"), Step::Fail("the file is gone")]),
    )
    .await;
    assert_eq!(error.to_string(), "the file is gone");
    let error = not_sent(
        sign_layer(),
        with_body(post(), [data("text"), trailers(&["x-site"])]),
    )
    .await;
    assert!(error.to_string().contains("trailers"), "{error}");
}
