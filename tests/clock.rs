//! One given clock for everything, long past: whatever read that of the system instead would be
//! refused here.
//!
//! `.ci/no_system_clock` also compiles the crate so that reading the clock of the system is a
//! panic. So this is a binary of its own.

use std::{
    convert::Infallible,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, routing::post};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, FileSecrets, MemoryReplayGuard, MemorySecrets,
    Secret, SecretStore, SignOptions, SignResponseOptions, ValidateOptions,
    ValidateResponseOptions, Validated, sign_request, sign_response,
    tower::{SignRequestLayer, StreamedBody, ValidateAuthLayer},
    validate_auth, validate_response,
    wix::{
        AppCredentials, AppInstance, AppInstanceErrorKind, AppInstanceOptions,
        DEFAULT_APP_SECRET_NAME, Elevation, ValidateAppInstanceLayer,
    },
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

/// In 2001.
const START: u64 = 1_000_000_000;

const SECRET: &str = "a secret for the tests of the clock";

/// Seconds since 1970, for all who got the clock.
#[derive(Clone)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START)))
    }

    fn go_to(&self, second: u64) {
        self.0.store(second, Ordering::Relaxed);
    }

    /// What the setters take.
    fn clock(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let seconds = Arc::clone(&self.0);
        move || time(seconds.load(Ordering::Relaxed))
    }

    fn sign(&self) -> SignOptions {
        SignOptions::new().clock(self.clock())
    }

    fn validate(&self) -> ValidateOptions {
        ValidateOptions::new()
            .authorities(["host.example"])
            .clock(self.clock())
    }

    fn app_instances(&self) -> AppInstanceOptions {
        AppInstanceOptions::new().clock(self.clock())
    }
}

fn time(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    for name in [DEFAULT_SECRET_NAME, DEFAULT_APP_SECRET_NAME] {
        secrets.insert(name, Secret::from_text(SECRET).unwrap());
    }
    secrets
}

fn signed(options: &SignOptions) -> Request<Full<Bytes>> {
    let mut request = Request::post("https://host.example/orders")
        .body(Bytes::from_static(b"{}"))
        .unwrap();
    sign_request(&mut request, &secrets(), options).unwrap();
    request.map(Full::from)
}

fn validate(
    request: &Request<Full<Bytes>>,
    options: &ValidateOptions,
) -> Result<Validated, hmac_auth::AuthError> {
    let (parts, _) = request.clone().into_parts();
    let request = Request::from_parts(parts, Bytes::from_static(b"{}"));
    validate_auth(&request, &secrets(), options)
}

fn kind<T: std::fmt::Debug>(result: Result<T, hmac_auth::AuthError>) -> Kind {
    result.unwrap_err().kind()
}

/// Otherwise the tests of this file would prove nothing.
#[cfg(hmac_auth_no_system_clock)]
#[test]
#[should_panic(expected = "the clock of the system was read")]
fn without_a_given_clock_the_system_is_asked() {
    signed(&SignOptions::new());
}

#[test]
fn responses_go_by_the_given_clock() {
    let clock = TestClock::new();
    let request = Request::get("https://host.example/orders").body("");
    let mut request = request.unwrap();
    let sent = sign_request(&mut request, &secrets(), &clock.sign()).unwrap();
    let validated = validate_auth(&request, &secrets(), &clock.validate()).unwrap();
    let mut response = Response::new("text");
    let options = SignResponseOptions::new().clock(clock.clock());
    sign_response(&mut response, &validated, &options).unwrap();
    let options = ValidateResponseOptions::new().clock(clock.clock());
    let proof = validate_response(&response, &sent, &options).unwrap();
    assert_eq!(proof.created(), i64::try_from(START).unwrap());
    clock.go_to(START + 61);
    assert!(validate_response(&response, &sent, &options).is_err());
}

#[test]
fn signing_and_validating_go_by_the_given_clock() {
    let clock = TestClock::new();
    let (sign, validate_options) = (clock.sign(), clock.validate());
    let request = signed(&sign);
    let validated = validate(&request, &validate_options).unwrap();
    assert_eq!(validated.created_at(), Some(time(START)));

    clock.go_to(START + 60);
    validate(&request, &validate_options).unwrap();
    clock.go_to(START + 61);
    assert_eq!(kind(validate(&request, &validate_options)), Kind::Stale);
    clock.go_to(START - 10);
    validate(&request, &validate_options).unwrap();
    clock.go_to(START - 11);
    assert_eq!(kind(validate(&request, &validate_options)), Kind::InFuture);

    clock.go_to(START + 100);
    let expiring = signed(&sign.clone().expires_in(Duration::from_secs(5)));
    clock.go_to(START + 106);
    assert_eq!(kind(validate(&expiring, &validate_options)), Kind::Expired);
    // Clones share the clock.
    let validated = validate(&signed(&sign.clone()), &validate_options.clone()).unwrap();
    assert_eq!(validated.created_at(), Some(time(START + 106)));
}

