//! Instructions for each operation, counted by `valgrind --tool=callgrind`: the same on a busy machine as on an idle one.
//!
//! The program runs itself under callgrind, which counts in [`measured_run`] only and writes down the count after each run of
//! it. `cargo bench --bench instructions -- --check` fails if a goal is missed, and `--chart` draws
//! `docs/performance-chart.svg` anew.
//!
//! Callgrind emulates neither SHA instructions nor AVX-512, so that hashing here is what it is on a processor without them.

use std::{
    env, fs,
    process::{Command, ExitCode},
    time::Duration,
};

use hmac_auth::{
    AuthErrorKind, DEFAULT_SECRET_NAME, MemoryReplayGuard, MemorySecrets, Secret, SecretStore,
    SignOptions, ValidateOptions, sign_request, validate_auth,
};
use http::{HeaderValue, Request};

use crate::{
    contenders::{Contender, Job, KEY_ID, Message, Operation},
    table::Row,
};

#[path = "common/callgrind.rs"]
mod callgrind;
#[path = "common/chart.rs"]
mod chart;
#[path = "common/contenders.rs"]
mod contenders;
#[path = "common/table.rs"]
mod table;

/// Most instructions that an operation may take beyond the floor, without a body and with one.
fn max_beyond_floor(operation: Operation, body_len: usize) -> f64 {
    match (operation, body_len) {
        (Operation::Validate, 0) => 4_500.0,
        (Operation::Validate, _) => 6_000.0,
        (Operation::Sign, 0) => 5_000.0,
        (Operation::Sign, _) => 6_500.0,
    }
}

/// The chart of the guide page about performance.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance-chart.svg");

