//! The steps of a host, its old check, and what becomes of each request in each step.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use hmac::{Hmac, KeyInit, Mac};
use hmac_auth::{
    MemorySecrets, Secret, SignOptions, ValidateOptions, Validated, sign_request,
    tower::ValidateAuthLayer,
};
use http::{HeaderValue, StatusCode, request::Parts};
use http_body_util::BodyExt;
use sha2::Sha256;
use tower::ServiceExt;

use crate::support::{
    recorder::{EVENTS, Event, Recorder, TRACES},
    request::{NOW, TestRequest, time},
};

/// The old secrets by their consumers.
pub(super) type OldSecrets = &'static [(&'static str, &'static str)];

pub(super) const OLD_SECRET: &str = "the old secret of site-a";

pub(super) const OLD_SECRETS: OldSecrets = &[
    ("site-a", OLD_SECRET),
    ("site-b", "the old secret of site-b"),
];

/// Signatures have secrets of their own: the old ones may have been seen.
const NEW_SECRETS: [(&str, &str); 2] = [
    ("site-a", "the new secret of site-a"),
    ("site-b", "the new secret of site-b"),
];

/// Finds the consumer by the old credentials of a request.
pub(super) type Find = fn(OldSecrets, &Parts, &[u8]) -> Option<&'static str>;

/// An old way to authenticate.
#[derive(Clone, Copy)]
pub(super) struct Scheme {
    /// What the consumer does.
    pub(super) add: fn(&mut TestRequest, &str),
    /// What the host does.
    pub(super) find: Find,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Before,
    Observe,
    AcceptBoth,
    Require,
}

pub(super) const STEPS: [Step; 4] = [Step::Before, Step::Observe, Step::AcceptBoth, Step::Require];

/// The page shows this function.
pub(super) fn host(
    step: Step,
    routes: Router,
    old_check: impl Fn(Router) -> Router,
    validate: ValidateAuthLayer,
) -> Router {
    let accept_both = validate.clone().allow_unsigned();
    match step {
        Step::Before => old_check(routes),
        Step::Observe => old_check(routes).layer(accept_both.observing()),
        Step::AcceptBoth => old_check(routes).layer(accept_both),
        Step::Require => routes.layer(validate),
    }
}

#[derive(Clone, Copy)]
pub(super) struct OldCheck {
    pub(super) secrets: OldSecrets,
    pub(super) find: Find,
}

