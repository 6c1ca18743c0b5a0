//! Consumers in a database of `PostgreSQL`: they come, go and change their secrets while the host serves 200 requests a second.
//!
//! ```text
//! examples/postgres/run
//! ```
//!
//! The script starts a server of its own. This program is the host, its consumers and its operator. It prints what it has
//! measured; the exit code is 0 if all that the guide promises holds. `src/directory.rs`, `src/sealing.rs` and `schema.sql`
//! are the parts to copy.

use std::{env, error::Error, path::Path, process::ExitCode, sync::Arc, time::Instant};

use hmac_auth::{CachedDirectory, client::Client, generate_secret};
use tokio::time::sleep;

use crate::{
    checks::Checks,
    directory::PostgresDirectory,
    host::Host,
    operator::Operator,
    scenes::{REVOCATION_TIME, Stage, TIME_TO_LIVE},
    sealing::SealingKey,
    traffic::{Site, Traffic},
};

mod checks;
mod directory;
mod host;
mod operator;
mod scenes;
mod sealing;
mod traffic;

const SITES: i64 = 20;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let sealing_key =
        env::var("SEALING_KEY_FILE").map_err(|_| "start this with the script `run`")?;
    let sealing_key = Arc::new(SealingKey::from_file(Path::new(&sealing_key))?);
    let operator = Operator::new(&env::var("OPERATOR_DATABASE")?, Arc::clone(&sealing_key))?;
    let mut sites = Vec::new();
    for tenant in 0..SITES {
        let (key_id, secret) = (format!("site-{tenant}"), generate_secret()?);
        operator.add(&key_id, tenant, &secret).await?;
        sites.push(Site::new(key_id, tenant, &secret));
    }

    let database = env::var("HOST_DATABASE")?;
    let directory = PostgresDirectory::new(&database, sealing_key)?;
    directory.open().await;
    let cache = CachedDirectory::new(directory)
        .time_to_live(TIME_TO_LIVE)
        .revocation_time(REVOCATION_TIME);
    let host = Host::start(cache.clone()).await?;
    let client = Client::new(reqwest::Client::builder().no_proxy())?;
    let began = Instant::now();
    let traffic = Traffic::start(&client, host.address, &sites);
    let stage = Stage {
        host,
        cache,
        database,
        operator,
        client,
        sites,
        traffic,
    };
    sleep(TIME_TO_LIVE).await;

    let mut checks = Checks::default();
    stage.look_alike(&mut checks).await?;
    stage.add_a_consumer(&mut checks).await?;
    stage.rotate_all(&mut checks).await?;
    checks::scene("A consumer is revoked");
    stage.revoke(0, TIME_TO_LIVE, &mut checks).await?;
    stage.listen().await?;
    stage.lose_the_database(&mut checks).await?;
    stage.add_and_revoke_at_once(&mut checks).await?;
    stage.rate(began, &mut checks).await;
    // Before the runtime ends, and with it the host that the last requests are waiting for.
    stage.traffic.stop().await;
    Ok(checks.finish())
}
