//! Instructions of the layer in user space, counted by `valgrind --tool=callgrind`, which emulates no SHA instructions.

use std::{
    convert::Infallible,
    env, fs,
    future::{Ready, ready},
    hint::black_box,
    pin::pin,
    process::Command,
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use axum::body::Body;
use bytes::Bytes;
use hmac_auth::{
    SecretStore, sign_request,
    signature::{RequestHead, SignatureBase, SignatureInputs},
    validate_auth,
};
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use sha2::{Digest, Sha256};
use tower::{Layer, Service, service_fn};

use crate::{
    client::sign_options,
    host::{AUTHORITY, SITES, secrets, validate_options},
    rate,
    report::Report,
    routes::{layer, replay_guard},
};

const REQUESTS: u32 = 64;

/// Most instructions that the layer may take for one request beyond buffering and hashing. Of these,
/// the proof in the extensions of the response takes 630, `private` in `Cache-Control` 350, the
/// question to the guard before the body 150, what waits for a directory 220, and the state of a
/// request that needs no proof 290. What the allocator finds makes 300 more or less.
const MAX_BEYOND_HASHING: f64 = 10_800.0;

pub(crate) fn measure(report: &mut Report) {
    println!("\n# Instructions\n");
    match count() {
        Err(reason) => println!("Not counted: {reason}."),
        Ok([hashing, validating, layer, with_recorder]) => {
            println!(
                "| POST of 1 KiB, in user space | instructions/request | beyond bare hashing |"
            );
            println!("| --- | ---: | ---: |");
            println!("| buffering, bare hashing, service | {hashing:.0} | |");
            println!(
                "| buffering, `validate_auth`, replay guard, service | {validating:.0} | {:.0} |",
                validating - hashing
            );
            println!("| layer, service | {layer:.0} | {:.0} |", layer - hashing);
            if cfg!(feature = "metrics") {
                println!(
                    "| layer, service, recorder of Prometheus | {with_recorder:.0} | {:.0} |",
                    with_recorder - hashing
                );
            }
            report.count_at_most(
                "instructions of the layer beyond bare hashing",
                layer - hashing,
                MAX_BEYOND_HASHING,
            );
        }
    }
}

/// For each request, of each variant of [`run`].
fn count() -> Result<[f64; 4], String> {
    let counts = env::temp_dir().join(format!("hmac-auth-load-{}", std::process::id()));
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=load::instructions::counted_run",
        ])
        .arg("--dump-after=load::instructions::counted_run")
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(env::current_exe().expect("the path of this program"))
        .args(["--role", "counted"])
        .output()
        .map_err(|_| "there is no `valgrind`".to_owned())?;
    if !output.status.success() {
        return Err(format!(
            "valgrind has failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let dumps = [1, 2, 3, 4, 5, 6, 7, 8].map(|run| counts.with_extension(run.to_string()));
    let texts = dumps
        .each_ref()
        .map(|dump| fs::read_to_string(dump).unwrap_or_default());
    for file in dumps.iter().chain([&counts]) {
        let _ = fs::remove_file(file);
    }
    let total = |text: &String| {
        text.lines()
            .find_map(|line| line.strip_prefix("totals: ")?.parse::<f64>().ok())
    };
    // The first four have warmed up.
    match [4, 5, 6, 7].map(|run| total(&texts[run])) {
        [
            Some(hashing),
            Some(validating),
            Some(layer),
            Some(with_recorder),
        ] => Ok(
            [hashing, validating, layer, with_recorder].map(|total| total / f64::from(REQUESTS))
        ),
        _ => Err("callgrind has counted nothing".to_owned()),
    }
}

/// Each variant twice, because the first time it warms up.
///
/// All requests are signed in one second. Otherwise, the guards would begin as many seconds as the run takes, and the counts would
/// depend on what else the machine does.
pub(crate) fn run() {
    let (secrets, guard, mut with_layer) = (
        secrets(),
        replay_guard(),
        layer().layer(service_fn(service)),
    );
    let created = SystemTime::now();
    let recorder = PrometheusBuilder::new().build_recorder();
    let secret = secrets
        .lookup(SITES[0])
        .expect("the secret is there")
        .current()
        .clone();
    for _ in 0..2 {
        let requests = self::requests(created);
        let mut texts = requests
            .iter()
            .map(signature_base)
            .collect::<Vec<_>>()
            .into_iter();
        let hashing = service_fn(|request: Request<Body>| {
            let text = texts.next().expect("a text for each request");
            let secret = &secret;
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a whole body").to_bytes();
                black_box(Sha256::digest(&body));
                black_box(secret.mac(text.as_bytes()).into_bytes());
                service(Request::from_parts(parts, body.into())).await
            }
        });
        counted_run(hashing, requests);

        let options = validate_options();
        let validating = service_fn(async |request: Request<Body>| {
            let (parts, body) = request.into_parts();
            let request = Request::from_parts(
                parts,
                body.collect().await.expect("a whole body").to_bytes(),
            );
            let validated = validate_auth(&request, &secrets, &options)
                .and_then(|validated| guard.first_use(validated));
            black_box(validated.expect("a genuine request"));
            service(request.map(Body::from)).await
        });
        counted_run(validating, self::requests(created));

        counted_run(&mut with_layer, self::requests(created));

        let requests = self::requests(created);
        metrics::with_local_recorder(&recorder, || counted_run(&mut with_layer, requests));
    }
}

/// Callgrind finds it by this name.
#[inline(never)]
fn counted_run<S>(mut service: S, requests: Vec<Request<Body>>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    for request in requests {
        let mut response = pin!(service.call(request));
        let Poll::Ready(response) = response
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("nothing here waits")
        };
        assert_eq!(
            response.map(|response| response.status()),
            Ok(http::StatusCode::OK)
        );
    }
}

fn service(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    black_box(request);
    let mut response = Response::new(Body::empty());
    // As nearly all answers have, so that a layer is not charged with the first field of a map.
    let text = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(CONTENT_TYPE, text);
    ready(Ok(response))
}

fn requests(created: SystemTime) -> Vec<Request<Body>> {
    let (secrets, options) = (secrets(), sign_options().at(created));
    let one = |_| {
        let mut request = Request::post(format!("https://{AUTHORITY}/layer"))
            .header("content-type", "application/json")
            .header("content-length", "1024")
            .header("user-agent", "load")
            .body(rate::body())
            .expect("a valid request");
        sign_request(&mut request, &secrets, &options).expect("signing works");
        // As servers see it.
        *request.uri_mut() = http::Uri::from_static("/layer");
        request
            .headers_mut()
            .insert("host", http::HeaderValue::from_static(AUTHORITY));
        request.map(|body: Bytes| body.into())
    };
    (0..REQUESTS).map(one).collect()
}

/// The text under the MAC.
fn signature_base(request: &Request<Body>) -> String {
    let input = SignatureInputs::new(request.headers())
        .next()
        .expect("one signature")
        .expect("a well-formed one");
    let base = SignatureBase::of_request(&RequestHead::from(request), &input)
        .expect("all components are there");
    base.as_str().to_owned()
}