#[test]
fn a_fixed_time_wins_over_the_clock_in_any_order() {
    let clock = TestClock::new();
    let fixed = time(START + 1_000);
    for sign in [
        clock.sign().at(fixed),
        SignOptions::new().at(fixed).clock(clock.clock()),
    ] {
        let request = signed(&sign);
        for options in [
            clock.validate().at(fixed),
            ValidateOptions::new().at(fixed).clock(clock.clock()),
        ] {
            let validated = validate(&request, &options).unwrap();
            assert_eq!(validated.created_at(), Some(fixed));
        }
        assert_eq!(kind(validate(&request, &clock.validate())), Kind::InFuture);
    }
    let text = app_instance(START + 1_000);
    let secret = Secret::from_text(SECRET).unwrap().into();
    for options in [
        clock.app_instances().at(fixed),
        AppInstanceOptions::new().at(fixed).clock(clock.clock()),
    ] {
        AppInstance::parse(&text, &secret, &options).unwrap();
    }
    let ahead = AppInstance::parse(&text, &secret, &clock.app_instances()).unwrap_err();
    assert_eq!(ahead.kind(), AppInstanceErrorKind::InFuture);
}

#[test]
fn the_last_clock_counts() {
    let (first, last) = (TestClock::new(), TestClock::new());
    last.go_to(START + 1_000);
    let request = signed(&first.sign().clock(last.clock()));
    let options = first.validate().clock(last.clock());
    let validated = validate(&request, &options).unwrap();
    assert_eq!(validated.created_at(), Some(time(START + 1_000)));
}

#[test]
fn a_guard_starts_by_its_clock() {
    let clock = TestClock::new();
    let (early, late) = (signed(&clock.sign()), {
        clock.go_to(START + 5);
        signed(&clock.sign())
    });
    let guard = MemoryReplayGuard::with_clock(clock.clock());
    clock.go_to(START + 10);
    let validated = |request| validate(request, &clock.validate()).unwrap();
    assert_eq!(
        kind(guard.first_use(validated(&early))),
        Kind::BeforeGuardStart
    );
    guard.first_use(validated(&late)).unwrap();
    assert_eq!(kind(guard.first_use(validated(&late))), Kind::Replayed);
    let earlier = MemoryReplayGuard::with_clock(clock.clock()).started_at(time(START));
    earlier.first_use(validated(&early)).unwrap();
}