fn main() -> ExitCode {
    let has = |wanted| env::args().any(|arg| arg == wanted);
    if has("--measured") {
        for measured in &mut Plan::new().all() {
            measured.job.prepare(1);
            measured.job.run();
            measured.job.prepare(measured.count);
            measured_run(&mut *measured.job);
        }
        return ExitCode::SUCCESS;
    }
    if !has("--bench") {
        println!("instructions are counted by `cargo bench --bench instructions` only");
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions are not counted: there is no `valgrind`");
        return ExitCode::SUCCESS;
    }
    let (rows, refusals) = Plan::new().counted(&callgrind::count(
        "instructions::measured_run",
        Plan::new().all().len(),
    ));
    println!("Callgrind emulates no SHA instructions.\n");
    table::print("instructions", &rows);
    println!("\n| refused | instructions | accepted | instructions | refused / accepted |");
    println!("| --- | ---: | --- | ---: | ---: |");
    for Compared {
        refused,
        accepted,
        costs: [cost, limit],
    } in &refusals
    {
        println!(
            "| {refused} | {cost:.0} | {accepted} | {limit:.0} | {:.3} |",
            cost / limit
        );
    }
    if has("--chart") {
        fs::write(CHART, chart::draw(&rows)).expect("the chart can be written");
    }
    let missed = missed_goals(&rows, &refusals);
    println!(
        "\ngoals: {}",
        if missed.is_empty() {
            "all reached"
        } else {
            "missed"
        }
    );
    for goal in &missed {
        println!("- {goal}");
    }
    if has("--check") && !missed.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Callgrind finds it by this name.
#[inline(never)]
fn measured_run(job: &mut dyn Job) {
    job.run();
}

/// What is counted: the contenders in each row of the table, then the refusals.
struct Plan {
    rows: Vec<Row<Measured>>,
    refusals: Vec<Refusal>,
}

/// A job and how often it is done.
struct Measured {
    job: Box<dyn Job>,
    count: usize,
}

/// A refusal and what it must not cost more than.
struct Refusal {
    refused: (&'static str, Measured),
    accepted: (&'static str, Measured),
}

struct Compared {
    refused: &'static str,
    accepted: &'static str,
    costs: [f64; 2],
}

impl Plan {
    fn new() -> Self {
        let mut rows = Vec::new();
        for operation in [Operation::Validate, Operation::Sign] {
            for message in Message::all() {
                let count = count_for(&message);
                let job = |contender: Contender| {
                    Some((
                        contender,
                        Measured {
                            job: contender.job(operation, &message)?,
                            count,
                        },
                    ))
                };
                let costs = Contender::ALL.into_iter().filter_map(job).collect();
                rows.push(Row {
                    operation,
                    message,
                    costs,
                });
            }
        }
        Self {
            rows,
            refusals: refusals(),
        }
    }

    fn all(self) -> Vec<Measured> {
        let of_rows = self
            .rows
            .into_iter()
            .flat_map(|row| row.costs)
            .map(|(_, measured)| measured);
        of_rows
            .chain(
                self.refusals
                    .into_iter()
                    .flat_map(|refusal| [refusal.refused.1, refusal.accepted.1]),
            )
            .collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn counted(self, counts: &[f64]) -> (Vec<Row>, Vec<Compared>) {
        let mut counts = counts.iter();
        let mut cost = |measured: &Measured| {
            counts.next().expect("a count for each job") / measured.count as f64
        };
        let mut rows = Vec::new();
        for Row {
            operation,
            message,
            costs,
        } in self.rows
        {
            let costs = costs
                .iter()
                .map(|(contender, measured)| (*contender, cost(measured)))
                .collect();
            rows.push(Row {
                operation,
                message,
                costs,
            });
        }
        let compared = |Refusal { refused, accepted }| Compared {
            refused: refused.0,
            accepted: accepted.0,
            costs: [cost(&refused.1), cost(&accepted.1)],
        };
        (rows, self.refusals.into_iter().map(compared).collect())
    }
}

/// Sixteen is what one batch of random bytes is for.
fn count_for(message: &Message) -> usize {
    match message.body.len() {
        0..=1_024 => 16,
        1_025..=65_536 => 4,
        _ => 2,
    }
}

fn refusals() -> Vec<Refusal> {
    let [get, small, _, large] = Message::all();
    let options = contenders::validate_options;
    let changed = |message: &Message, change: &dyn Fn(&mut Request<bytes::Bytes>)| {
        let mut request = message.signed();
        change(&mut request);
        request
    };
    let field = |name: &'static str, from: &'static str, to: &'static str| {
        move |request: &mut Request<bytes::Bytes>| {
            let value = request.headers()[name]
                .to_str()
                .expect("ASCII")
                .replacen(from, to, 1);
            request
                .headers_mut()
                .insert(name, HeaderValue::try_from(value).expect("ASCII"));
        }
    };
    let signed_with = |message: &Message, secret: &str, options: SignOptions| {
        let secrets = MemorySecrets::new();
        secrets.insert(
            DEFAULT_SECRET_NAME,
            Secret::from_text(secret).expect("a long secret"),
        );
        let mut request = message.request();
        sign_request(&mut request, &secrets, &options).expect("a signable request");
        request
    };
    let forged = |message: &Message| {
        signed_with(
            message,
            "not the secret of the host",
            contenders::sign_options(),
        )
    };
    let known = options().key_ids([(KEY_ID, DEFAULT_SECRET_NAME)]);
    let unknown = contenders::sign_options().key_id("site-b");
    let long_ago = options().at(contenders::now() + Duration::from_secs(100));
    let accepted_get = || ("GET", accepted(get.signed(), options()));

    let mut all = vec![
        (
            "GET, wrong MAC",
            refused(forged(&get), options(), AuthErrorKind::WrongMac),
        ),
        (
            "GET, stale",
            refused(get.signed(), long_ago, AuthErrorKind::Stale),
        ),
        (
            "GET, no signature",
            refused(get.request(), options(), AuthErrorKind::MissingSignature),
        ),
        (
            "GET, malformed Signature-Input",
            refused(
                changed(&get, &field("signature-input", ";keyid=", ";;keyid=")),
                options(),
                AuthErrorKind::MalformedSignatureInput,
            ),
        ),
        (
            "GET, malformed Signature",
            refused(
                changed(&get, &field("signature", "=:", "=::")),
                options(),
                AuthErrorKind::MalformedSignature,
            ),
        ),
        (
            "GET, path not covered",
            refused(
                changed(&get, &field("signature-input", "@path", "accept")),
                options(),
                AuthErrorKind::NotCovered,
            ),
        ),
        (
            "GET, absent field covered",
            refused(
                changed(&get, &field("signature-input", ")", " \"absent\")")),
                options(),
                AuthErrorKind::AbsentComponent,
            ),
        ),
        (
            "GET, other authority",
            refused(
                get.signed(),
                options().authorities(["example.org"]),
                AuthErrorKind::UnlistedAuthority,
            ),
        ),
        ("GET, body added", {
            let request = get.signed().map(|_| large.request().into_body());
            refused(request, options(), AuthErrorKind::BodyNotCovered)
        }),
    ]
    .into_iter()
    .map(|refused| Refusal {
        refused,
        accepted: accepted_get(),
    })
    .collect::<Vec<_>>();

    let accepted_small = || ("POST 1 KiB", accepted(small.signed(), options()));
    all.push(Refusal {
        refused: (
            "POST 1 MiB, wrong MAC",
            refused(forged(&large), options(), AuthErrorKind::WrongMac),
        ),
        accepted: accepted_small(),
    });
    let other_body = changed(&small, &|request| {
        let body = request.body().iter().rev().copied().collect();
        *request.body_mut() = body;
    });
    all.push(Refusal {
        refused: (
            "POST 1 KiB, wrong digest",
            refused(other_body, options(), AuthErrorKind::WrongDigest),
        ),
        accepted: accepted_small(),
    });
    all.push(Refusal {
        refused: (
            "GET, unknown key id",
            refused(
                signed_with(&get, "not the secret of the host", unknown),
                known.clone(),
                AuthErrorKind::UnknownKeyId,
            ),
        ),
        accepted: ("GET, listed key id", accepted(get.signed(), known)),
    });
    all.push(replayed(&get));
    all
}

fn accepted(request: Request<bytes::Bytes>, options: ValidateOptions) -> Measured {
    validated(request, options, None)
}

fn refused(
    request: Request<bytes::Bytes>,
    options: ValidateOptions,
    kind: AuthErrorKind,
) -> Measured {
    validated(request, options, Some(kind))
}

/// Looks at the outcome beforehand, so that what is measured is the same for each.
fn validated(
    request: Request<bytes::Bytes>,
    options: ValidateOptions,
    refusal: Option<AuthErrorKind>,
) -> Measured {
    let secrets = contenders::secrets();
    assert_eq!(
        validate_auth(&request, &secrets, &options)
            .err()
            .map(|error| error.kind()),
        refusal
    );
    Measured {
        job: contenders::job(|| (), move |()| validate_auth(&request, &secrets, &options)),
        count: 16,
    }
}

/// The same request over and over, and as many different ones, both with a replay guard.
fn replayed(message: &Message) -> Refusal {
    let (secrets, options) = (contenders::secrets(), contenders::validate_options());
    let guard = || MemoryReplayGuard::new().started_at(contenders::now());
    let check = move |request: &Request<bytes::Bytes>, guard: &MemoryReplayGuard| {
        let validated = validate_auth(request, &secrets as &dyn SecretStore, &options)
            .expect("a valid request");
        guard.first_use(validated)
    };
    let (first, second) = (check.clone(), check);
    let (used, request) = (guard(), message.signed());
    first(&request, &used).expect("the first use");
    let refused = contenders::job(
        || (),
        move |()| {
            assert_eq!(
                first(&request, &used).expect_err("the second use").kind(),
                AuthErrorKind::Replayed
            );
        },
    );
    let (fresh, message) = (guard(), message.clone());
    let accepted = contenders::job(
        move || message.signed(),
        move |request| second(request, &fresh).expect("the first use"),
    );
    Refusal {
        refused: (
            "GET, replayed",
            Measured {
                job: refused,
                count: 16,
            },
        ),
        accepted: (
            "GET, replay guard",
            Measured {
                job: accepted,
                count: 16,
            },
        ),
    }
}

fn missed_goals(rows: &[Row], refusals: &[Compared]) -> Vec<String> {
    let mut missed = Vec::new();
    let mut check = |what: String, value: f64, limit: f64| {
        if value > limit {
            missed.push(format!("{what}: {value:.3}, at most {limit}"));
        }
    };
    for row in rows {
        let name = format!("{} {}", row.operation, row.message.name);
        let body_len = row.message.body.len();
        let httpsig_hyper = match body_len {
            0 => 0.35,
            // Signing also keeps what a signed response is validated with: 0.500.
            1..=1_024 => 0.51,
            _ => 1.0,
        };
        let ratio = row.ours_over(Contender::HttpsigHyper);
        check(
            format!("{name}, ours / httpsig-hyper"),
            ratio.expect("both were counted"),
            httpsig_hyper,
        );
        let cost = |contender| row.cost(contender).expect("it was counted");
        check(
            format!("{name}, ours - floor"),
            cost(Contender::Ours) - cost(Contender::Floor),
            max_beyond_floor(row.operation, body_len),
        );
    }
    for Compared {
        refused,
        accepted,
        costs: [cost, limit],
    } in refusals
    {
        // Within a thousandth: a wrong digest takes the same way as a right one to its last instructions.
        check(
            format!("refused {refused} / accepted {accepted}"),
            cost / limit,
            1.001,
        );
    }
    missed
}
