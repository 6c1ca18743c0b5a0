//! The part to copy: a replay guard in `PostgreSQL`, which several hosts share.

use std::{error::Error, sync::Arc, time::Duration};

use hmac_auth::{AuthError, AuthErrorKind, ReplayGuard, ReplayId, UseOnce};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Of several hosts that insert one signature at once, one inserts a row, and the others wait for
/// it and insert none.
const CLAIM: &str =
    "INSERT INTO used_signatures (created, key) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const KEEP: &str = "SELECT keep_used_signatures()";

/// So that no other use of SHA-256 gives the same key.
const KEY_CONTEXT: &[u8] = b"replay key in PostgreSQL v1\n";

/// Few do thousands of insertions a second, and a new one costs as much as a hundred insertions.
const CONNECTIONS: u32 = 4;

/// How long a request waits for its turn, and then for the database.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// How long a new connection may take, on a machine that is busy after an outage.
const CONNECT_TIME: Duration = Duration::from_secs(4);

/// A partition is for one minute, and there are some ahead: this may fail for a while.
const KEEP_EVERY: Duration = Duration::from_secs(20);

/// How long that may take. A server that vanishes without a word would end it for as long as TCP
/// waits.
const KEEP_TIME: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct PostgresReplayGuard {
    pool: PgPool,
    /// One for each connection.
    turns: Arc<Semaphore>,
}

impl PostgresReplayGuard {
    pub(crate) fn new(url: &str) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_TIME)
            // The host starts even while the database is down.
            .connect_lazy(url)?;
        Ok(Self {
            pool,
            turns: Arc::new(Semaphore::new(CONNECTIONS as usize)),
        })
    }

    /// Makes the connections before the first requests need them, if the database is there.
    pub(crate) async fn open(&self) {
        let mut connections = Vec::new();
        while connections.len() < CONNECTIONS as usize {
            let Ok(connection) = self.pool.acquire().await else {
                return;
            };
            connections.push(connection);
        }
    }

    /// Makes partitions ahead and drops those that are over, as long as the host runs. Each host
    /// may do so.
    pub(crate) async fn keep(self) {
        loop {
            let problem = match timeout(KEEP_TIME, sqlx::query(KEEP).execute(&self.pool)).await {
                Ok(kept) => kept.err().map(Problem::from),
                Err(late) => Some(late.into()),
            };
            if let Some(problem) = problem {
                eprintln!("the partitions of `used_signatures` are not kept: {problem}");
            }
            sleep(KEEP_EVERY).await;
        }
    }

    /// Whether this is the first use, on any host.
    async fn claim(&self, created: i64, key: [u8; 32]) -> Result<bool, Problem> {
        let turn = timeout(TIME_LIMIT, Arc::clone(&self.turns).acquire_owned()).await??;
        let pool = self.pool.clone();
        // A request that gives up does not take its connection along: it will be there for the
        // next one. Otherwise, a slow connection would never be made.
        let insertion = tokio::spawn(async move {
            let insert = sqlx::query(CLAIM).bind(created).bind(&key[..]);
            let inserted = timeout(CONNECT_TIME + TIME_LIMIT, insert.execute(&pool)).await;
            drop(turn);
            inserted
        });
        let inserted = timeout(TIME_LIMIT, insertion).await????;
        Ok(inserted.rows_affected() == 1)
    }
}

type Problem = Box<dyn Error + Send + Sync>;

impl ReplayGuard for PostgresReplayGuard {
    fn use_once(&self, id: &ReplayId, _consumer: &str) -> UseOnce {
        let hash = Sha256::new().chain_update(KEY_CONTEXT);
        let key = hash.chain_update(id.as_bytes()).finalize().into();
        let (guard, created) = (self.clone(), id.created());
        UseOnce::pending(async move {
            match guard.claim(created, key).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(AuthErrorKind::Replayed.into()),
                // Nothing is accepted that was not checked. An insertion whose answer is lost
                // stays: sign anew.
                Err(problem) => Err(AuthError::replay_guard_unavailable(problem)),
            }
        })
    }
}
