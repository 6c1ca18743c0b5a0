//! Each request counts once, by what became of it.

use std::sync::Mutex;

use bytes::Bytes;
use hmac_auth::{
    AuthError, AuthErrorKind as Kind, ReplayGuard, ReplayId, UseOnce,
    tower::{ObservedBody, ValidateAuthLayer},
};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    cases::{bad_bodies, bad_heads, refused_by_guards},
    counted::{counted_requests, series},
    layers::{Script, ask, chunked, layer, whole, with_body},
    refusals::refusals,
    request::{get, post, signed, with_header},
};

/// A guard that refuses with one error, whatever it is.
struct Refusing(Mutex<Option<AuthError>>);

impl ReplayGuard for Refusing {
    fn use_once(&self, _: &ReplayId, _: &str) -> UseOnce {
        UseOnce::ready(Err(self.0.lock().unwrap().take().expect("asked once")))
    }
}

/// The observing layer, with a service that reads the body.
async fn observe(layer: ValidateAuthLayer, request: Request<Script>) {
    let service = service_fn(async |request: Request<ObservedBody<Script>>| {
        let _ = request.into_body().collect().await;
        Ok::<_, std::convert::Infallible>(Response::new(Bytes::new()))
    });
    let observing = layer.observing().layer(service);
    observing.oneshot(request).await.unwrap();
}

#[test]
fn every_kind_of_refusal_counts_once_under_its_name() {
    let (buffered, streamed) = (refusals(), refusals());
    for ((kind, one), (_, other)) in buffered.into_iter().zip(streamed) {
        let counted = counted_requests(async {
            let by = |error| layer().replay_guard(Refusing(Mutex::new(Some(error))));
            ask(&by(one), whole(signed(post()))).await;
            ask(&by(other).streaming(), whole(signed(post()))).await;
        });
        let name = format!("requests_refused_total{{kind={kind}}}");
        assert_eq!(counted, series([(&name, 2)]));
    }
}

#[test]
fn a_refusal_counts_once_whenever_it_comes() {
    let cases = [bad_heads(), refused_by_guards(), bad_bodies()];
    for (kind, layer, request) in cases.into_iter().flatten() {
        let counted = counted_requests(async {
            ask(&layer, request()).await;
            ask(&layer.clone().streaming(), request()).await;
        });
        let name = format!("requests_refused_total{{kind={kind}}}");
        assert_eq!(counted, series([(&name, 2)]));
    }
}

#[test]
fn an_observing_layer_counts_the_same_under_other_names() {
    let cases = [bad_heads(), bad_bodies()];
    for (kind, layer, request) in cases.into_iter().flatten() {
        let counted = counted_requests(observe(layer, request()));
        let name = format!("requests_would_be_refused_total{{kind={kind}}}");
        assert_eq!(counted, series([(&name, 1)]));
    }
    let counted = counted_requests(async {
        observe(layer(), chunked(signed(post()), 5)).await;
        observe(layer(), with_body(signed(get()), [])).await;
        let lenient = layer()
            .allow_unsigned()
            .unprotected([(Method::GET, "/orders")]);
        observe(lenient.clone(), whole(get())).await;
        observe(lenient, whole(post())).await;
    });
    let expected = [
        ("requests_would_be_validated_total", 2),
        ("requests_would_pass_total{reason=unprotected}", 1),
        ("requests_would_pass_total{reason=unsigned}", 1),
    ];
    assert_eq!(counted, series(expected));
}

#[test]
fn an_accepted_request_counts_once_with_and_without_a_body() {
    let requests: [fn() -> Request<Script>; 3] = [
        || whole(signed(post())),
        || chunked(signed(post()), 5),
        || with_body(signed(get()), []),
    ];
    for request in requests {
        let counted = counted_requests(async {
            ask(&layer(), request()).await;
            ask(&layer().streaming(), request()).await;
        });
        assert_eq!(counted, series([("requests_validated_total", 2)]));
    }
}

#[test]
fn a_second_layer_with_one_guard_counts_its_refusal() {
    let counted = counted_requests(async {
        let layer = layer();
        let service = service_fn(async |_: Request<Script>| {
            Ok::<_, std::convert::Infallible>(Response::new(Bytes::new()))
        });
        let twice = layer.layer(layer.layer(service));
        let response = twice.oneshot(whole(signed(post()))).await.unwrap();
        assert_eq!(response.extensions().get::<Kind>(), Some(&Kind::Replayed));
    });
    let expected = [
        ("requests_refused_total{kind=replayed}", 1),
        ("requests_validated_total", 1),
    ];
    assert_eq!(counted, series(expected));
}

#[test]
fn requests_without_a_check_are_counted_by_their_reason() {
    let lenient = || {
        layer()
            .allow_unsigned()
            .unprotected([(Method::GET, "/orders")])
    };
    let counted = counted_requests(async {
        for request in [get(), post(), with_header(post(), "signature", "a=:AA==:")] {
            ask(&lenient(), whole(request.clone())).await;
            ask(&lenient().streaming(), whole(request)).await;
        }
        // Nothing passes where the options cannot be used.
        ask(&lenient().path_prefix("wrong"), whole(get())).await;
    });
    let expected = [
        ("requests_passed_total{reason=unprotected}", 2),
        ("requests_passed_total{reason=unsigned}", 2),
        ("requests_refused_total{kind=misconfigured}", 1),
        ("requests_refused_total{kind=unpaired_label}", 2),
    ];
    assert_eq!(counted, series(expected));
}
