//! Three hosts behind one load balancer: does each request count once, whatever breaks?
//!
//! ```text
//! .ci/cluster            # all scenes, with ten thousand requests each
//! .ci/cluster --short    # three scenes with fewer requests
//! ```
//!
//! Three processes are hosts behind a `HAProxy`, and share a Redis or a `PostgreSQL`. This one is
//! the consumer, who sends each request once, and an attacker, who sends a copy of it to another
//! host: at once, after the answer, and when a fault is over. The hosts print which orders they
//! have taken, so a double is seen even where its answer was lost. Some scenes have a mistake on
//! purpose, to show that doubles are found. The exit code is 0 if each scene has shown what it
//! promises.

use std::{error::Error, path::PathBuf, pin::Pin, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use hmac_auth::{MemoryReplayGuard, RedisReplayGuard, TwoLevelReplayGuard};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::{
    cluster::HostCommand,
    host::HostArgs,
    on_redis::{ALWAYS, EVERY_SECOND, IN_MEMORY},
    report::{
        HEAD,
        Promise::{self, Doubles, EachOnce, NeverTwice, NeverTwiceDistrusting, NeverTwiceLosing},
    },
    scene::{Done, Scale, Scene},
};

mod any_store;
mod cluster;
mod host;
mod on_postgres;
mod on_redis;
mod operator;
mod postgres_server;
mod redis_server;
mod report;
mod scene;
mod traffic;

const LONG: Scale = Scale {
    requests: 10_000,
    per_second: 250,
    recovery: Duration::from_secs(5),
};

const SHORT: Scale = Scale {
    requests: 2_000,
    per_second: 250,
    recovery: Duration::from_secs(3),
};

/// The scenes of `--short`.
const IN_SHORT: [&str; 3] = [
    "Redis: nothing breaks",
    "Redis killed and restarted, `appendfsync always`",
    "mistake: a `MemoryReplayGuard` in each host",
];

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    /// Fewer scenes and requests
    #[arg(long)]
    short: bool,
    /// How many requests each scene sends twice [default: 10,000, or 2,000 with --short]
    #[arg(long, value_name = "N")]
    requests: Option<u32>,
    /// Only scenes with these words in their titles
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// The library of `synced.c`: adds the scenes in which the machine of Redis loses its power
    #[arg(long, value_name = "LIBRARY")]
    power_cuts: Option<String>,
    /// The host program of `examples/postgres`: adds the scenes on `PostgreSQL`
    #[arg(long, value_name = "PROGRAM")]
    postgres_host: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Role {
    /// What this program starts itself as
    #[command(hide = true)]
    Host {
        #[arg(long)]
        guard: Guard,
        #[arg(long, value_name = "URL")]
        redis: Option<String>,
        #[command(flatten)]
        host: HostArgs,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Guard {
    Memory,
    Redis,
    RedisFailingOpen,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    if let Some(Role::Host { guard, redis, host }) = args.role {
        serve(guard, redis, host).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut scale = if args.short { SHORT } else { LONG };
    scale.requests = args.requests.unwrap_or(scale.requests);
    let mut scenes = on_redis(scale);
    scenes.extend(
        args.power_cuts
            .into_iter()
            .flat_map(|library| power_cuts(scale, library)),
    );
    scenes.extend(
        args.postgres_host
            .into_iter()
            .flat_map(|program| on_postgres(scale, program)),
    );
    scenes.extend(mistakes(scale));
    let is_wanted = |title: &str| match &args.only {
        Some(words) => title.contains(&**words),
        None => !args.short || IN_SHORT.contains(&title),
    };

    println!("{HEAD}");
    let (mut played, mut missed) = (0, 0);
    for (title, promise, scene) in scenes {
        if is_wanted(title) {
            let row = scene.await?.row(title, promise, scale.recovery);
            println!("{row}");
            played += 1;
            missed += u32::from(!row.holds());
        }
    }
    println!("\n{played} scenes, {missed} missed");
    let holds = played > 0 && missed == 0;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn serve(guard: Guard, redis: Option<String>, host: HostArgs) -> Done {
    if let Guard::Memory = guard {
        return host::serve(host, MemoryReplayGuard::new()).await;
    }
    let client = redis::Client::open(redis.ok_or("which Redis?")?)?;
    let config = ConnectionManagerConfig::new()
        // As soon as Redis is back, it is asked again.
        .set_max_delay(Duration::from_millis(500))
        .set_response_timeout(None);
    let connection = ConnectionManager::new_lazy_with_config(client, config)?;
    // Ten times the default, so that a busy machine does not look like a fault.
    let mut shared = RedisReplayGuard::new(connection).time_limit(Duration::from_secs(1));
    if let Guard::RedisFailingOpen = guard {
        shared = shared.accept_replays_while_redis_is_down();
    }
    operator::listen(shared.clone());
    host::serve(
        host,
        TwoLevelReplayGuard::new(MemoryReplayGuard::new(), shared),
    )
    .await
}

/// A scene to come: what it has to show, and its play.
type Coming = (
    &'static str,
    Promise,
    Pin<Box<dyn Future<Output = Done<Scene>>>>,
);

fn on_redis(scale: Scale) -> Vec<Coming> {
    vec![
        (
            "Redis: nothing breaks",
            EachOnce,
            Box::pin(on_redis::calm(scale)),
        ),
        (
            "Redis: clocks 5 s apart",
            EachOnce,
            Box::pin(on_redis::clocks(scale)),
        ),
        (
            "Redis killed and restarted, `appendfsync always`",
            NeverTwice,
            Box::pin(on_redis::killed(scale, "redis", ALWAYS)),
        ),
        (
            "Redis killed and restarted, `appendfsync everysec`",
            NeverTwice,
            Box::pin(on_redis::killed(scale, "redis", EVERY_SECOND)),
        ),
        (
            "Redis slow: `CLIENT PAUSE`",
            NeverTwice,
            Box::pin(on_redis::slow(scale)),
        ),
        (
            "Redis full: `maxmemory` and `noeviction`",
            NeverTwice,
            Box::pin(on_redis::full(scale)),
        ),
        (
            "Redis failed over, `distrust_before`",
            NeverTwiceDistrusting,
            Box::pin(on_redis::failed_over(scale, true)),
        ),
        (
            "Redis: a host killed and restarted",
            NeverTwiceLosing,
            Box::pin(on_redis::host_killed(scale)),
        ),
    ]
}

fn power_cuts(scale: Scale, library: String) -> Vec<Coming> {
    vec![
        (
            "Redis: power cut, `appendfsync always`",
            NeverTwice,
            Box::pin(on_redis::power_cut(scale, ALWAYS, library.clone(), false)),
        ),
        (
            "Redis: power cut, `appendfsync everysec`, `distrust_before`",
            NeverTwiceDistrusting,
            Box::pin(on_redis::power_cut(
                scale,
                EVERY_SECOND,
                library.clone(),
                true,
            )),
        ),
        (
            "mistake: Redis, power cut, `appendfsync everysec`, no `distrust_before`",
            Doubles,
            Box::pin(on_redis::power_cut(scale, EVERY_SECOND, library, false)),
        ),
    ]
}

fn mistakes(scale: Scale) -> Vec<Coming> {
    vec![
        (
            "mistake: a `MemoryReplayGuard` in each host",
            Doubles,
            Box::pin(on_redis::nothing_shared(scale)),
        ),
        (
            "mistake: Redis failed over, no `distrust_before`",
            Doubles,
            Box::pin(on_redis::failed_over(scale, false)),
        ),
        (
            "mistake: Redis killed and restarted, `appendonly no`",
            Doubles,
            Box::pin(on_redis::killed(scale, "redis", IN_MEMORY)),
        ),
        (
            "mistake: Redis killed and restarted, hosts fail open",
            Doubles,
            Box::pin(on_redis::killed(scale, "redis-failing-open", ALWAYS)),
        ),
    ]
}

fn on_postgres(scale: Scale, program: PathBuf) -> Vec<Coming> {
    let host = HostCommand {
        program,
        arguments: Vec::new(),
    };
    vec![
        (
            "PostgreSQL: nothing breaks",
            EachOnce,
            Box::pin(any_store::calm(scale, host.clone())),
        ),
        (
            "PostgreSQL: clocks 5 s apart",
            EachOnce,
            Box::pin(any_store::clocks(scale, host.clone())),
        ),
        (
            "PostgreSQL killed and restarted",
            NeverTwice,
            Box::pin(on_postgres::killed(scale, host.clone())),
        ),
        (
            "PostgreSQL: a host killed and restarted",
            NeverTwiceLosing,
            Box::pin(any_store::host_killed(scale, host)),
        ),
    ]
}
