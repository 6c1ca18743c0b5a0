//! Many requests, of which one in a hundred is forged in a known way: each must get the one right answer.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use bytes::Bytes;
use hmac_auth::{AuthErrorKind, Validated};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    client::{Answer, Connection, wire},
    consumer::{Consumer, FORGERIES, Kind},
    host::{Host, block_on, secrets},
    report::Report,
    routes::layer,
};

/// One of so many requests is forged.
const FORGED_OF: u64 = 100;

const THREADS: u64 = 8;

fn kind_of(number: u64) -> Kind {
    if number % FORGED_OF != FORGED_OF / 2 {
        return Kind::Genuine;
    }
    let index = usize::try_from(number / FORGED_OF).expect("64 bits") % FORGERIES.len();
    FORGERIES[index]
}

/// How many were sent of each kind, and how many answers were wrong.
type Counts = BTreeMap<Kind, (u64, u64)>;

pub(crate) fn measure(count: u64, report: &mut Report) {
    println!("\n# Correctness");
    let over_sockets = count / 10;
    let host = Host::start();
    let counts = check(over_sockets, async |numbers| {
        let mut connection = Connection::new(host.address).await;
        check_each(numbers, async |request| {
            connection
                .call(&wire(&request))
                .await
                .expect("the host answers")
        })
        .await
    });
    let mut wrong = print("over sockets", over_sockets, &counts);

    let in_process = count - over_sockets;
    let handled = AtomicU64::new(0);
    let service = layer().layer(service_fn(async |request: Request<Full<Bytes>>| {
        assert!(request.extensions().get::<Validated>().is_some());
        handled.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let counts = check(in_process, async |numbers| {
        let service = service.clone();
        check_each(numbers, async |request| {
            let Ok(response) = service.clone().oneshot(request.map(Full::new)).await;
            let refused = response
                .extensions()
                .get::<AuthErrorKind>()
                .map(|kind| kind.as_str().to_owned());
            Answer {
                status: response.status().as_u16(),
                refused,
            }
        })
        .await
    });
    wrong += print("in process", in_process, &counts);
    let genuine = counts.get(&Kind::Genuine).map_or(0, |(sent, _)| *sent);
    println!(
        "\nThe handler was reached {} times by {genuine} genuine requests.",
        handled.load(Ordering::Relaxed)
    );
    report.wrong_answers(wrong + handled.into_inner().abs_diff(genuine));
}

fn print(how: &str, count: u64, counts: &Counts) -> u64 {
    println!("\n| {count} requests {how} | sent | answered wrongly |");
    println!("| --- | ---: | ---: |");
    for (kind, (sent, wrong)) in counts {
        println!("| {kind:?} | {sent} | {wrong} |");
    }
    counts.values().map(|(_, wrong)| wrong).sum()
}

/// Gives each of several threads a share of the numbers.
fn check(count: u64, each: impl AsyncFn(Range<u64>) -> Counts + Sync) -> Counts {
    thread::scope(|scope| {
        let shares =
            (0..THREADS).map(|thread| thread * count / THREADS..(thread + 1) * count / THREADS);
        let threads: Vec<_> = shares
            .map(|numbers| scope.spawn(|| block_on(each(numbers))))
            .collect();
        let mut all = Counts::new();
        for (kind, (sent, wrong)) in threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
        {
            let counts = all.entry(kind).or_default();
            *counts = (counts.0 + sent, counts.1 + wrong);
        }
        all
    })
}

async fn check_each(
    numbers: Range<u64>,
    mut call: impl AsyncFnMut(Request<Bytes>) -> Answer,
) -> Counts {
    let mut consumer = Consumer::new(numbers.start, secrets());
    let mut counts = Counts::new();
    for number in numbers {
        let kind = kind_of(number);
        let answer = call(consumer.request(number, kind)).await;
        let (sent, wrong) = counts.entry(kind).or_default();
        *sent += 1;
        if answer != kind.expected() {
            *wrong += 1;
            println!("request {number}, {kind:?}: {answer:?}");
        }
    }
    counts
}
