//! What a layer refuses, and who learns what of a refusal.

use hmac_auth::{
    AuthError, AuthErrorKind as Kind, Validated,
    tower::{StreamedBody, Upload},
};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{
    cases::{Case, Down, assert_profile, bad_bodies, bad_heads, refused_by_guards},
    layers::{LEN, Script, Step, ask_both, data, expecting, layer, whole, with_body},
    request::{TestRequest, post, signed},
};

#[tokio::test]
async fn whatever_the_head_shows_is_refused_and_reaches_no_service() {
    for (kind, layer, request) in bad_heads() {
        for seen in ask_both(&layer, request).await {
            assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
            assert_profile(&seen.response, kind);
        }
        // With `Expect`, nothing is even read to be dropped.
        for seen in ask_both(&layer, || expecting(request())).await {
            assert_eq!((seen.refusal(), seen.calls, seen.polls), (Some(kind), 0, 0));
        }
    }
}

#[tokio::test]
async fn whatever_the_guard_refuses_reaches_no_service() {
    for (kind, layer, request) in refused_by_guards() {
        let [buffered, streamed] = ask_both(&layer, || expecting(request())).await;
        assert_eq!(streamed.polls, 0);
        for seen in [buffered, streamed] {
            assert_eq!((seen.refusal(), seen.calls), (Some(kind), 0));
            assert_profile(&seen.response, kind);
        }
    }
}

/// In streaming mode the service has begun: its answer is replaced.
#[tokio::test]
async fn whatever_is_wrong_with_the_body_is_refused() {
    for (kind, layer, request) in bad_bodies() {
        let [buffered, streamed] = ask_both(&layer, request).await;
        assert_eq!((buffered.refusal(), buffered.calls), (Some(kind), 0));
        assert_eq!((streamed.refusal(), streamed.calls), (Some(kind), 1));
        assert_profile(&buffered.response, kind);
        assert_profile(&streamed.response, kind);
    }
    // A body that is known to be empty is refused before the service.
    for seen in ask_both(&layer(), || with_body(signed(post()), [])).await {
        assert_eq!((seen.refusal(), seen.calls), (Some(Kind::WrongDigest), 0));
    }
}

/// Most services give up with an error of their own when the body does.
#[tokio::test]
async fn an_error_of_the_service_about_a_bad_body_is_replaced_too() {
    let service = service_fn(|request: Request<StreamedBody<Script>>| async {
        request
            .into_body()
            .collect()
            .await
            .map(|body| Response::new(body.to_bytes()))
    });
    for (kind, layer, request) in bad_bodies() {
        let response = layer
            .streaming()
            .layer(service)
            .oneshot(request())
            .await
            .expect("an answer");
        assert_eq!(response.extensions().get(), Some(&kind));
        assert_profile(&response, kind);
    }
}

/// Whoever calls with gRPC reads the code of gRPC, and no body.
#[tokio::test]
async fn grpc_is_answered_in_its_own_words() {
    fn grpc() -> TestRequest {
        let mut request = post();
        request.headers_mut().insert(
            "content-type",
            HeaderValue::from_static("application/grpc+proto"),
        );
        request
    }
    let cases: [(&str, Case); 4] = [
        ("16", (Kind::MissingSignature, layer(), || whole(grpc()))),
        (
            "8",
            (Kind::BodyTooLarge, layer().max_body_len(LEN - 1), || {
                whole(signed(grpc()))
            }),
        ),
        (
            "13",
            (Kind::BodyUnreadable, layer(), || {
                with_body(signed(grpc()), [Step::Fail("gone")])
            }),
        ),
        (
            "14",
            (
                Kind::ReplayGuardUnavailable,
                layer().replay_guard(Down),
                || whole(signed(grpc())),
            ),
        ),
    ];
    for (code, (kind, layer, request)) in cases {
        for seen in ask_both(&layer, request).await {
            assert_eq!(seen.refusal(), Some(kind));
            let (head, body) = seen.response.into_parts();
            assert_eq!(head.status, AuthError::from(kind).status());
            assert_eq!(
                ["grpc-status", "content-type"].map(|name| &head.headers[name]),
                [code, "application/grpc"]
            );
            assert!(body.is_empty(), "{kind:?}");
        }
    }
    for seen in ask_both(&layer(), || whole(post())).await {
        assert!(
            !seen.response.headers().contains_key("grpc-status")
                && !seen.response.body().is_empty()
        );
    }
}

#[tokio::test]
async fn the_answer_can_be_replaced_but_not_the_kind() {
    let layer = layer().map_refusal(|response, error, parts| {
        assert_eq!(response.status(), error.status());
        Response::builder()
            .status(418)
            .body(format!("{} {}", error.kind(), parts.uri.path()).into())
            .unwrap()
    });
    for request in [
        || whole(post()),
        || with_body(signed(post()), [data("forged")]),
    ] {
        for seen in ask_both(&layer, request).await {
            let kind = seen.refusal().expect("refused");
            assert_eq!(seen.response.status(), StatusCode::IM_A_TEAPOT);
            assert_eq!(seen.response.body(), &format!("{kind} /orders"));
        }
    }
}

/// Who has a proof may rely on it, so there is none of a replayed request.
#[tokio::test]
async fn what_is_refused_comes_without_a_proof() {
    for (_, layer, request) in [bad_heads(), refused_by_guards(), bad_bodies()]
        .into_iter()
        .flatten()
    {
        let layer = layer.map_refusal(|mut response, _, parts| {
            let proves = parts.extensions.get::<Validated>().is_some()
                || parts.extensions.get::<Upload>().is_some();
            response.extensions_mut().insert(proves);
            response
        });
        for seen in ask_both(&layer, request).await {
            assert_eq!(
                seen.response.extensions().get(),
                Some(&false),
                "{:?}",
                seen.refusal()
            );
        }
    }
}
