//! What an operator does, by SQL, while the host serves.

use std::{env, error::Error, process::Stdio, sync::Arc};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::process::Command;

use crate::sealing::SealingKey;

pub(crate) struct Operator {
    pool: PgPool,
    sealing_key: Arc<SealingKey>,
}

impl Operator {
    pub(crate) fn new(url: &str, sealing_key: Arc<SealingKey>) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy(url)?;
        Ok(Self { pool, sealing_key })
    }

    pub(crate) async fn add(
        &self,
        key_id: &str,
        tenant: i64,
        secret: &str,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("INSERT INTO consumers (key_id, name, tenant, scopes) VALUES ($1, $2, $3, $4)")
            .bind(key_id)
            .bind(format!("shop of {key_id}"))
            .bind(tenant)
            .bind(["orders:read"])
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO secrets (key_id, sealed) VALUES ($1, $2)")
            .bind(key_id)
            .bind(self.sealing_key.seal(key_id, secret))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// The host accepts the new secret within the time to live, and the previous one as before.
    pub(crate) async fn rotate(&self, key_id: &str, secret: &str) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO secrets (key_id, sealed) VALUES ($1, $2)")
            .bind(key_id)
            .bind(self.sealing_key.seal(key_id, secret))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Only the current secret remains. Says how many were deleted.
    pub(crate) async fn retire(&self, key_id: &str) -> Result<u64, sqlx::Error> {
        let deleted = sqlx::query(
            "DELETE FROM secrets WHERE key_id = $1
             AND id < (SELECT max(id) FROM secrets WHERE key_id = $1)",
        )
        .bind(key_id)
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected())
    }

    pub(crate) async fn revoke(&self, key_id: &str) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE consumers SET revoked_at = now() WHERE key_id = $1")
            .bind(key_id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn stop_database(&self) -> Result<(), Box<dyn Error>> {
        control("stop --mode fast").await
    }

    pub(crate) async fn start_database(&self) -> Result<(), Box<dyn Error>> {
        control("start").await
    }
}

async fn control(command: &str) -> Result<(), Box<dyn Error>> {
    let server = env::var("DATABASE_SERVER")?;
    let status = Command::new("sh")
        .args(["-c", &format!("{server} {command}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .await?;
    if !status.success() {
        return Err(format!("the database did not {command}: {status}").into());
    }
    Ok(())
}
