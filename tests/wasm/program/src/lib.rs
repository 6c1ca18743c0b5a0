//! What a host and a consumer do, on WebAssembly: sign, validate, a guard, layers, stores, Wix.
//!
//! Each step panics if its outcome is another one. The runtime then says so, and `.ci/wasm` fails.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac_auth::{
    AuthErrorKind as Kind, DEFAULT_SECRET_NAME, EnvSecrets, FileSecrets, MemoryReplayGuard,
    MemorySecrets, Secret, SecretStore, SignOptions, ValidateOptions, Validated, generate_secret,
    sign_request,
    tower::ValidateAuthLayer,
    validate_auth,
    wix::{AppInstance, AppInstanceErrorKind, AppInstanceOptions},
};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

/// What the runtime must have given, where it has variables and files.
const SECRET: &str = "a secret from outside of the module";

/// Runs all steps, and returns what there is to say about them.
pub fn run() -> String {
    let steps: &[(&str, fn())] = &[
        ("sign and validate by the clock of the system", || {
            sign_and_validate(SignOptions::new(), ValidateOptions::new())
        }),
        ("sign and validate by a given clock", || {
            let (sign, validate) = given_clock();
            sign_and_validate(sign, validate);
        }),
        ("the clock of the system", clock_of_the_system),
        ("random numbers", random_numbers),
        ("a guard", guard),
        ("a layer of tower", layer),
        ("an app instance of Wix", app_instance),
        ("secrets in files and variables", stores),
    ];
    let lines: Vec<_> = steps
        .iter()
        .map(|(name, step)| {
            step();
            format!("{name}: ok\n")
        })
        .collect();
    format!("{}{} passed, 0 failed", lines.concat(), lines.len())
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod javascript {
    use wasm_bindgen::prelude::wasm_bindgen;

    /// For Node.
    #[wasm_bindgen]
    pub fn run() -> String {
        super::run()
    }
}

/// In 2001.
fn past() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn given_clock() -> (SignOptions, ValidateOptions) {
    (
        SignOptions::new().clock(past),
        ValidateOptions::new().clock(past),
    )
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    secrets.insert(DEFAULT_SECRET_NAME, Secret::from_text(SECRET).unwrap());
    secrets
}

fn signed(options: &SignOptions) -> Request<&'static str> {
    let mut request = Request::post("https://host.example/orders?page=2")
        .header("content-type", "application/json")
        .body(r#"{"month":11}"#)
        .unwrap();
    sign_request(&mut request, &secrets(), options).unwrap();
    request
}

fn sign_and_validate(sign: SignOptions, validate: ValidateOptions) {
    let validate = validate.authorities(["host.example"]);
    validate.check().unwrap();
    let mut request = signed(&sign);
    validate_auth(&request, &secrets(), &validate).unwrap();
    *request.body_mut() = r#"{"month":12}"#;
    let error = validate_auth(&request, &secrets(), &validate).unwrap_err();
    assert_eq!(error.kind(), Kind::WrongDigest);

    let unsigned = Request::get("https://host.example/").body("").unwrap();
    let error = validate_auth(&unsigned, &secrets(), &validate).unwrap_err();
    assert_eq!(error.kind(), Kind::MissingSignature);
}

/// It has the real time: a host with another clock finds the signature in the future, or stale.
fn clock_of_the_system() {
    let (sign, validate) = given_clock();
    let refusal = |sign, validate| {
        let error = validate_auth(&signed(&sign), &secrets(), &validate).unwrap_err();
        error.kind()
    };
    assert_eq!(refusal(SignOptions::new(), validate), Kind::InFuture);
    assert_eq!(refusal(sign, ValidateOptions::new()), Kind::Stale);
    let of_2100 = ValidateOptions::new().at(UNIX_EPOCH + Duration::from_secs(4_102_444_800));
    assert_eq!(refusal(SignOptions::new(), of_2100), Kind::Stale);
}

fn random_numbers() {
    assert_ne!(generate_secret().unwrap(), generate_secret().unwrap());
    let input = |request: Request<&str>| request.headers()["signature-input"].clone();
    let at = SignOptions::new().at(past());
    assert_ne!(input(signed(&at)), input(signed(&at)));
}

fn guard() {
    let (sign, validate) = given_clock();
    for (guard, sign, validate) in [
        (
            MemoryReplayGuard::new(),
            SignOptions::new(),
            ValidateOptions::new(),
        ),
        (MemoryReplayGuard::with_clock(past), sign, validate),
    ] {
        let request = signed(&sign);
        let validated = || validate_auth(&request, &secrets(), &validate).unwrap();
        guard.first_use(validated()).unwrap();
        let error = guard.first_use(validated()).unwrap_err();
        assert_eq!(error.kind(), Kind::Replayed);
    }
    let late = MemoryReplayGuard::with_clock(|| past() + Duration::from_secs(1));
    let (sign, validate) = given_clock();
    let validated = validate_auth(&signed(&sign), &secrets(), &validate).unwrap();
    let error = late.first_use(validated).unwrap_err();
    assert_eq!(error.kind(), Kind::BeforeGuardStart);
}

fn layer() {
    let (sign, validate) = given_clock();
    let handler = service_fn(|request: Request<Full<Bytes>>| async move {
        assert!(request.extensions().get::<Validated>().is_some());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let host = ValidateAuthLayer::new(secrets(), validate).layer(handler);
    let request = || signed(&sign).map(Full::from);
    let first = request();
    let mut changed = request();
    *changed.uri_mut() = "https://host.example/orders?page=3".parse().unwrap();
    for (request, refusal) in [
        (first.clone(), None),
        (first, Some(Kind::Replayed)),
        (changed, Some(Kind::WrongMac)),
        (request(), None),
    ] {
        let response = at_once(host.clone().oneshot(request)).unwrap();
        assert_eq!(response.extensions().get::<Kind>().copied(), refusal);
    }
}

/// Nothing here has to wait.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the layer waits"),
    }
}

fn app_instance() {
    let payload = URL_SAFE_NO_PAD
        .encode(r#"{"instanceId":"i1","appDefId":"a1","signDate":"2001-09-09T01:46:40.000Z"}"#);
    let secret = Secret::from_text(SECRET).unwrap();
    let mac = URL_SAFE_NO_PAD.encode(secret.mac(payload.as_bytes()).into_bytes());
    let text = format!("{mac}.{payload}");
    let secrets = secret.into();
    let options = AppInstanceOptions::new().app_id("a1");
    let instance = AppInstance::parse(&text, &secrets, &options.clone().clock(past)).unwrap();
    assert_eq!(instance.instance_id(), "i1");
    let error = AppInstance::parse(&text, &secrets, &options).unwrap_err();
    assert_eq!(error.kind(), AppInstanceErrorKind::Stale);
}

/// A runtime of WASI has them; `wasm32-unknown-unknown` has none, and says so.
fn stores() {
    let files = FileSecrets::new("/secrets");
    let variables = EnvSecrets::new("");
    for store in [&files as &dyn SecretStore, &variables] {
        let found = store.lookup(DEFAULT_SECRET_NAME);
        if cfg!(target_os = "unknown") {
            found.unwrap_err();
            continue;
        }
        let options = SignOptions::new();
        let mut request = Request::get("https://host.example/").body("").unwrap();
        sign_request(&mut request, store, &options).unwrap();
        validate_auth(&request, &secrets(), &ValidateOptions::new()).unwrap();
        store.lookup("another").unwrap_err();
    }
}
