//! What it costs to verify and read an app instance of Wix, against bare HMAC and against the TypeScript sample of Wix's
//! documentation under Node, all on the same real strings.
//!
//! Instructions are counted by `valgrind --tool=callgrind`, under which the program runs itself; callgrind emulates no SHA
//! instructions. For times, the contenders take turns within each round, and Node stays one process whose JIT is warm. Without
//! valgrind or Node, what needs it is left out. `cargo bench --bench app_instances -- --check` fails if a goal is missed.
//!
//! A processor with SHA instructions shows both cases: Node and AWS-LC do without them if `OPENSSL_ia32cap=:~0x20000000` is set,
//! the default engine if it is built with `RUSTFLAGS='--cfg sha2_backend="soft"'`.

use std::{
    env,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    time::{Duration, Instant, UNIX_EPOCH},
};

use hmac_auth::{
    Secret, SecretSet,
    wix::{AppInstance, AppInstanceOptions},
};
use serde_json::{Value, json};

#[path = "common/callgrind.rs"]
mod callgrind;
#[path = "common/turns.rs"]
mod turns;

/// How many times the instructions of bare HMAC parsing may take, on average.
const MAX_INSTRUCTIONS: f64 = 1.45;

/// How many strings are parsed at least while Node parses one.
const MIN_SPEED: f64 = 1.75;

/// The same with AWS-LC on a processor without SHA instructions.
const MIN_SPEED_AWS_LC_WITHOUT_SHA: f64 = 3.0;

/// How often each operation is done while its instructions are counted.
const COUNT: usize = 16;

/// How long each contender runs before it is measured, so that the JIT has compiled all of it.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long the contenders take turns.
const TIME: Duration = Duration::from_secs(10);

/// How long one turn is about: short against the time slices of the system, and so long that Node has garbage to collect in most.
const TURN: Duration = Duration::from_millis(6);

