//! A host of the example `cluster` whose replay guard is in `PostgreSQL`: `guard.rs` and
//! `replay.sql` are the parts to copy.

use std::{env, error::Error};

use clap::Parser;

use crate::{guard::PostgresReplayGuard, host::HostArgs};

mod guard;
#[path = "../../../cluster/host.rs"]
mod host;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    host: HostArgs,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let guard = PostgresReplayGuard::new(&env::var("GUARD_DATABASE")?)?;
    guard.open().await;
    tokio::spawn(guard.clone().keep());
    host::serve(args.host, guard).await
}