/// Who calls, as the old check has found out.
#[derive(Clone)]
struct OldConsumer(&'static str);

/// The page shows this function.
async fn old_check(State(old): State<OldCheck>, request: Request, next: Next) -> Response {
    // The only new lines: the layer around has proven who calls.
    if request.extensions().get::<Validated>().is_some() {
        return next.run(request).await;
    }
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, 2 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match (old.find)(old.secrets, &head, &body) {
        Some(consumer) => {
            head.extensions.insert(OldConsumer(consumer));
            let request = Request::from_parts(head, Body::from(body));
            next.run(request).await
        }
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

/// The routes of the service. Each answer says who has asked, and what was read.
async fn order(request: Request) -> String {
    let extensions = request.extensions();
    let consumer = match (
        extensions.get::<Validated>(),
        extensions.get::<OldConsumer>(),
    ) {
        (Some(validated), None) => format!("{}, signed", validated.consumer()),
        (None, Some(OldConsumer(consumer))) => format!("{consumer}, old"),
        _ => "nobody".to_owned(),
    };
    let body = request.into_body().collect().await.unwrap().to_bytes();
    format!("{consumer}: {}", String::from_utf8(body.to_vec()).unwrap())
}

pub(super) fn routes() -> Router {
    Router::new()
        .route("/orders", post(order))
        .route("/refunds", post(order))
}

pub(super) fn validate() -> ValidateAuthLayer {
    let names = NEW_SECRETS.map(|(key_id, _)| (key_id, format!("{key_id}-secret")));
    let options = ValidateOptions::new()
        .authorities(["host.example"])
        .key_ids(names)
        .at(time(NOW));
    ValidateAuthLayer::new(new_secrets(), options)
}

pub(super) fn new_secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    for (key_id, text) in NEW_SECRETS {
        let secret = Secret::from_text(text).unwrap();
        secrets.insert(format!("{key_id}-secret"), secret);
    }
    secrets
}

/// The host of a scheme in a step.
pub(super) fn app(step: Step, scheme: Scheme) -> Router {
    app_with(step, scheme, OLD_SECRETS)
}

pub(super) fn app_with(step: Step, scheme: Scheme, secrets: OldSecrets) -> Router {
    let find = scheme.find;
    let old_check =
        |routes: Router| routes.layer(from_fn_with_state(OldCheck { secrets, find }, old_check));
    host(step, routes(), old_check, validate())
}

/// What the consumer wants to ask, without any credentials.
pub(super) fn plain() -> TestRequest {
    TestRequest::new(br#"{"month":11}"#.to_vec()).map_head(|head| {
        head.method = http::Method::POST;
        head.uri = "/orders?page=2".parse().unwrap();
        let headers = &mut head.headers;
        headers.insert("host", HeaderValue::from_static("host.example"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
    })
}

pub(super) trait MapHead: Sized {
    fn map_head(self, change: impl FnOnce(&mut Parts)) -> Self;
}

impl<B> MapHead for http::Request<B> {
    fn map_head(self, change: impl FnOnce(&mut Parts)) -> Self {
        let (mut head, body) = self.into_parts();
        change(&mut head);
        Self::from_parts(head, body)
    }
}

pub(super) fn old(scheme: Scheme, secret: &str) -> TestRequest {
    let mut request = plain();
    (scheme.add)(&mut request, secret);
    request
}

pub(super) fn sign_options() -> SignOptions {
    SignOptions::new()
        .secret_name("site-a-secret")
        .key_id("site-a")
        .at(time(NOW))
}

/// Signs last, as a consumer has to.
pub(super) fn signed(mut request: TestRequest) -> TestRequest {
    sign_request(&mut request, &new_secrets(), &sign_options()).unwrap();
    request
}

/// Signs in the name of site-a, with another secret.
pub(super) fn forged(mut request: TestRequest) -> TestRequest {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text("a guess at the new secret").unwrap();
    secrets.insert("site-a-secret", secret);
    sign_request(&mut request, &secrets, &sign_options()).unwrap();
    request
}

pub(super) fn both(scheme: Scheme) -> TestRequest {
    signed(old(scheme, OLD_SECRET))
}

/// What an attacker makes of a request who does not want it to be validated.
pub(super) fn stripped(request: TestRequest) -> TestRequest {
    request.map_head(|head| {
        for name in ["signature", "signature-input", "content-digest"] {
            head.headers.remove(name);
        }
    })
}

/// A kind of request, as the page calls it, and the steps in which it is accepted.
pub(super) type Row = (&'static str, fn(Scheme) -> TestRequest, [bool; 4]);

/// The page shows this table.
pub(super) const ROWS: [Row; 8] = [
    ("nothing", |_| plain(), [false, false, false, false]),
    (
        "valid old credentials",
        |scheme| old(scheme, OLD_SECRET),
        [true, true, true, false],
    ),
    (
        "wrong old credentials",
        |scheme| old(scheme, "a guess at the old secret"),
        [false, false, false, false],
    ),
    (
        "a valid signature",
        |_| signed(plain()),
        [false, false, true, true],
    ),
    ("both, valid", both, [true, true, true, true]),
    (
        "a valid signature, wrong old credentials",
        |scheme| signed(old(scheme, "a guess at the old secret")),
        [false, false, true, true],
    ),
    (
        "a forged signature, valid old credentials",
        |scheme| forged(old(scheme, OLD_SECRET)),
        [true, true, false, false],
    ),
    (
        "both, and somebody has removed the signature",
        |scheme| stripped(both(scheme)),
        [true, true, true, false],
    ),
];

/// The status and the text of the answer.
pub(super) async fn ask(app: &Router, request: TestRequest) -> (StatusCode, String) {
    let response = app.clone().oneshot(request.map(Body::from)).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(super) async fn is_accepted(app: &Router, request: TestRequest) -> bool {
    let (status, text) = ask(app, request).await;
    match status {
        StatusCode::OK => {
            assert!(text.starts_with("site-"), "{text}");
            true
        }
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => false,
        status => panic!("{status}: {text}"),
    }
}

/// Sends each kind of request to the host in this step, and compares the answers with the table.
pub(super) async fn assert_step(step: Step, scheme: Scheme) {
    let column = STEPS.iter().position(|one| *one == step).unwrap();
    for (name, make, accepted) in ROWS {
        let app = app(step, scheme);
        assert_eq!(
            is_accepted(&app, make(scheme)).await,
            accepted[column],
            "{step:?}: {name}"
        );
        if step != Step::AcceptBoth || !accepted[column] {
            continue;
        }
        // A signature names the consumer, whatever stands beside it.
        let by = if name.contains("valid signature") || name == "both, valid" {
            "signed"
        } else {
            "old"
        };
        let (_, text) = ask(&self::app(step, scheme), make(scheme)).await;
        assert_eq!(text, format!(r#"site-a, {by}: {{"month":11}}"#), "{name}");
    }
}

/// The events of one request: those that the operator must look at, and those that are good news.
pub(super) async fn events(app: &Router, request: TestRequest) -> (Vec<Event>, Vec<Event>) {
    Recorder::install();
    EVENTS.with_borrow_mut(Vec::clear);
    TRACES.with_borrow_mut(Vec::clear);
    ask(app, request).await;
    let good = |event: &Event| {
        ["request would be accepted", "request accepted"].contains(&event["message"].as_str())
    };
    let traces = TRACES.with_borrow(|events| events.iter().filter(|e| good(e)).cloned().collect());
    (EVENTS.with_borrow(Clone::clone), traces)
}

/// While the host observes, the events say what the next step would do, and nothing changes.
pub(super) async fn assert_rehearsed(scheme: Scheme) {
    for (name, make, accepted) in ROWS {
        let observing = app(Step::Observe, scheme);
        let (bad, good) = events(&observing, make(scheme)).await;
        let request = make(scheme);
        let has_signature = request.headers().contains_key("signature-input");
        // The next step may leave it to the old check: then there is no event at all.
        let expected = (
            usize::from(has_signature && !accepted[2]),
            usize::from(has_signature && accepted[2]),
        );
        assert_eq!((bad.len(), good.len()), expected, "{name}: {bad:?}");
        if let Some(event) = bad.first() {
            assert_eq!(event["message"], "request would be refused");
            assert_eq!(event["kind"], "wrong_mac");
            assert_eq!(event["key_id"], "site-a");
        }
        if let Some(event) = good.first() {
            assert_eq!(event["message"], "request would be accepted");
            assert_eq!(event["consumer"], "site-a");
        }
    }
}

/// A consumer that has moved and that the old check has forgotten cannot be led back, while others
/// still call in the old way.
pub(super) async fn assert_forgotten(scheme: Scheme) {
    let app = app_with(Step::AcceptBoth, scheme, &OLD_SECRETS[1..]);
    assert!(is_accepted(&app, both(scheme)).await);
    assert!(is_accepted(&app, signed(plain())).await);
    assert!(!is_accepted(&app, stripped(both(scheme))).await);
    assert!(!is_accepted(&app, old(scheme, OLD_SECRET)).await);
    assert!(is_accepted(&app, old(scheme, OLD_SECRETS[1].1)).await);
}

/// What an attacker makes of a request of site-a that was seen on the way: accepted until the last
/// step, and refused from there on, though the request still has both.
pub(super) async fn assert_open_until_required(
    scheme: Scheme,
    attack: impl Fn(TestRequest) -> TestRequest,
) {
    for step in STEPS {
        let app = app(step, scheme);
        let seen = both(scheme);
        assert!(is_accepted(&app, seen.clone()).await, "{step:?}");
        // With its signature, the changed request is refused as soon as signatures count.
        let with_signature = is_accepted(&app, attack(seen.clone())).await;
        assert_eq!(
            with_signature,
            matches!(step, Step::Before | Step::Observe),
            "{step:?}"
        );
        let without = is_accepted(&app, attack(stripped(seen))).await;
        assert_eq!(without, step != Step::Require, "{step:?}");
    }
}

/// HMAC-SHA-256, in the words of the old schemes.
pub(super) fn mac(secret: &str, text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().into()
}

pub(super) fn hex_mac(secret: &str, text: &[u8]) -> String {
    let digits = mac(secret, text).map(|byte| format!("{byte:02x}"));
    digits.concat()
}

/// The value of a field, if it is a readable text.
pub(super) fn text<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

pub(super) fn insert(request: &mut TestRequest, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).unwrap();
    request.headers_mut().insert(name, value);
}

/// The tests of each step that is the same for all schemes.
macro_rules! test_each_step {
    ($scheme:expr) => {
        use crate::migrate::steps::Step;

        #[tokio::test]
        async fn before() {
            crate::migrate::steps::assert_step(Step::Before, $scheme).await;
        }

        #[tokio::test]
        async fn the_host_observes() {
            crate::migrate::steps::assert_step(Step::Observe, $scheme).await;
            crate::migrate::steps::assert_rehearsed($scheme).await;
        }

        #[tokio::test]
        async fn the_host_accepts_both() {
            crate::migrate::steps::assert_step(Step::AcceptBoth, $scheme).await;
        }

        #[tokio::test]
        async fn the_old_check_forgets_a_consumer_that_has_moved() {
            crate::migrate::steps::assert_forgotten($scheme).await;
        }

        #[tokio::test]
        async fn the_host_requires_signatures() {
            crate::migrate::steps::assert_step(Step::Require, $scheme).await;
        }
    };
}
pub(super) use test_each_step;