fn main() -> ExitCode {
    let has = |wanted| env::args().any(|arg| arg == wanted);
    let samples = Sample::all();
    if has("--measured") {
        for sample in &samples {
            measured_run(&|| sample.parse());
            measured_run(&|| sample.mac());
        }
        return ExitCode::SUCCESS;
    }
    if !has("--bench") {
        // `cargo test --benches` only wants to see it run.
        speeds(&samples, Duration::ZERO, Duration::ZERO);
        println!("app instances are measured by `cargo bench --bench app_instances` only");
        return ExitCode::SUCCESS;
    }
    let mut goals = Vec::new();
    if Command::new("valgrind").arg("--version").output().is_ok() {
        goals.push(print_instructions(&samples));
    } else {
        println!("instructions are not counted: there is no `valgrind`");
    }
    println!();
    goals.extend(print_speeds(&speeds(&samples, WARM_UP, TIME)));
    println!();
    for Goal {
        what,
        value,
        is_reached,
    } in &goals
    {
        println!(
            "goal: {what}: {value:.3}, {}",
            if *is_reached { "reached" } else { "missed" }
        );
    }
    if has("--check") && goals.iter().any(|goal| !goal.is_reached) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

struct Goal {
    what: String,
    value: f64,
    is_reached: bool,
}

/// A published app instance and the secret it is signed with.
struct Sample {
    name: String,
    text: String,
    payload: String,
    secret: String,
    secrets: SecretSet,
    options: AppInstanceOptions,
}

impl Sample {
    /// Those that verify, except for the one whose secret is too short for this crate.
    fn all() -> Vec<Self> {
        let samples: Vec<Value> =
            serde_json::from_str(include_str!("../tests/data/wix-app-instances.json"))
                .expect("the samples are JSON");
        // When the youngest had not expired yet: 2021-12-27T12:00:00Z.
        let now = UNIX_EPOCH + Duration::from_secs(1_640_606_400);
        let sample = |sample: &Value| {
            let of = |name: &str| sample[name].as_str().expect("a string").to_owned();
            let (text, secret) = (of("instance"), of("secret"));
            let secrets = Secret::from_text(&secret).ok()?.into();
            let payload = text.split_once('.').expect("two parts").1.to_owned();
            let options = AppInstanceOptions::new().max_age(Duration::MAX).at(now);
            (sample["verifies"] == true).then(|| Self {
                name: of("name"),
                text,
                payload,
                secret,
                secrets,
                options,
            })
        };
        samples.iter().filter_map(sample).collect()
    }

    fn parse(&self) -> AppInstance {
        AppInstance::parse(&self.text, &self.secrets, &self.options).expect("a valid app instance")
    }

    /// What nobody can leave out, by the same engine and with a key that is ready.
    fn mac(&self) -> [u8; 32] {
        self.secrets
            .current()
            .mac(self.payload.as_bytes())
            .into_bytes()
    }
}

/// Runs it once without counting, then [`COUNT`] times in [`counted_run`].
fn measured_run<T>(work: &dyn Fn() -> T) {
    black_box(work());
    counted_run(&|| {
        for _ in 0..COUNT {
            black_box(work());
        }
    });
}

/// Callgrind finds it by this name.
#[inline(never)]
fn counted_run(work: &dyn Fn()) {
    work();
}

/// For each sample, the instructions of one `parse` and of one `mac`.
#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn count_instructions(samples: &[Sample]) -> Vec<[f64; 2]> {
    let counts = callgrind::count("app_instances::counted_run", 2 * samples.len());
    counts
        .chunks(2)
        .map(|pair| [pair[0] / COUNT as f64, pair[1] / COUNT as f64])
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn print_instructions(samples: &[Sample]) -> Goal {
    println!("Callgrind emulates no SHA instructions.\n");
    println!(
        "| instructions | bytes | `AppInstance::parse` | bare HMAC | ratio |\n| --- | ---: | ---: | ---: | ---: |"
    );
    let counts = count_instructions(samples);
    for (sample, [parse, mac]) in samples.iter().zip(&counts) {
        println!(
            "| {} | {} | {parse:.0} | {mac:.0} | {:.3} |",
            sample.name,
            sample.text.len(),
            parse / mac
        );
    }
    let mean =
        |of: &dyn Fn(&[f64; 2]) -> f64| counts.iter().map(of).sum::<f64>() / counts.len() as f64;
    let (parse, mac, ratio) = (
        mean(&|count| count[0]),
        mean(&|count| count[1]),
        mean(&|[parse, mac]| parse / mac),
    );
    println!("| average | | {parse:.0} | {mac:.0} | {ratio:.3} |");
    Goal {
        what: format!(
            "instructions over those of bare HMAC, on average at most {MAX_INSTRUCTIONS}"
        ),
        value: ratio,
        is_reached: ratio <= MAX_INSTRUCTIONS,
    }
}

/// Something that goes over all samples as often as it is told.
struct Contender<'a> {
    name: String,
    passes: Box<dyn FnMut(u32) -> Duration + 'a>,
    count: u32,
}

impl<'a> Contender<'a> {
    fn new(name: impl Into<String>, passes: impl FnMut(u32) -> Duration + 'a) -> Self {
        Self {
            name: name.into(),
            passes: Box::new(passes),
            count: 1,
        }
    }

    fn in_process<T>(name: &str, samples: &'a [Sample], work: impl Fn(&Sample) -> T + 'a) -> Self {
        Self::new(name, move |passes| {
            let start = Instant::now();
            for _ in 0..passes {
                for sample in samples {
                    black_box(work(black_box(sample)));
                }
            }
            start.elapsed()
        })
    }

    fn take_turn(&mut self) -> Duration {
        // What the one before has left in the caches must not matter, nor that Node was asleep.
        (self.passes)(self.count.div_ceil(16));
        (self.passes)(self.count)
    }
}

