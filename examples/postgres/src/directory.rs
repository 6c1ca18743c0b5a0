//! The part to copy: a directory of consumers in `PostgreSQL`.

use std::{error::Error, sync::Arc, time::Duration};

use hmac_auth::{
    AuthError, AuthErrorKind, CachedDirectory, Consumer, ConsumerDirectory, FindConsumer, Secret,
    SecretSet,
};
use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::Semaphore,
    time::{error::Elapsed, sleep, timeout},
};

use crate::sealing::SealingKey;

/// One statement sees one state of the database: never the consumer of before and the secrets of after.
const FIND: &str = "
    SELECT name, tenant, scopes, revoked_at IS NOT NULL, ARRAY(
        SELECT sealed FROM secrets WHERE secrets.key_id = consumers.key_id ORDER BY id DESC LIMIT 4
    )
    FROM consumers WHERE key_id = $1";

type Row = (String, i64, Vec<String>, bool, Vec<Vec<u8>>);

/// Few do thousands of look-ups a second, and a new one costs as much as a hundred look-ups.
const CONNECTIONS: u32 = 4;

/// How long a look-up waits for its turn, then for a new connection, and then for the answer: a request waits for all.
///
/// The second time begins when the first one is over. With one time for both, look-ups that queue up while the database
/// is down would have nothing left to connect, one after the other, and the host would not recover.
const MAX_TIME: Duration = Duration::from_secs(1);

/// What handlers learn about a consumer.
pub(crate) struct Tenant {
    pub(crate) id: i64,
    pub(crate) scopes: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct PostgresDirectory {
    pool: PgPool,
    /// One for each connection.
    turns: Arc<Semaphore>,
    sealing_key: Arc<SealingKey>,
}

impl PostgresDirectory {
    pub(crate) fn new(url: &str, sealing_key: Arc<SealingKey>) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(MAX_TIME)
            // The host starts even while the database is down.
            .connect_lazy(url)?;
        Ok(Self {
            pool,
            turns: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            sealing_key,
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

    async fn look_up(&self, key_id: &str) -> Result<Option<Consumer>, AuthError> {
        let unavailable = |late: Elapsed| AuthError::directory_unavailable(late);
        let turn = timeout(MAX_TIME, self.turns.acquire()).await;
        let _turn = turn.map_err(unavailable)?;
        let row = sqlx::query_as::<_, Row>(FIND)
            .bind(key_id)
            .fetch_optional(&self.pool);
        let row = timeout(2 * MAX_TIME, row).await.map_err(unavailable)?;
        let row = row.map_err(AuthError::directory_unavailable)?;
        let Some((name, id, scopes, is_revoked, sealed)) = row else {
            return Ok(None);
        };
        if is_revoked {
            return Err(AuthErrorKind::Revoked.into());
        }
        let secrets = self
            .opened(key_id, &sealed)
            .map_err(AuthError::directory_unavailable)?;
        let tenant = Arc::new(Tenant { id, scopes });
        Ok(Some(Consumer::new(name, secrets).attach(tenant)))
    }

    fn opened(
        &self,
        key_id: &str,
        sealed: &[Vec<u8>],
    ) -> Result<SecretSet, Box<dyn Error + Send + Sync>> {
        let mut secrets = Vec::new();
        for sealed in sealed {
            let bytes = self.sealing_key.open(key_id, sealed)?;
            secrets.push(Secret::from_bytes(&bytes)?);
        }
        let mut secrets = secrets.into_iter();
        let current = secrets.next().ok_or("the consumer has no secret")?;
        Ok(SecretSet::with_previous(current, secrets)?)
    }
}

impl ConsumerDirectory for PostgresDirectory {
    fn find(&self, key_id: &str) -> FindConsumer {
        let (directory, key_id) = (self.clone(), key_id.to_owned());
        FindConsumer::pending(async move { directory.look_up(&key_id).await })
    }
}

/// A connection of its own that hears which consumers have changed.
pub(crate) async fn changes(url: &str) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        // As often as a look-up, it tries to connect again. By default, many seconds pass in between.
        .acquire_timeout(MAX_TIME)
        .connect_lazy(url)?;
    let mut changes = PgListener::connect_with(&pool).await?;
    changes.listen("consumer_changed").await?;
    Ok(changes)
}

/// Forgets each consumer that has changed, so that a revocation counts at once.
///
/// This is a help and no promise: notices are lost with their connection. The time to live holds without them.
pub(crate) async fn forget_changed(
    mut changes: PgListener,
    cache: CachedDirectory<PostgresDirectory>,
) {
    loop {
        match changes.try_recv().await {
            Ok(Some(notice)) => cache.forget(notice.payload()),
            // The connection was lost, and the next call makes a new one.
            Ok(None) => {}
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}
