//! What the middleware refuses: the same as the layer, with the same answer, byte for byte.

use std::sync::Arc;

use hmac_auth::{
    AuthError, AuthErrorKind as Kind, ReplayGuard, SecretStore, ValidateOptions, Validated,
    actix::ValidateAuth, tower::ValidateAuthLayer,
};
use http::{HeaderValue, Request, Response, StatusCode};

use crate::support::{
    actix::{ask, middleware},
    cases::{Down, assert_profile},
    layers::{
        self, LEN, Script, Step, chunked, data, declared, guard, stale, uncovered, whole,
        with_body, with_wrong_mac,
    },
    recorder::{EVENTS, Recorder},
    request::{NOW, get, options, post, secrets, signed, time, with_header},
};

/// A host, made as a middleware of actix or as a layer of tower.
struct Setup {
    secrets: Arc<dyn SecretStore>,
    options: ValidateOptions,
    guard: fn() -> Arc<dyn ReplayGuard>,
    max_body_len: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            secrets: Arc::new(secrets()),
            options: options(),
            guard: || Arc::new(guard()),
            max_body_len: LEN + 1,
        }
    }
}

impl Setup {
    fn middleware(&self) -> ValidateAuth {
        Recorder::install();
        let secrets = Arc::clone(&self.secrets);
        ValidateAuth::new(secrets, self.options.clone(), (self.guard)())
            .max_body_len(self.max_body_len)
    }

    fn layer(&self) -> ValidateAuthLayer {
        layers::host(Arc::clone(&self.secrets), self.options.clone())
            .replay_guard((self.guard)())
            .max_body_len(self.max_body_len)
    }
}

fn with_options(options: ValidateOptions) -> Setup {
    Setup {
        options,
        ..Setup::default()
    }
}

fn with_guard(guard: fn() -> Arc<dyn ReplayGuard>) -> Setup {
    Setup {
        guard,
        ..Setup::default()
    }
}

fn small() -> Setup {
    Setup {
        max_body_len: LEN - 1,
        ..Setup::default()
    }
}

type Case = (Kind, Setup, fn() -> Request<Script>);

