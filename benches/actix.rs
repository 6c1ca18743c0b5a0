//! Instructions of the middleware for actix, beside those of the layer for tower; counted by `valgrind --tool=callgrind`.
//!
//! A route that is not protected costs the copy of its head into the types of `http` 1, and a look at the exceptions. Callgrind
//! emulates no SHA instructions.

use std::{
    convert::Infallible,
    env,
    future::ready,
    process::{Command, ExitCode},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_web::{
    Error, HttpResponse,
    dev::{Service, ServiceRequest, Transform, fn_service},
    http::Method,
    test::TestRequest,
};
use bytes::Bytes;
use futures_executor::block_on;
use hmac_auth::{
    DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret, SignOptions, ValidateOptions,
    actix::ValidateAuth, sign_request, tower::ValidateAuthLayer,
};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

#[path = "common/callgrind.rs"]
mod callgrind;

/// How often each job is done.
const COUNT: u16 = 200;

const ROWS: [&str; 3] = [
    "a route that is not protected",
    "a signed request",
    "a signed request, with the layer for tower",
];

fn main() -> ExitCode {
    let has = |wanted| env::args().any(|arg| arg == wanted);
    if has("--measured") {
        for mut job in jobs() {
            // The first time, it warms up.
            job();
            measured_run(&mut job);
        }
    } else if !has("--bench") {
        println!("instructions are counted by `cargo bench --bench actix` only");
    } else if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are not counted: there is no `valgrind`");
    } else {
        let counts = callgrind::count("actix::measured_run", jobs().len());
        println!("| instructions beyond the handler | GET | POST 1 KiB |");
        println!("| --- | ---: | ---: |");
        let (get, post) = counts.split_at(counts.len() / 2);
        let beyond = |counts: &[f64], row: usize| {
            let handler = if row < 2 { counts[0] } else { counts[4] };
            let job = if row < 2 { row + 1 } else { 3 };
            (counts[job] - handler) / f64::from(COUNT)
        };
        for (row, name) in ROWS.iter().enumerate() {
            println!(
                "| {name} | {:.0} | {:.0} |",
                beyond(get, row),
                beyond(post, row)
            );
        }
    }
    ExitCode::SUCCESS
}

type Job = Box<dyn FnMut()>;

/// Callgrind finds it by this name.
#[inline(never)]
fn measured_run(job: &mut Job) {
    job();
}

/// First with a GET, then with a POST: the handler of actix alone, what actix has in [`ROWS`], the layer, and its handler alone.
fn jobs() -> Vec<Job> {
    let of = |body| {
        let handler = fn_service(|request: ServiceRequest| {
            ready(Ok::<_, Error>(
                request.into_response(HttpResponse::Ok().finish()),
            ))
        });
        let validate = ValidateAuth::new(secrets(), options(), Arc::new(guard()));
        let open = validate.clone().unprotected([
            (http::Method::GET, "/orders"),
            (http::Method::POST, "/orders"),
        ]);
        let layer = ValidateAuthLayer::new(secrets(), options()).replay_guard(guard());
        let of_tower = service_fn(async |request: Request<Full<Bytes>>| {
            drop(request);
            Ok::<_, Infallible>(Response::new(Bytes::new()))
        });
        let wrapped = |validate: &ValidateAuth| {
            block_on(validate.new_transform(handler.clone())).expect("a middleware")
        };
        [
            job(requests(body), actix_request, handler.clone()),
            job(requests(body), actix_request, wrapped(&open)),
            job(requests(body), actix_request, wrapped(&validate)),
            tower_job(requests(body), layer.layer(of_tower)),
            tower_job(requests(body), of_tower),
        ]
    };
    let post: &'static [u8] = &[b'x'; 1024];
    of(b"").into_iter().chain(of(post)).collect()
}

fn job<R: 'static>(
    requests: [Vec<Request<Bytes>>; 2],
    make: fn(Request<Bytes>) -> R,
    service: impl Service<R, Error = Error> + 'static,
) -> Job {
    let batches = requests.map(|batch| batch.into_iter().map(make).collect::<Vec<_>>());
    let mut batches = batches.into_iter();
    Box::new(move || {
        for request in batches.next().expect("a batch") {
            assert!(block_on(service.call(request)).is_ok());
        }
    })
}

fn tower_job(
    requests: [Vec<Request<Bytes>>; 2],
    service: impl tower::Service<Request<Full<Bytes>>, Response = Response<Bytes>> + Clone + 'static,
) -> Job {
    let mut batches = requests.into_iter();
    Box::new(move || {
        for request in batches.next().expect("a batch") {
            let answer = service.clone().oneshot(request.map(Full::new));
            assert!(block_on(answer).is_ok_and(|response| response.status() == 200));
        }
    })
}

fn actix_request(request: Request<Bytes>) -> ServiceRequest {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).expect("a method");
    let mut made = TestRequest::with_uri(&request.uri().to_string()).method(method);
    for (name, value) in request.headers() {
        made = made.append_header((name.as_str(), value.as_bytes()));
    }
    let mut made = made.to_srv_request();
    if !request.body().is_empty() {
        made.set_payload(request.into_body().into());
    }
    made
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text("a secret that only the benches know").expect("long enough");
    secrets.insert(DEFAULT_SECRET_NAME, secret);
    secrets
}

fn options() -> ValidateOptions {
    ValidateOptions::new()
        .authorities(["host.example"])
        .at(now())
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new().started_at(now())
}

/// Two batches, as HTTP/1.1 brings them.
fn requests(body: &'static [u8]) -> [Vec<Request<Bytes>>; 2] {
    let options = SignOptions::new().key_id("site-a").at(now());
    let secrets = secrets();
    let signed = |_| {
        let mut request = Request::get("/orders?page=2")
            .header("host", "host.example")
            .header("user-agent", "bench/1.0")
            .header("accept", "*/*")
            .body(Bytes::from_static(body))
            .expect("a request");
        if !body.is_empty() {
            *request.method_mut() = http::Method::POST;
            let headers = request.headers_mut();
            headers.insert("content-type", "application/json".parse().expect("a value"));
            headers.insert("content-length", body.len().into());
        }
        sign_request(&mut request, &secrets, &options).expect("signing works");
        request
    };
    [(); 2].map(|()| (0..COUNT).map(signed).collect())
}
