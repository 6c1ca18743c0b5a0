//! What a consumer costs that the cache of a directory remembers, beside the cache alone: instructions, counted by
//! `valgrind --tool=callgrind`.
//!
//! `cargo bench --bench directory -- --check` fails if the goal is missed. It is a program of its own, because more code in
//! `instructions` would change what the compiler makes of the code there.

use std::{
    env,
    hint::black_box,
    pin::pin,
    process::{Command, ExitCode},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac_auth::{
    CachedDirectory, Claim, Consumer, ConsumerDirectory, DEFAULT_DIRECTORY_CAPACITY,
    DEFAULT_REVOCATION_TIME, FindConsumer, MemorySecrets, Secret, SecretStore, SignOptions,
    ValidateOptions, Validated, sign_request, validate_auth,
};
use http::Request;
use moka::sync::Cache;

#[path = "common/callgrind.rs"]
mod callgrind;

/// How many hits are counted: the cache does some of its work once for many of them.
const HITS: usize = 1_024;

/// Most instructions that a hit may take beyond `get` of the cache.
const MAX_BEYOND_GET: f64 = 600.0;

const AUTHORITY: &str = "api.example.com";

/// The key id, and the host's name of the secret.
const KEY_ID: &str = "site-a";

type Job = Box<dyn Fn()>;

fn main() -> ExitCode {
    let has = |wanted| env::args().any(|arg| arg == wanted);
    let jobs: [(&str, Job); 4] = [
        ("`get` of moka", get()),
        ("hit in `CachedDirectory`", hit()),
        ("GET validated, listed key id", listed()),
        ("GET validated, hit in `CachedDirectory`", found()),
    ];
    if has("--measured") {
        for (_, job) in jobs {
            // Warms up.
            job();
            measured_run(&job);
        }
        return ExitCode::SUCCESS;
    }
    if !has("--bench") {
        println!("instructions are counted by `cargo bench --bench directory` only");
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are not counted: there is no `valgrind`");
        return ExitCode::SUCCESS;
    }
    let counts = callgrind::count("directory::measured_run", jobs.len());
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let costs: [f64; 4] = std::array::from_fn(|job| counts[job] / HITS as f64);
    println!("| operation | instructions |");
    println!("| --- | ---: |");
    for ((name, _), cost) in jobs.iter().zip(costs) {
        println!("| {name} | {cost:.0} |");
    }
    let [get, hit, listed, found] = costs;
    println!(
        "\nA GET with a hit takes {:.0} beyond one with a listed key id and `get`.",
        found - listed - get
    );
    let beyond = hit - get;
    let is_reached = beyond <= MAX_BEYOND_GET;
    let word = if is_reached { "reached" } else { "missed" };
    println!("\ngoal {word}: hit, beyond `get`: {beyond:.0}, at most {MAX_BEYOND_GET}");
    if has("--check") && !is_reached {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Callgrind finds it by this name.
#[inline(never)]
fn measured_run(job: &Job) {
    for _ in 0..HITS {
        job();
    }
}

/// With the limits that the cache of a directory has by default.
fn get() -> Job {
    let cache: Cache<Arc<str>, Arc<Consumer>> = Cache::builder()
        .max_capacity(DEFAULT_DIRECTORY_CAPACITY)
        .time_to_live(DEFAULT_REVOCATION_TIME)
        .build();
    cache.insert(KEY_ID.into(), Arc::new(consumer()));
    Box::new(move || {
        black_box(cache.get(black_box(KEY_ID)).expect("it was inserted"));
    })
}

fn hit() -> Job {
    let directory = directory();
    Box::new(move || {
        let consumer = now(directory.find(black_box(KEY_ID)));
        black_box(consumer.expect("it is remembered"));
    })
}

fn listed() -> Job {
    let (request, secrets) = (signed(), secrets());
    let options = options().key_ids([(KEY_ID, KEY_ID)]);
    Box::new(move || {
        black_box(validate_auth(black_box(&request), &secrets, &options).expect("a valid request"));
    })
}

fn found() -> Job {
    let (request, directory) = (signed(), directory());
    let options = options().consumer_directory();
    let validate = move |request: &Request<&'static str>| -> Validated {
        let claim = Claim::parse(request, &options).expect("a valid request");
        let head = now(claim.verify_in(&directory)).expect("a consumer that is known");
        head.finish().expect("a request without a body")
    };
    Box::new(move || {
        black_box(validate(black_box(&request)));
    })
}

/// It has been asked for the consumer already.
fn directory() -> CachedDirectory<One> {
    let directory = CachedDirectory::new(One(consumer()));
    let found = futures_executor::block_on(directory.find(KEY_ID));
    assert!(found.is_ok_and(|consumer| consumer.is_some()));
    directory
}

struct One(Consumer);

impl ConsumerDirectory for One {
    fn find(&self, _: &str) -> FindConsumer {
        FindConsumer::ready(Ok(Some(self.0.clone())))
    }
}

fn consumer() -> Consumer {
    let secrets = secrets().lookup(KEY_ID);
    Consumer::new("Shop A", secrets.expect("it is there"))
}

fn secrets() -> MemorySecrets {
    let secrets = MemorySecrets::new();
    let secret = Secret::from_text("Zx3kQm8vT1pYc5Wn7RbL0sHf2GdJ9aEuN4iXoVtKy6B");
    secrets.insert(KEY_ID, secret.expect("a secret of 43 bytes"));
    secrets
}

fn signed() -> Request<&'static str> {
    let mut request = Request::get(format!("https://{AUTHORITY}/_functions/siteStats?month=11"))
        .body("")
        .expect("a valid request");
    let options = SignOptions::new()
        .key_id(KEY_ID)
        .secret_name(KEY_ID)
        .at(noon());
    sign_request(&mut request, &secrets(), &options).expect("a signable request");
    request
}

fn options() -> ValidateOptions {
    ValidateOptions::new().authorities([AUTHORITY]).at(noon())
}

/// When all of this happens. The cache has the clock of the system, as a host does.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// The value of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    let future = pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}
