//! How long validation takes, and what the layers for Wix count.

use std::time::Duration;

use axum::{Router, body::Body, routing};
use hmac_auth::{
    MemorySecrets, Secret,
    wix::{
        AppInstanceOptions, DEFAULT_APP_SECRET_NAME, ReceiveWebhooks, SubjectType, TokenInfoLayer,
        ValidateAppInstanceLayer,
    },
};
use http::{Request, header::AUTHORIZATION};
use metrics_util::debugging::DebugValue;
use tower::{ServiceExt, service_fn};

use crate::support::{
    counted::{Series, counted, recorded, series},
    instance,
    layers::{Step, ask, ask_both, data, guard, layer, whole, with_body, with_wrong_mac},
    oauth::{Reply, Wix, good_info, visitor_token},
    request::{get, post, signed},
    webhook::{self, envelope},
};

fn samples(series: &Series) -> u64 {
    series["validation_seconds"]
}

#[test]
fn each_checked_request_has_one_time() {
    let accepted = counted(async {
        ask_both(&layer(), || whole(signed(post()))).await;
        ask_both(&layer(), || with_body(signed(get()), [])).await;
    });
    assert_eq!(samples(&accepted), 4);
    let refused = counted(async {
        ask_both(&layer(), || whole(with_wrong_mac())).await;
        ask_both(&layer(), || with_body(signed(post()), [data("x")])).await;
        let full = layer().replay_guard(guard().capacity(0));
        ask_both(&full, || with_body(signed(get()), [])).await;
        ask_both(&full, || whole(signed(post()))).await;
    });
    assert_eq!(samples(&refused), 8);
    let unchecked = counted(async {
        ask_both(&layer().allow_unsigned(), || whole(post())).await;
    });
    assert!(!unchecked.contains_key("validation_seconds"));
}

#[test]
fn the_time_is_that_of_the_work_alone() {
    let times = |request: fn() -> _| {
        let series = recorded(async {
            ask(&layer(), request()).await;
        });
        let mut samples = series.into_iter().filter_map(|(_, value)| match value {
            DebugValue::Histogram(samples) => Some(samples[0].0),
            _ => None,
        });
        samples.next().unwrap()
    };
    let slow = times(|| {
        let body = signed(post()).into_body();
        let steps = [
            Step::Late(Duration::from_millis(300)),
            Step::Data(body.into()),
        ];
        with_body(signed(post()), steps)
    });
    assert!(slow > 0.0 && slow < 0.3, "{slow}");
    // Hashing is work.
    let large = times(|| whole(signed(post().map(|_| vec![b'x'; 1 << 20]))));
    assert!(large > slow, "{large} {slow}");
}

#[test]
fn app_instances_are_counted_by_kind() {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text(instance::SECRET).unwrap();
    secrets.insert(DEFAULT_APP_SECRET_NAME, secret);
    let options = AppInstanceOptions::new().at(instance::at(instance::NOW));
    let validate = ValidateAppInstanceLayer::new(secrets, options);
    let service = tower::ServiceBuilder::new()
        .layer(validate)
        .service(service_fn(async |_: Request<Body>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
        }));
    let counted = counted(async {
        let text = instance::signed(instance::payload(&[]));
        let requests = [
            Request::builder().header(AUTHORIZATION, text),
            Request::builder().header(AUTHORIZATION, "kind.attacker"),
            Request::builder(),
        ];
        for request in requests {
            let request = request.body(Body::empty()).unwrap();
            service.clone().oneshot(request).await.unwrap();
        }
    });
    let kinds = ["malformed_signature", "missing"];
    assert_eq!(counted["wix_app_instances_accepted_total"], 1);
    assert_eq!(counted.len(), 1 + kinds.len(), "{counted:?}");
    for kind in kinds {
        let name = format!("wix_app_instances_refused_total{{kind={kind}}}");
        assert_eq!(counted.get(&name), Some(&1), "{counted:?}");
    }
}

#[test]
fn access_tokens_are_counted_by_kind() {
    let counted = counted(async {
        let wix = Wix::start().await;
        wix.on_token_info(|_, question| Reply::json(&good_info(question)));
        let tokens = TokenInfoLayer::new(wix.elevation(), [SubjectType::Visitor]);
        let app: Router = Router::new()
            .route("/", routing::get(async || "served"))
            .layer(tokens);
        let token = visitor_token("i1", 1);
        for authorization in [Some(&*token), None] {
            let mut request = Request::get("/");
            if let Some(token) = authorization {
                request = request.header(AUTHORIZATION, token);
            }
            let request = request.body(Body::empty()).unwrap();
            app.clone().oneshot(request).await.unwrap();
        }
    });
    let expected = [
        ("wix_access_tokens_accepted_total", 1),
        ("wix_access_tokens_refused_total{kind=missing}", 1),
    ];
    assert_eq!(counted, series(expected));
}

#[test]
fn webhooks_are_counted_by_kind() {
    let counted = counted(async {
        let webhooks = ReceiveWebhooks::new(webhook::options(), |_| Ok(()));
        let genuine = webhook::webhook(&envelope("AppInstalled", "{}"));
        for body in [&*genuine, &*genuine, "", "{}"] {
            let request = Request::post("/webhook").body(Body::from(body.to_owned()));
            webhooks.clone().oneshot(request.unwrap()).await.unwrap();
        }
        let request = Request::get("/webhook").body(Body::empty());
        webhooks.oneshot(request.unwrap()).await.unwrap();
    });
    let expected = [
        ("wix_webhooks_accepted_total", 2),
        ("wix_webhooks_refused_total{kind=missing}", 1),
        ("wix_webhooks_refused_total{kind=plain_json}", 1),
        ("wix_webhooks_refused_total{kind=wrong_method}", 1),
    ];
    assert_eq!(counted, series(expected));
}
