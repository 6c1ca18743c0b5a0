//! The replay guard with three million live signatures: memory, time, two threads, and the longest pause.
//!
//! Spread: the signatures of 61 seconds are live at once, then the clock goes on for some seconds more, so that the guard drops
//! old ones. Burst: all are of one second, and are dropped together.
//!
//! The machine may be busy, so each run claims the same signatures in the same order, and each figure is made of the shortest
//! times of all runs, for each piece of them or, for the pause, for each claim. `cargo bench --bench guard -- --check` fails
//! if the memory or the pause misses its goal; the other figures depend on what else the machine does. Two threads compare with
//! one only if both have a core: the rate of two threads with a guard each shows whether they had, and is the most there can be.
//!
//! Each guard hashes with a key of its own, so a table grows at another claim in each run, and the shortest time of that claim
//! does not have it. The longest claim of the calmest run has it, and what the system took besides. So its gate leaves the system
//! a few time slices. If all places were in one table that grows, a claim would wait for three million of them to move: that takes
//! longer.

use std::{
    env,
    future::Future,
    hint,
    ops::Range,
    pin::pin,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hmac_auth::{
    DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, ReplayGuard, ReplayId, Secret,
    SignOptions, ValidateOptions, Validated, sign_request, validate_auth,
};
use http::Request;

use crate::live_bytes::live_bytes;

#[path = "common/live_bytes.rs"]
mod live_bytes;

/// How many signatures are live at most.
const LIVE: usize = 3_000_000;

/// For so many seconds a signature is fresh, with that of `created`.
const WINDOW: u32 = 61;

/// For so many seconds the guard drops old signatures.
const AFTERWARDS: u64 = 3;

/// How many consumers there are, where there are many.
const CONSUMERS: usize = 500_000;

/// So many claims are timed together: in less than the time slices of the system.
const PIECE: usize = 1_000;

/// After so many, a thread says how far it is.
const STEP: usize = 100;

const START: u64 = 1_800_000_000;
const RUNS: usize = 4;
const PROOFS: usize = 50_000;

const MAX_BYTES: f64 = 15.5;
const MAX_NANOSECONDS: f64 = 120.0;
const MIN_RATE_OF_TWO: f64 = 1.6;
const MAX_PAUSE: f64 = 1_000.0;
const MAX_PAUSE_WITH_THE_SYSTEM: f64 = 10_000.0;

fn main() -> ExitCode {
    let has = |wanted| env::args().any(|arg| arg == wanted);
    // `cargo test --benches` only wants to see it run.
    let live = if has("--bench") { LIVE } else { LIVE / 1_000 };
    let maker = Maker::new();
    let spread = maker.seconds(WINDOW.into(), live / WINDOW as usize, AFTERWARDS);
    let mut goals = measured("spread", &spread);
    goals.extend(with_many_consumers(&spread));
    drop(spread);
    goals.extend(measured("burst", &maker.seconds(1, live, AFTERWARDS)));
    let proofs = if has("--bench") { PROOFS } else { 10 };
    goals.push(Goal {
        what: "ns to copy a proof, claim it, and drop it".to_owned(),
        value: with_proof(&maker, proofs),
        limit: Limit::None,
        is_checked: false,
    });
    goals.push(Goal {
        what: "ns until the other thread has read what one has written".to_owned(),
        value: passed_on(),
        limit: Limit::None,
        is_checked: false,
    });
    println!("| with {live} live signatures | | goal |");
    println!("| --- | ---: | --- |");
    for goal in &goals {
        goal.print();
    }
    let is_missed = |goal: &Goal| goal.is_checked && !goal.is_reached();
    if has("--check") && goals.iter().any(is_missed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn measured(case: &str, seconds: &Seconds) -> Vec<Goal> {
    let bytes = bytes_per_id(seconds);
    let pieces: Vec<&[ReplayId]> = seconds
        .live
        .iter()
        .flat_map(|ids| ids.chunks(PIECE))
        .collect();
    let mut one = vec![Duration::MAX; pieces.len()];
    let mut two = one.clone();
    let mut apart = one.clone();
    for _ in 0..RUNS {
        shorten(&mut one, claimed_by_one(&pieces));
        let shared = guard();
        shorten(&mut two, claimed_by_two(&pieces, [&shared, &shared]));
        drop(shared);
        shorten(&mut apart, claimed_by_two(&pieces, [&guard(), &guard()]));
    }
    let per_claim = one.iter().sum::<Duration>().as_secs_f64()
        / as_f64(seconds.live.iter().map(Vec::len).sum());
    let goal = |what, value, limit, is_checked| Goal {
        what: format!("{case}: {what}"),
        value,
        limit,
        is_checked,
    };
    let mut goals = vec![
        goal(
            "bytes for a signature",
            bytes,
            Limit::AtMost(MAX_BYTES),
            true,
        ),
        goal(
            "ns for a claim, one thread",
            per_claim * 1e9,
            Limit::AtMost(MAX_NANOSECONDS),
            false,
        ),
        goal(
            "rate of two threads / one",
            rate_of_two(&one, &two),
            Limit::AtLeast(MIN_RATE_OF_TWO),
            false,
        ),
        goal(
            "the same, if each has a guard",
            rate_of_two(&one, &apart),
            Limit::None,
            false,
        ),
    ];
    let claims: Vec<_> = seconds.all().map(|id| (id, DEFAULT_SECRET_NAME)).collect();
    goals.extend(longest_claims(case, &claims));
    goals
}

/// Nearly each of these signatures has a consumer of its own, after whom the guard clears up.
fn with_many_consumers(seconds: &Seconds) -> [Goal; 2] {
    let names: Vec<String> = (0..CONSUMERS).map(|number| number.to_string()).collect();
    let one_in_six = seconds.all().step_by(LIVE / CONSUMERS);
    let claims: Vec<_> = one_in_six
        .zip(names.iter().map(String::as_str).cycle())
        .collect();
    longest_claims("many consumers", &claims)
}

/// The longest claim by the shortest times of all runs, and that of the calmest run.
fn longest_claims(case: &str, claims: &[(&ReplayId, &str)]) -> [Goal; 2] {
    let mut shortest = vec![Duration::MAX; claims.len()];
    let mut calmest = Duration::MAX;
    let longest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    for _ in 0..RUNS {
        let times = timed_each(claims);
        calmest = calmest.min(longest(&times));
        shorten(&mut shortest, times);
    }
    [
        Goal {
            what: format!("{case}: µs for the longest claim"),
            value: longest(&shortest).as_secs_f64() * 1e6,
            limit: Limit::AtMost(MAX_PAUSE),
            is_checked: true,
        },
        Goal {
            what: format!("{case}: µs for the longest claim of the calmest run"),
            value: calmest.as_secs_f64() * 1e6,
            limit: Limit::AtMost(MAX_PAUSE_WITH_THE_SYSTEM),
            is_checked: true,
        },
    ]
}

struct Goal {
    what: String,
    value: f64,
    limit: Limit,
    /// Whether `--check` fails without it.
    is_checked: bool,
}

enum Limit {
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_reached(&self) -> bool {
        match self.limit {
            Limit::None => true,
            Limit::AtMost(limit) => self.value <= limit,
            Limit::AtLeast(limit) => self.value >= limit,
        }
    }

    fn print(&self) {
        let limit = match self.limit {
            Limit::None => String::new(),
            Limit::AtMost(limit) => format!("at most {limit}"),
            Limit::AtLeast(limit) => format!("at least {limit}"),
        };
        let missed = if self.is_reached() { "" } else { ": missed" };
        println!("| {} | {:.2} | {limit}{missed} |", self.what, self.value);
    }
}

/// Makes proofs: only a validated request has one.
struct Maker(MemorySecrets);

/// Signatures by second.
struct Seconds {
    /// They are live together.
    live: Vec<Vec<ReplayId>>,
    /// Those of later seconds, in which the guard drops the live ones.
    afterwards: Vec<Vec<ReplayId>>,
}

impl Seconds {
    fn all(&self) -> impl Iterator<Item = &ReplayId> {
        self.live.iter().chain(&self.afterwards).flatten()
    }
}

impl Maker {
    fn new() -> Self {
        let secrets = MemorySecrets::new();
        let secret = Secret::from_text("a secret for the bench of the guard");
        secrets.insert(DEFAULT_SECRET_NAME, secret.expect("a long secret"));
        Self(secrets)
    }

    fn proof(&self, second: u64) -> Validated {
        let mut request = Request::get("https://host.example/")
            .body("")
            .expect("a request");
        let sign = SignOptions::new().at(time(second));
        sign_request(&mut request, &self.0, &sign).expect("a request to sign");
        let options = ValidateOptions::new().at(time(second));
        validate_auth(&request, &self.0, &options).expect("a valid request")
    }

    /// So many signatures in each of so many seconds, and at most as many in each second when the first ones are over.
    fn seconds(&self, live: u64, count: usize, afterwards: u64) -> Seconds {
        let ids = |second, count| {
            let ids = (0..count).map(|_| self.proof(second).replay_id().clone());
            ids.collect()
        };
        let over = START + u64::from(WINDOW);
        let fewer = count.min(LIVE / WINDOW as usize);
        Seconds {
            live: (START..START + live).map(|at| ids(at, count)).collect(),
            afterwards: (over..over + afterwards).map(|at| ids(at, fewer)).collect(),
        }
    }
}

fn time(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn guard() -> MemoryReplayGuard {
    MemoryReplayGuard::new()
        .started_at(time(START))
        .capacity(2 * LIVE)
        .capacity_per_consumer(2 * LIVE)
}

fn claim(guard: &MemoryReplayGuard, id: &ReplayId) {
    claim_for(guard, id, DEFAULT_SECRET_NAME);
}

fn claim_for(guard: &MemoryReplayGuard, id: &ReplayId, consumer: &str) {
    let answer = pin!(guard.use_once(id, consumer));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => {}
        _ => panic!("each signature is used once here"),
    }
}

/// What the guard allocates for each signature, when all are live.
fn bytes_per_id(seconds: &Seconds) -> f64 {
    let before = live_bytes();
    let guard = guard();
    for id in seconds.live.iter().flatten() {
        claim(&guard, id);
    }
    let bytes = live_bytes() - before;
    as_f64(bytes.unsigned_abs()) / as_f64(guard.len())
}

/// The time for each piece.
fn claimed_by_one(pieces: &[&[ReplayId]]) -> Vec<Duration> {
    let guard = guard();
    let claim_piece = |ids: &&[ReplayId]| {
        let start = Instant::now();
        for id in *ids {
            claim(&guard, id);
        }
        start.elapsed()
    };
    pieces.iter().map(claim_piece).collect()
}

/// The time for each piece, while another thread claims other pieces. A piece counts only if the other thread did as much
/// meanwhile: the system may have stopped it.
fn claimed_by_two(pieces: &[&[ReplayId]], guards: [&MemoryReplayGuard; 2]) -> Vec<Duration> {
    // Not in one line of the cache.
    let progress: [(AtomicUsize, [u8; 128]); 2] = [0, 0].map(|steps| (steps.into(), [0; 128]));
    let work = |this: usize| -> Vec<Duration> {
        let (guard, mine, other) = (guards[this], &progress[this].0, &progress[1 - this].0);
        let claim_piece = |ids: &&[ReplayId]| {
            let (start, before) = (Instant::now(), other.load(Ordering::Relaxed));
            for ids in ids.chunks(STEP) {
                for id in ids {
                    claim(guard, id);
                }
                mine.fetch_add(1, Ordering::Relaxed);
            }
            let time = start.elapsed();
            let at_once = other.load(Ordering::Relaxed) - before;
            if at_once >= ids.len() / STEP * 4 / 5 {
                time
            } else {
                Duration::MAX
            }
        };
        let pieces = pieces.iter().skip(this).step_by(2);
        pieces.map(claim_piece).collect()
    };
    let work = &work;
    let [even, odd] = thread::scope(|scope| {
        let threads = [0, 1].map(|this| scope.spawn(move || work(this)));
        threads.map(|thread| thread.join().expect("no panic"))
    });
    let of_piece = |piece: usize| [&even, &odd][piece % 2][piece / 2];
    (0..pieces.len()).map(of_piece).collect()
}

/// Two threads do twice as much if a piece takes as long in each of them as alone.
fn rate_of_two(one: &[Duration], two: &[Duration]) -> f64 {
    let counted = || one.iter().zip(two).filter(|(_, two)| **two < Duration::MAX);
    let one: Duration = counted().map(|(one, _)| one).sum();
    let two: Duration = counted().map(|(_, two)| two).sum();
    2.0 * one.as_secs_f64() / two.as_secs_f64()
}

/// The time of each claim.
fn timed_each(claims: &[(&ReplayId, &str)]) -> Vec<Duration> {
    let guard = guard();
    let one = |(id, consumer): &(&ReplayId, &str)| {
        let start = Instant::now();
        claim_for(&guard, id, consumer);
        start.elapsed()
    };
    claims.iter().map(one).collect()
}

/// The shortest time, in ns, for what a host without a layer does with a proof, beside its validation.
fn with_proof(maker: &Maker, count: usize) -> f64 {
    let proofs: Vec<_> = (0..count).map(|_| maker.proof(START)).collect();
    let mut shortest = vec![Duration::MAX; count.div_ceil(PIECE)];
    for _ in 0..RUNS {
        let guard = guard();
        let claim_piece = |proofs: &[Validated]| {
            let start = Instant::now();
            for proof in proofs {
                guard.first_use(proof.clone()).expect("the first use");
            }
            start.elapsed()
        };
        shorten(
            &mut shortest,
            proofs.chunks(PIECE).map(claim_piece).collect(),
        );
    }
    shortest.iter().sum::<Duration>().as_secs_f64() * 1e9 / as_f64(count)
}

/// The shortest time, in ns, in which a number goes from one core to the other: a shared guard makes a
/// thread wait for that wherever the other one was last.
fn passed_on() -> f64 {
    let (number, last) = (AtomicUsize::new(0), RUNS * PIECE);
    // Odd numbers go there, and even ones come back.
    let answer = |numbers: Range<usize>| {
        for next in numbers.step_by(2) {
            let mut waited = 0;
            while number.load(Ordering::Acquire) != next {
                waited += 1;
                // The other thread may wait for this core.
                if waited % PIECE == 0 {
                    thread::yield_now();
                } else {
                    hint::spin_loop();
                }
            }
            number.store(next + 1, Ordering::Release);
        }
    };
    let mut shortest = Duration::MAX;
    thread::scope(|scope| {
        scope.spawn(|| answer(1..last));
        for start in (0..last).step_by(STEP) {
            let begun = Instant::now();
            answer(start..start + STEP);
            shortest = shortest.min(begun.elapsed());
        }
    });
    shortest.as_secs_f64() * 1e9 / as_f64(STEP)
}

fn shorten(shortest: &mut [Duration], times: Vec<Duration>) {
    for (shortest, time) in shortest.iter_mut().zip(times) {
        *shortest = time.min(*shortest);
    }
}

#[expect(clippy::cast_precision_loss, reason = "some millions")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
