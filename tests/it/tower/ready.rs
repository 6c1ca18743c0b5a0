//! A layer is ready when the service inside is, such as one with a limit of requests.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll, Waker},
};

use axum::body::Body;
use hmac_auth::{
    ValidateResponseOptions,
    tower::{RecordUriLayer, SignResponseLayer},
    wix::{self, SubjectType, TokenInfoLayer},
};
use http::{Request, Response};
use tower::{Layer, Service};

use crate::support::{
    layers::{Script, layer, sign_layer},
    oauth::elevation,
};

#[derive(Clone)]
struct Inner {
    is_ready: bool,
}

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.is_ready {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

#[track_caller]
fn assert_waits<B>(layer: &impl Layer<Inner, Service: Service<Request<B>>>) {
    let mut context = Context::from_waker(Waker::noop());
    for is_ready in [false, true] {
        let polled = layer.layer(Inner { is_ready }).poll_ready(&mut context);
        assert_eq!(polled.is_ready(), is_ready);
    }
}

#[test]
fn each_layer_of_a_host_waits_for_its_service() {
    assert_waits::<Script>(&layer());
    assert_waits::<Script>(&layer().streaming());
    assert_waits::<Script>(&layer().observing());
    assert_waits::<Script>(&RecordUriLayer::new());
    assert_waits::<Script>(&SignResponseLayer::new());
}

#[test]
fn each_layer_of_a_consumer_waits_for_its_service() {
    let signed_answers = || sign_layer().require_signed_response(ValidateResponseOptions::new());
    assert_waits::<Script>(&sign_layer());
    assert_waits::<Script>(&sign_layer().correct_clock());
    assert_waits::<Body>(&signed_answers());
    assert_waits::<Body>(&signed_answers().correct_clock());
}

#[test]
fn each_other_layer_for_apps_of_wix_waits_for_its_service() {
    let tokens = TokenInfoLayer::new(elevation("http://wix.example"), [SubjectType::Visitor]);
    assert_waits::<Body>(&tokens);
    assert_waits::<Body>(&wix::cors("1b3a6e2c-05f5-4e0f-9d6b-6a4e0d9c1f77"));
    assert_waits::<Body>(&wix::cors_for_any_origin());
}
