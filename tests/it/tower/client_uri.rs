//! A proxy that cuts the path: the layer validates the URI that the client has sent.

use hmac_auth::{
    AuthErrorKind as Kind,
    tower::{ValidateAuthLayer, received_uri},
};
use http::{Request, Uri, request::Parts};

use crate::support::{
    capture::{capture, reason},
    layers::{Script, layer, layer_with, whole},
    request::{get, options, signed, with_header},
};

/// Signed for one target, and received with another one.
fn cut(signed_for: &str, received: &str) -> Request<Script> {
    let uri = |target: &str| -> Uri {
        match target {
            "*" => Uri::from_static("*"),
            path => format!("https://host.example{path}").parse().unwrap(),
        }
    };
    let mut request = with_header(get(), "host", "host.example");
    *request.uri_mut() = uri(signed_for);
    let mut request = signed(request);
    *request.uri_mut() = received.parse().unwrap();
    whole(request)
}

async fn outcome(layer: &ValidateAuthLayer, signed_for: &str, received: &str) -> Option<Kind> {
    let [buffered, streamed] = capture(layer, || cut(signed_for, received)).await;
    assert_eq!(buffered.as_ref().err(), streamed.as_ref().err());
    buffered.err()
}

#[tokio::test]
async fn a_prefix_is_put_back_and_nothing_else_passes() {
    let layer = layer().path_prefix("/api");
    layer.check().unwrap();
    for (signed_for, received, refusal) in [
        ("/api/orders", "/orders", None),
        ("/api/orders?page=2", "/orders?page=2", None),
        ("/api/orders?", "/orders?", None),
        ("/api/", "/", None),
        ("/api/?page=2", "/?page=2", None),
        ("/api//orders", "//orders", None),
        ("/api/%2e%2E/or%2Fders", "/%2e%2E/or%2Fders", None),
        ("/api/api/orders", "/api/orders", None),
        // What an absolute target has of a path.
        ("/api/orders", "https://host.example/orders", None),
        ("/api/?page=2", "https://host.example?page=2", None),
        ("/api/", "https://host.example", None),
        ("*", "*", None),
        // Forged: nothing was cut here.
        ("/orders", "/orders", Some(Kind::WrongMac)),
        ("/orders?page=2", "/orders?page=2", Some(Kind::WrongMac)),
        ("/", "/", Some(Kind::WrongMac)),
        ("/api/orders", "/api/orders", Some(Kind::WrongMac)),
        ("/apiorders", "/orders", Some(Kind::WrongMac)),
        ("/api", "/", Some(Kind::WrongMac)),
        ("/API/orders", "/orders", Some(Kind::WrongMac)),
        ("/other/orders", "/orders", Some(Kind::WrongMac)),
        ("/api/*", "*", Some(Kind::WrongMac)),
    ] {
        assert_eq!(
            outcome(&layer, signed_for, received).await,
            refusal,
            "{signed_for} received as {received}"
        );
    }
}

#[tokio::test]
async fn the_target_of_connect_has_no_path_to_put_a_prefix_before() {
    let layer = layer().path_prefix("/api");
    let request = || {
        let request = Request::connect("host.example").body(Vec::new());
        whole(signed(request.unwrap()))
    };
    for seen in capture(&layer, request).await {
        assert!(seen.is_ok());
    }
}

#[tokio::test]
async fn the_handler_sees_the_uri_that_was_received() {
    for layer in [
        layer().path_prefix("/api"),
        layer().trust_client_uri(|_| Some(Uri::from_static("/api/orders"))),
    ] {
        for seen in capture(&layer, || cut("/api/orders", "/orders")).await {
            assert_eq!(seen.expect("accepted").uri, "/orders");
        }
    }
}

/// Such as a stage of AWS API Gateway, which is part of what the client calls.
#[tokio::test]
async fn a_stage_and_a_gateway_can_be_deeper_than_one_segment() {
    for prefix in ["/prod", "/api/v1", "/a-b_c~d.e", "/100%25", "/@scope/x;y=1"] {
        let layer = layer().path_prefix(prefix);
        layer.check().unwrap();
        let signed_for = format!("{prefix}/orders?page=2");
        assert_eq!(outcome(&layer, &signed_for, "/orders?page=2").await, None);
        let forged = outcome(&layer, "/orders?page=2", "/orders?page=2").await;
        assert_eq!(forged, Some(Kind::WrongMac));
    }
}