/// Strings per second of each contender: ours, bare HMAC and, if it is there, Node.
#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn speeds(samples: &[Sample], warm_up: Duration, time: Duration) -> Vec<(String, f64)> {
    let mut contenders = vec![
        Contender::in_process("hmac-auth", samples, Sample::parse),
        Contender::in_process("bare HMAC", samples, Sample::mac),
    ];
    match Node::start(samples) {
        Some(mut node) => contenders.push(Contender::new(
            format!("Node {}", node.version),
            move |passes| node.passes(passes),
        )),
        None => println!("there is no `node` to compare with"),
    }
    for contender in &mut contenders {
        let start = Instant::now();
        while start.elapsed() < warm_up {
            (contender.passes)(100);
        }
        while !warm_up.is_zero() && contender.take_turn() < TURN {
            contender.count *= 2;
        }
    }
    let medians = turns::medians(&mut contenders, time, Contender::take_turn);
    let speed = |(contender, median): (Contender, Duration)| {
        (
            contender.name,
            f64::from(contender.count) * samples.len() as f64 / median.as_secs_f64(),
        )
    };
    contenders.into_iter().zip(medians).map(speed).collect()
}

/// The goal is about Node, which comes last and may be absent.
fn print_speeds(speeds: &[(String, f64)]) -> Option<Goal> {
    let engine = if cfg!(feature = "fips") {
        "the FIPS module of AWS-LC"
    } else if cfg!(feature = "aws-lc-rs") {
        "AWS-LC"
    } else {
        "the default engine"
    };
    println!("With {engine}.\n\n| strings per second | | hmac-auth / it |\n| --- | ---: | ---: |");
    let ours = speeds[0].1;
    for (name, speed) in speeds {
        println!("| {name} | {speed:.0} | {:.3} |", ours / speed);
    }
    let value = ours / speeds.get(2)?.1;
    let is_aws_lc = cfg!(any(feature = "fips", feature = "aws-lc-rs"));
    let limit = if is_aws_lc && !has_sha_instructions() {
        MIN_SPEED_AWS_LC_WITHOUT_SHA
    } else {
        MIN_SPEED
    };
    Some(Goal {
        what: format!("speed over that of Node, at least {limit}"),
        value,
        is_reached: value >= limit,
    })
}

/// Whether AWS-LC and Node use the SHA instructions of this processor.
fn has_sha_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = is_x86_feature_detected!("sha") && env::var_os("OPENSSL_ia32cap").is_none();
    #[cfg(target_arch = "aarch64")]
    let has = std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// `app_instances/sample.mjs`, which does what it is told until its input ends.
struct Node {
    version: String,
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn start(samples: &[Sample]) -> Option<Self> {
        let mut process = Command::new("node")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/benches/app_instances/sample.mjs"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let (input, output) = (
            process.stdin.take(),
            BufReader::new(process.stdout.take().expect("its output is piped")),
        );
        let mut node = Self {
            version: String::new(),
            process,
            input,
            output,
        };
        let strings: Value = samples
            .iter()
            .map(|sample| json!([sample.text, sample.secret]))
            .collect();
        let answer: Value =
            serde_json::from_str(&node.ask(&strings.to_string())).expect("an answer in JSON");
        let instance_ids: Value = samples
            .iter()
            .map(|sample| sample.parse().instance_id().to_owned())
            .collect();
        assert_eq!(
            answer["instanceIds"], instance_ids,
            "Node and this crate have not read the same"
        );
        answer["version"]
            .as_str()
            .expect("the version of Node")
            .clone_into(&mut node.version);
        Some(node)
    }

    fn passes(&mut self, count: u32) -> Duration {
        let answer = self.ask(&count.to_string());
        Duration::from_nanos(answer.trim_end().parse().expect("nanoseconds"))
    }

    fn ask(&mut self, line: &str) -> String {
        let mut answer = String::new();
        let input = self.input.as_mut().expect("it is open until the end");
        writeln!(input, "{line}")
            .and_then(|()| self.output.read_line(&mut answer))
            .expect("Node answers");
        answer
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
