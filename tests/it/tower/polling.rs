//! The futures of the layers: each panics when it is polled after its end.

use std::{
    fmt,
    future::{Future, Ready, ready},
    panic::{self, AssertUnwindSafe},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind as Kind, MemorySecrets, tower::SignRequestLayer};
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt};

use crate::support::{
    cases::Down,
    layers::{
        BoxError, Handler, Script, Step, data, layer, sign_layer, trailers, whole, with_body,
        with_wrong_mac,
    },
    request::{post, sign_options, signed},
};

/// A service whose response is there at once.
#[derive(Clone)]
struct AtOnce {
    succeeds: bool,
}

impl<B> Service<Request<B>> for AtOnce {
    type Response = Response<Bytes>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Bytes>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(if self.succeeds {
            Ok(Response::default())
        } else {
            Err("no database".into())
        })
    }
}

/// The end of the first future that a service makes, and the panic when it is polled once more.
async fn polled_again<E: fmt::Display>(
    mut service: impl Service<Request<Script>, Response = Response<Bytes>, Error = E>,
    request: Request<Script>,
) -> (Result<Option<Kind>, String>, String) {
    let mut future = Box::pin(service.ready().await.ok().expect("ready").call(request));
    let end = match future.as_mut().await {
        Ok(response) => Ok(response.extensions().get().copied()),
        Err(error) => Err(error.to_string()),
    };
    let again = panic::catch_unwind(AssertUnwindSafe(|| {
        let _ = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
    }));
    let payload = again.expect_err("it panics");
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a text")).to_owned(),
    };
    (end, message)
}

const POLLED_AGAIN: &str = "a future must not be polled again after it was ready";

#[tokio::test]
async fn a_future_of_a_host_panics_when_it_is_polled_after_its_end() {
    let good = || whole(signed(post()));
    let (head, body) = (Kind::WrongMac, Kind::WrongDigest);
    let (answers, fails) = (AtOnce { succeeds: true }, AtOnce { succeeds: false });
    let no_guard = || layer().without_replay_guard();
    let down = || layer().replay_guard(Down);
    let forged = || with_body(signed(post()), [data("forged")]);
    let error = Err("no database".to_owned());
    let cases = [
        (no_guard(), &answers, good(), Ok(None)),
        (no_guard(), &fails, good(), error),
        (
            no_guard(),
            &answers,
            whole(with_wrong_mac()),
            Ok(Some(head)),
        ),
        (no_guard(), &answers, forged(), Ok(Some(body))),
        (
            down(),
            &answers,
            good(),
            Ok(Some(Kind::ReplayGuardUnavailable)),
        ),
    ];
    for (layer, service, request, end) in cases {
        let found = polled_again(layer.layer(service.clone()), request).await;
        assert_eq!(found, (end, POLLED_AGAIN.to_owned()));
    }
    let cases = [
        (no_guard(), &answers, good(), Ok(None)),
        (no_guard(), &fails, good(), Err("no database".to_owned())),
        (
            no_guard(),
            &answers,
            whole(with_wrong_mac()),
            Ok(Some(head)),
        ),
        (
            down(),
            &answers,
            good(),
            Ok(Some(Kind::ReplayGuardUnavailable)),
        ),
    ];
    for (layer, service, request, end) in cases {
        let found = polled_again(layer.streaming().layer(service.clone()), request).await;
        assert_eq!(found, (end, POLLED_AGAIN.to_owned()));
    }
    // The refusal comes after the service has answered.
    let found = polled_again(no_guard().streaming().layer(Handler::default()), forged()).await;
    assert_eq!(found, (Ok(Some(body)), POLLED_AGAIN.to_owned()));
}

#[tokio::test]
async fn a_future_of_a_client_panics_when_it_is_polled_after_its_end() {
    let (answers, fails) = (AtOnce { succeeds: true }, AtOnce { succeeds: false });
    let no_secret = SignRequestLayer::new(MemorySecrets::new(), sign_options());
    let cases = [
        (sign_layer(), &answers, whole(post()), None),
        (sign_layer(), &fails, whole(post()), Some("no database")),
        (no_secret, &answers, whole(post()), Some("secret")),
        (
            sign_layer(),
            &answers,
            with_body(post(), [Step::Fail("gone")]),
            Some("gone"),
        ),
        (
            sign_layer(),
            &answers,
            with_body(post(), [trailers(&["x-site"])]),
            Some("trailers"),
        ),
    ];
    for (layer, service, request, reason) in cases {
        let (end, message) = polled_again(layer.layer(service.clone()), request).await;
        match (end, reason) {
            (Ok(None), None) => {}
            (Err(error), Some(reason)) => assert!(error.contains(reason), "{error}"),
            (end, _) => panic!("{end:?} instead of {reason:?}"),
        }
        assert_eq!(message, POLLED_AGAIN);
    }
}

/// The same where the answer of a directory had to be awaited.
#[tokio::test]
async fn a_future_that_has_asked_panics_when_it_is_polled_after_its_end() {
    use hmac_auth::tower::ValidateAuthLayer;

    use crate::support::{
        directory::TestDirectory,
        request::{options, signed_with},
    };

    let layer = || {
        ValidateAuthLayer::with_directory(TestDirectory::waiting(2), options())
            .without_replay_guard()
    };
    let answers = AtOnce { succeeds: true };
    for (key_id, end) in [
        ("site-a", None),
        ("nobody", Some(Kind::UnknownKeyId)),
        ("gone", Some(Kind::Revoked)),
        ("down", Some(Kind::DirectoryUnavailable)),
    ] {
        let by = || whole(signed_with(post(), &sign_options().key_id(key_id)));
        let expected = (Ok(end), POLLED_AGAIN.to_owned());
        let found = polled_again(layer().layer(answers.clone()), by()).await;
        assert_eq!(found, expected, "{key_id}");
        let found = polled_again(layer().streaming().layer(answers.clone()), by()).await;
        assert_eq!(found, expected, "{key_id}");
    }
}