/// Both layers of a host, and that of a consumer in front of it. Only the options have the clock.
#[tokio::test]
async fn layers_and_their_guards_go_by_the_clock_of_the_options() {
    let clock = TestClock::new();
    let before = signed(&clock.sign());
    clock.go_to(START + 5);
    let handler = service_fn(|request: Request<Full<Bytes>>| async move {
        assert!(request.extensions().get::<Validated>().is_some());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let host = ValidateAuthLayer::new(secrets(), clock.validate()).layer(handler);
    let ask = async |request: Request<Full<Bytes>>| {
        let response = host.clone().oneshot(request).await.unwrap();
        response.extensions().get::<Kind>().copied()
    };
    assert_eq!(ask(before).await, Some(Kind::BeforeGuardStart));
    let request = signed(&clock.sign());
    assert_eq!(ask(request.clone()).await, None);
    assert_eq!(ask(request.clone()).await, Some(Kind::Replayed));
    clock.go_to(START + 66);
    assert_eq!(ask(request).await, Some(Kind::Stale));

    let consumer = SignRequestLayer::new(secrets(), clock.sign()).layer(host.clone());
    let unsigned = Request::get("https://host.example/orders");
    let response = consumer
        .oneshot(unsigned.body(Full::default()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_streaming_layer_and_its_guard_go_by_the_clock_of_the_options() {
    let clock = TestClock::new();
    let before = signed(&clock.sign());
    clock.go_to(START + 5);
    let upload = service_fn(async |request: Request<StreamedBody<Full<Bytes>>>| {
        let _ = request.into_body().collect().await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let host = ValidateAuthLayer::new(secrets(), clock.validate())
        .streaming()
        .layer(upload);
    for (request, kind) in [
        (before, Some(&Kind::BeforeGuardStart)),
        (signed(&clock.sign()), None),
    ] {
        let response = host.clone().oneshot(request).await.unwrap();
        assert_eq!(response.extensions().get::<Kind>(), kind);
    }
}

#[test]
fn secrets_in_files_go_by_the_given_clock() {
    let clock = TestClock::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(DEFAULT_SECRET_NAME);
    fs::write(&file, SECRET).unwrap();
    let store = FileSecrets::new(directory.path()).clock(clock.clock());
    // The file is from the future of this clock, and then long at rest.
    for second in [START, 1_000_000 * START] {
        clock.go_to(second);
        store.lookup(DEFAULT_SECRET_NAME).unwrap();
    }
    fs::write(&file, "another secret for the tests").unwrap();
    store.lookup(DEFAULT_SECRET_NAME).unwrap();
    fs::remove_file(&file).unwrap();
    store.lookup(DEFAULT_SECRET_NAME).unwrap_err();
}

/// What Wix sends to a backend, signed at this second.
fn app_instance(second: u64) -> String {
    let sign_date = jiff::Timestamp::try_from(time(second)).unwrap().to_string();
    let payload = json!({"instanceId": "i1", "appDefId": "a1", "signDate": sign_date});
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let mac = Secret::from_text(SECRET).unwrap().mac(payload.as_bytes());
    format!("{}.{payload}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

#[tokio::test]
async fn app_instances_go_by_the_given_clock() {
    let clock = TestClock::new();
    let handler =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Bytes::new())));
    let layer = ValidateAppInstanceLayer::new(secrets(), clock.app_instances()).layer(handler);
    let day = 24 * 60 * 60;
    for (second, kind) in [
        (START, None),
        (START + day, None),
        (START + day + 1, Some(AppInstanceErrorKind::Stale)),
        (START - 11, Some(AppInstanceErrorKind::InFuture)),
    ] {
        clock.go_to(second);
        let request = Request::get("/").header("authorization", app_instance(START));
        let response = layer.clone().oneshot(request.body(()).unwrap()).await;
        let response = response.unwrap();
        assert_eq!(response.extensions().get(), kind.as_ref());
    }
}

/// The stand-in says when a token ends by the same clock.
#[tokio::test]
async fn elevation_goes_by_the_given_clock() {
    let clock = TestClock::new();
    let asked = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let count = {
        let asked = Arc::clone(&asked);
        move |index: usize| asked[index].fetch_add(1, Ordering::Relaxed)
    };
    let count_tokens = count.clone();
    let now = Arc::clone(&clock.0);
    let token_info = async move || {
        count(0);
        let expires_at = now.load(Ordering::Relaxed) + 3_600;
        Json(
            json!({"active": true, "subjectType": "VISITOR", "subjectId": "s1", "exp": expires_at,
            "clientId": "a1", "instanceId": "i1"}),
        )
    };
    let token = async move || {
        count_tokens(1);
        Json(json!({"access_token": "t", "token_type": "Bearer", "expires_in": 14_400}))
    };
    let app = Router::new()
        .route("/oauth2/token-info", post(token_info))
        .route("/oauth2/token", post(token));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });

    let credentials = AppCredentials::new("a1", SECRET).unwrap();
    let elevation = Elevation::new(credentials, reqwest::Client::builder().no_proxy())
        .unwrap()
        .base_url(url.parse().unwrap())
        .clock(clock.clock());
    // Token Info counts for a minute, and a token until five minutes before its end.
    for (second, counts) in [
        (0, [1, 1]),
        (59, [1, 1]),
        (60, [2, 1]),
        (14_099, [3, 1]),
        (14_100, [3, 2]),
    ] {
        clock.go_to(START + second);
        let elevated = elevation.elevate("OauthNG.JWS.visitor", |_| true).await;
        let expires_at = elevated.unwrap().expires_at();
        let since = if second < 14_100 {
            START
        } else {
            START + second
        };
        assert_eq!(expires_at, time(since + 14_400));
        let asked = [0, 1].map(|index| asked[index].load(Ordering::Relaxed));
        assert_eq!(asked, counts, "after {second} s");
    }
}