fn cases() -> Vec<Case> {
    let new = Setup::default;
    vec![
        (Kind::MissingSignature, new(), || whole(post())),
        (Kind::MalformedSignatureInput, new(), || {
            whole(with_header(post(), "signature-input", "("))
        }),
        (Kind::Stale, new(), || whole(stale())),
        (Kind::WrongMac, new(), || whole(with_wrong_mac())),
        (
            Kind::UnlistedAuthority,
            with_options(options().authorities(["other.example"])),
            || whole(signed(post())),
        ),
        // The policy and the MAC come before the length.
        (Kind::Stale, small(), || declared(whole(stale()), LEN)),
        (Kind::WrongMac, small(), || {
            declared(whole(with_wrong_mac()), LEN)
        }),
        (Kind::BodyTooLarge, small(), || {
            declared(whole(signed(post())), LEN)
        }),
        (Kind::BodyTooLarge, small(), || {
            declared(whole(signed(post())), u64::MAX)
        }),
        (
            Kind::SecretUnavailable,
            Setup {
                secrets: Arc::new(Down),
                ..new()
            },
            || whole(signed(post())),
        ),
        (
            Kind::Misconfigured,
            with_options(options().require("@status")),
            || whole(signed(post())),
        ),
        (
            Kind::ReplayGuardUnavailable,
            with_guard(|| Arc::new(Down)),
            || whole(signed(post())),
        ),
        (
            Kind::ReplayGuardFull,
            with_guard(|| Arc::new(guard().capacity(0))),
            || whole(signed(post())),
        ),
        (
            Kind::BeforeGuardStart,
            with_guard(|| Arc::new(guard().started_at(time(NOW + 1)))),
            || whole(signed(post())),
        ),
        (Kind::WrongDigest, new(), || {
            with_body(signed(post()), [data(r#"{"month":12,"site":"a"}"#)])
        }),
        (Kind::WrongDigest, new(), || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"#), data(r#""site":"b"}"#)],
            )
        }),
        (Kind::WrongDigest, new(), || with_body(signed(post()), [])),
        (Kind::BodyNotCovered, new(), || whole(uncovered())),
        (Kind::BodyTooLarge, small(), open_end),
        (Kind::BodyUnreadable, new(), || {
            with_body(
                signed(post()),
                [data(r#"{"month":11,"#), Step::Fail("gone")],
            )
        }),
        (Kind::WrongContentLength, new(), || {
            declared(open_end(), LEN - 1)
        }),
        (Kind::WrongContentLength, new(), || {
            declared(with_body(signed(post()), [data("x")]), LEN)
        }),
        // Something outside has read the body already.
        (Kind::WrongContentLength, new(), || {
            declared(with_body(signed(post()), []), LEN)
        }),
        (Kind::MissingSignature, new(), || {
            let grpc = HeaderValue::from_static("application/grpc");
            let mut request = whole(post());
            request.headers_mut().insert("content-type", grpc);
            request
        }),
    ]
}

/// Nothing says that the body ends where it does.
fn open_end() -> Request<Script> {
    let body = r#"{"month":11,"site":"a"}"#;
    with_body(signed(post()), [data(body), data("")])
}

fn text(response: &Response<bytes::Bytes>) -> String {
    let mut headers: Vec<_> = response.headers().iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let (status, body) = (response.status(), response.body());
    format!("{status} {headers:?} {body:?}")
}

#[tokio::test]
async fn each_refusal_is_that_of_the_layer_and_one_event() {
    for (kind, setup, request) in cases() {
        let expected = layers::ask(&setup.layer(), request()).await;
        assert_eq!(expected.refusal(), Some(kind));
        let expected_events = EVENTS.take();

        let seen = ask(&setup.middleware(), request()).await;
        assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
        assert_eq!(text(&seen.response), text(&expected.response), "{kind}");
        assert_eq!(seen.response.headers()["cache-control"], "no-store");
        if !seen.response.headers().contains_key("grpc-status") {
            assert_profile(&seen.response, kind);
        }
        let events = EVENTS.take();
        assert_eq!(events.len(), 1, "{events:?}");
        for field in ["authority", "kind", "message", "path"] {
            assert_eq!(events[0][field], expected_events[0][field], "{field}");
        }
    }
}

#[tokio::test]
async fn what_is_accepted_is_accepted_by_both() {
    let setup = Setup::default();
    let requests: [fn() -> Request<Script>; 5] = [
        || whole(signed(get())),
        || whole(signed(post())),
        || declared(chunked(signed(post()), 1), LEN),
        || {
            with_body(
                signed(post()),
                [
                    Step::Wait,
                    data(r#"{"month":11,"#),
                    data(""),
                    Step::Wait,
                    data(r#""site":"a"}"#),
                ],
            )
        },
        || with_body(signed(get()), [data("")]),
    ];
    EVENTS.take();
    for request in requests {
        let expected = layers::ask(&setup.layer(), request()).await;
        let seen = ask(&setup.middleware(), request()).await;
        assert_eq!((seen.refusal(), seen.calls), (None, 1));
        let mut answer = seen.response;
        // Actix's own, of the body of the handler.
        answer.headers_mut().remove("content-type");
        assert_eq!(text(&answer), text(&expected.response));
    }
    assert_eq!(EVENTS.take(), []);
}

#[tokio::test]
async fn the_answer_can_be_replaced_but_not_the_kind() {
    let validate = middleware().map_refusal(|response, error, parts| {
        assert_eq!(response.status(), error.status());
        assert!(parts.extensions.get::<Validated>().is_none());
        Response::builder()
            .status(418)
            .header("x-kind", error.kind().as_str())
            .body(format!("{} {}", parts.method, parts.uri.path()).into())
            .unwrap()
    });
    let requests: [fn() -> Request<Script>; 2] = [
        || whole(post()),
        || with_body(signed(post()), [data("forged")]),
    ];
    for request in requests {
        let seen = ask(&validate, request()).await;
        let kind = seen.refusal().expect("refused");
        assert_eq!(seen.response.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(seen.response.body(), "POST /orders");
        assert_eq!(seen.response.headers()["x-kind"], kind.as_str());
        assert_eq!(seen.response.headers()["cache-control"], "no-store");
    }
}

/// The options of the middleware, and those of its `ValidateOptions`.
#[tokio::test]
async fn wrong_options_are_found_by_check() {
    middleware().check().unwrap();
    let route = [(http::Method::GET, "orders")];
    let error: AuthError = middleware().unprotected(route).check().unwrap_err();
    assert_eq!(error.kind(), Kind::Misconfigured);
    for validate in [
        middleware().path_prefix("api"),
        with_options(options().require("@status")).middleware(),
        with_options(options().authorities::<&str>([]))
            .middleware()
            .allow_unsigned()
            .unprotected([(http::Method::GET, "/orders")]),
    ] {
        let error: AuthError = validate.check().unwrap_err();
        assert_eq!(error.kind(), Kind::Misconfigured);
        let seen = ask(&validate, whole(signed(get()))).await;
        assert_eq!((seen.refusal(), seen.calls), (Some(Kind::Misconfigured), 0));
    }
}