#[tokio::test]
async fn a_prefix_that_is_none_stops_the_start_and_each_request() {
    for prefix in [
        "",
        "/",
        "//",
        "api",
        "api/",
        "/api/",
        "/api?",
        "/api?x=1",
        "/api#x",
        "/a//b",
        "//api",
        "/a b",
        "/ä",
        "/a\n",
        "https://host.example/api",
        "/..",
        "/a/../b",
        "/.",
        "/a\"b",
        "/a\\b",
    ] {
        let layer = layer().path_prefix(prefix);
        let error = layer.check().expect_err(prefix);
        assert_eq!(error.kind(), Kind::Misconfigured, "{prefix:?}");
        let text = error.to_string();
        assert!(text.contains("give one such as `/api`"), "{text}");
        assert!(
            text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{text}"
        );
        let seen = outcome(&layer, "/api/orders", "/orders").await;
        assert_eq!(seen, Some(Kind::Misconfigured), "{prefix:?}");
    }
}

/// Longer than any URI may be.
#[tokio::test]
async fn a_path_without_room_for_its_prefix_is_refused() {
    let long = format!("/{}", "x".repeat(65_500));
    let layer = layer().path_prefix("/a-prefix-of-some-length-that-has-no-room");
    let seen = outcome(&layer, "/orders", &long).await;
    assert_eq!(seen, Some(Kind::TooLarge));
}

fn sent_by_the_proxy(head: &Parts) -> Option<Uri> {
    let value = head.headers.get("x-original-uri")?;
    value.to_str().ok()?.parse().ok()
}

#[tokio::test]
async fn a_trusted_uri_is_what_was_signed() {
    let layer = layer().trust_client_uri(sent_by_the_proxy);
    layer.check().unwrap();
    let through = |signed_for: &'static str, told: Option<&'static str>| {
        move || {
            let mut request = cut(signed_for, "/rewritten");
            if let Some(told) = told {
                let headers = request.headers_mut();
                headers.insert("x-original-uri", told.parse().unwrap());
            }
            request
        }
    };
    for (signed_for, told, refusal) in [
        ("/prod/orders?page=2", Some("/prod/orders?page=2"), None),
        ("/orders", Some("https://host.example/orders"), None),
        ("/rewritten", Some("/orders"), Some(Kind::WrongMac)),
        ("/orders?page=2", Some("/orders"), Some(Kind::WrongMac)),
        (
            "/orders",
            Some("https://other.example/orders"),
            Some(Kind::ConflictingAuthority),
        ),
        ("/rewritten", None, Some(Kind::Misconfigured)),
        ("/rewritten", Some("/no uri"), Some(Kind::Misconfigured)),
    ] {
        for seen in capture(&layer, through(signed_for, told)).await {
            assert_eq!(seen.err(), refusal, "{signed_for} told as {told:?}");
        }
    }
}

#[tokio::test]
async fn only_one_of_the_three_may_be_set_in_whatever_order() {
    type Set = fn(ValidateAuthLayer) -> ValidateAuthLayer;
    let setters: [(&str, Set); 3] = [
        ("`original_uri`", |layer| layer.original_uri(received_uri)),
        ("`trust_client_uri`", |layer| {
            layer.trust_client_uri(sent_by_the_proxy)
        }),
        ("`path_prefix`", |layer| layer.path_prefix("/api")),
    ];
    for (one, set_one) in setters {
        set_one(set_one(layer())).check().expect(one);
        for (other, set_other) in setters {
            if one == other {
                continue;
            }
            let both = set_other(set_one(layer()));
            let error = both.check().expect_err("both");
            assert_eq!(error.kind(), Kind::Misconfigured);
            let text = error.to_string();
            assert!(text.contains(one) && text.contains(other), "{text}");
            assert!(text.contains("keep one of them"), "{text}");
            let seen = outcome(&both, "/api/orders", "/orders").await;
            assert_eq!(seen, Some(Kind::Misconfigured));
        }
    }
}

/// The operator of a host that has forgotten the prefix reads its name.
#[tokio::test]
async fn a_forgotten_prefix_is_named_where_the_mac_is_wrong() {
    let reason = reason(layer(), cut("/api/orders", "/orders")).await;
    assert!(reason.contains("`path_prefix`"), "{reason}");
}

#[test]
fn a_wrong_option_of_validation_is_found_by_the_check_of_the_layer() {
    let wrong = layer_with(options().require("@status"));
    assert_eq!(wrong.check().unwrap_err().kind(), Kind::Misconfigured);
}
