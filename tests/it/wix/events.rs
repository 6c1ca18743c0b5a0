//! The events of the layers for Wix: one for each answer, with its reason, and nothing confidential.

use std::convert::Infallible;

use axum::body::Body;
use hmac_auth::{
    MemorySecrets, Secret,
    wix::{
        AppInstanceErrorKind, AppInstanceOptions, DEFAULT_APP_SECRET_NAME, ElevationErrorKind,
        NotQueued, ReceiveWebhooks, SubjectType, TokenInfoLayer, ValidateAppInstanceLayer,
        WebhookErrorKind,
    },
};
use http::{Request, Response, StatusCode};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tracing::{
    Instrument, Level, dispatcher::Dispatch, field::Empty, instrument::WithSubscriber,
    level_filters::LevelFilter, span,
};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{
    instance,
    oauth::{Reply, Wix, elevation, visitor_token},
    recorder::{EVENTS, Event, RECORDS, Recorder, TRACES},
    webhook::{claims, envelope, options, signed, vector, webhook},
};

/// Somebody's address, which no event may show.
const ADDRESS: &str = "somebody@shop.example";

fn clear() {
    Recorder::install();
    EVENTS.take();
    TRACES.take();
    RECORDS.take();
}

fn event(fields: &[(&'static str, &str)]) -> Event {
    let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    fields.iter().map(owned).collect()
}

/// Asks twice: for all events, and for the errors among them. The refusal is one event, which is an
/// error if the backend itself cannot decide.
///
/// Returns the reason.
async fn refused<F>(ask: impl Fn() -> F, kind: &str, message: &str, path: &str) -> String
where
    F: Future<Output = StatusCode>,
{
    clear();
    let status = ask().await;
    assert!(!status.is_success(), "{kind}");
    assert_eq!(TRACES.take(), [], "{kind}");
    let mut told = EVENTS.take();
    assert_eq!(told.len(), 1, "{kind}: {told:?}");
    let reason = told[0].remove("reason").expect("a reason");
    let expected = [("kind", kind), ("message", message), ("path", path)];
    assert_eq!(told, [event(&expected)]);

    let errors = tracing_subscriber::registry()
        .with(LevelFilter::ERROR)
        .with(Recorder);
    ask().with_subscriber(Dispatch::new(errors)).await;
    let errors = EVENTS.take();
    assert_eq!(
        errors.len(),
        usize::from(status.is_server_error()),
        "{kind}"
    );
    reason
}

/// An order with somebody's address in it.
fn order() -> String {
    let data = json!({
        "id": "e-1",
        "entityFqdn": "wix.ecom.v1.order",
        "createdEvent": {"entity": {"email": ADDRESS}},
    });
    let mut envelope = envelope("wix.ecom.v1.order_created", &data.to_string());
    let identity = json!({"identityType": "MEMBER", "memberId": ADDRESS});
    envelope["identity"] = identity.to_string().into();
    webhook(&envelope)
}

async fn post(receiver: &ReceiveWebhooks, path: &str, body: &str) -> StatusCode {
    let request = Request::post(path).body(Body::from(body.to_owned()));
    let answer = receiver.clone().oneshot(request.unwrap()).await;
    answer.unwrap().status()
}

#[tokio::test]
async fn each_refused_webhook_is_one_event() {
    use WebhookErrorKind as Kind;
    let full = ReceiveWebhooks::new(options(), |_| Err(NotQueued::Full));
    let closed = ReceiveWebhooks::new(options(), |_| Err(NotQueued::Closed));
    let order = order();
    let (head, signature) = order.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", "A".repeat(signature.len()));
    let plain = format!(r#"{{"eventType":"AppInstalled","data":"{ADDRESS}"}}"#);
    let service_plugin = vector("service plugin").0;
    let no_text = signed(&claims(json!([ADDRESS])));
    for (receiver, body, kind, expected) in [
        (&full, &*order, Kind::QueueFull, "the queue is full: "),
        (&closed, &order, Kind::QueueClosed, "the queue is closed: "),
        (
            &full,
            &forged,
            Kind::WrongSignature,
            "the signature is not ",
        ),
        (&full, &plain, Kind::PlainJson, "the body is plain JSON, "),
        (&full, "", Kind::Missing, "the body is empty, "),
        (
            &full,
            vector("alg none").0,
            Kind::AlgNone,
            "`alg` is `none`: ",
        ),
        (
            &full,
            service_plugin,
            Kind::ServicePlugin,
            "`data` is an object, ",
        ),
        (
            &full,
            &no_text,
            Kind::MalformedClaims,
            "the claims of the JWT are malformed: `data` is not a string",
        ),
    ] {
        let path = "/hooks/\u{9b}31m";
        let ask = || post(receiver, path, body);
        let reason = refused(ask, kind.as_str(), "webhook refused", r"/hooks/\u{9b}31m").await;
        assert!(reason.starts_with(expected), "{reason}");
        for hidden in [ADDRESS, head, signature] {
            assert!(!reason.contains(hidden), "{reason}");
        }
    }
}

#[tokio::test]
async fn each_accepted_webhook_is_one_event_which_says_if_it_is_a_repeat() {
    clear();
    let receiver = ReceiveWebhooks::new(options(), |_| Ok(()));
    let expected = |outcome| {
        event(&[
            ("message", "webhook accepted"),
            ("id", "e-1"),
            ("event_type", "wix.ecom.v1.order_created"),
            ("instance_id", "i-1"),
            ("outcome", outcome),
        ])
    };
    for outcome in ["Queued", "Repeated", "Repeated"] {
        let span = span!(Level::INFO, "request", instance_id = Empty);
        let status = post(&receiver, "/", &order()).instrument(span).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(TRACES.take(), [expected(outcome)]);
        assert_eq!(RECORDS.take(), [event(&[("instance_id", "i-1")])]);
    }
    // Wix signs what it likes, and a log shows it in one line.
    let odd = envelope("A\n\"B", "{}")
        .to_string()
        .replace("i-1", r"\u001b[31m");
    post(&receiver, "/", &signed(&claims(odd))).await;
    let told = TRACES.take();
    assert_eq!(told[0]["event_type"], r#"A\n\"B"#);
    assert_eq!(told[0]["instance_id"], r"\u{1b}[31m");
    // An event of no installation.
    let nowhere = json!({"eventType": "A", "data": "{}"});
    post(&receiver, "/", &webhook(&nowhere)).await;
    assert!(!TRACES.take()[0].contains_key("instance_id"));
    assert_eq!(EVENTS.take(), []);
}

async fn call<L>(layer: &L, authorization: Option<&str>) -> StatusCode
where
    L: Layer<tower::util::BoxCloneService<Request<Body>, Response<Body>, Infallible>>,
    L::Service: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let handler = service_fn(async |_: Request<Body>| Ok(Response::new(Body::empty())));
    let service = layer.layer(tower::util::BoxCloneService::new(handler));
    let mut request = Request::get("/settings?secret=1");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let request = request.body(Body::empty()).unwrap();
    service.oneshot(request).await.unwrap().status()
}

fn app_instances(secrets: MemorySecrets) -> ValidateAppInstanceLayer {
    let options = AppInstanceOptions::new().at(instance::at(instance::NOW));
    ValidateAppInstanceLayer::new(secrets, options)
}

#[tokio::test]
async fn each_app_instance_is_one_event() {
    use AppInstanceErrorKind as Kind;
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text(instance::SECRET).unwrap();
    secrets.insert(DEFAULT_APP_SECRET_NAME, secret);
    let layer = app_instances(secrets);
    let unavailable = app_instances(MemorySecrets::new());
    let owner = layer.clone().require_owner();
    let visitor = instance::signed(instance::payload(&[
        ("uid", None),
        ("aid", Some(json!(ADDRESS))),
    ]));
    let (_, payload) = visitor.split_once('.').unwrap();
    let forged = format!("{}.{payload}", "A".repeat(43));
    for (layer, text, kind) in [
        (&layer, None, Kind::Missing),
        (&layer, Some(&*forged), Kind::WrongMac),
        (&owner, Some(&visitor), Kind::NotOwner),
        (&unavailable, Some(&visitor), Kind::SecretUnavailable),
    ] {
        let ask = || call(layer, text);
        let reason = refused(ask, kind.as_str(), "app instance refused", "/settings").await;
        for hidden in [ADDRESS, payload, instance::SECRET] {
            assert!(!reason.contains(hidden), "{reason}");
        }
    }
    clear();
    let span = span!(Level::INFO, "request", instance_id = Empty);
    let status = call(&layer, Some(&visitor)).instrument(span).await;
    assert_eq!(status, StatusCode::OK);
    let [told] = &TRACES.take()[..] else {
        panic!("one event")
    };
    assert_eq!(told["message"], "app instance accepted");
    let recorded = [event(&[("instance_id", &told["instance_id"])])];
    assert_eq!(RECORDS.take(), recorded);
    assert_eq!(EVENTS.take(), []);
}

#[tokio::test]
async fn each_access_token_is_one_event() {
    use ElevationErrorKind as Kind;
    let wix = Wix::start().await;
    let layer = TokenInfoLayer::new(wix.elevation(), [SubjectType::Visitor]);
    let members = layer.clone().accept([SubjectType::Member]);
    let alone = TokenInfoLayer::new(elevation("http://127.0.0.1:9"), [SubjectType::Visitor]);
    let token = visitor_token("i1", 1);
    for (layer, text, kind) in [
        (&layer, None, Kind::Missing),
        (&layer, Some("junk-7d1e"), Kind::NotAccessToken),
        (&members, Some(&*token), Kind::NotAllowed),
        (&alone, Some(&token), Kind::Unreachable),
    ] {
        let ask = || call(layer, text);
        let reason = refused(ask, kind.as_str(), "access token refused", "/settings").await;
        let shows = text.is_some_and(|text| reason.contains(text));
        assert!(!shows && !reason.contains("9/oauth2"), "{reason}");
    }
    clear();
    let span = span!(Level::INFO, "request", instance_id = Empty);
    let status = call(&layer, Some(&token)).instrument(span).await;
    assert_eq!(status, StatusCode::OK);
    let expected = event(&[
        ("message", "access token accepted"),
        ("instance_id", "i1"),
        ("subject_type", "Visitor"),
    ]);
    assert_eq!(TRACES.take(), [expected]);
    assert_eq!(RECORDS.take(), [event(&[("instance_id", "i1")])]);
    assert_eq!(EVENTS.take(), []);
    wix.on_token_info(|_, _| Reply::status(429));
    let other = visitor_token("i1", 2);
    let ask = || call(&layer, Some(&other));
    refused(ask, "rate_limited", "access token refused", "/settings").await;
}
