//! The processes of an installation and their heartbeats. Nothing of a tenant's.

use chrono::{DateTime, Utc};

use super::tx::{changed, on};
use super::{StoreError, Tx};

impl Tx {
    /// Shows that a process lives, and which key it seals with.
    pub async fn beat(
        &mut self,
        id: &str,
        role: &str,
        at: DateTime<Utc>,
        active_key_id: &str,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO processes (id, role, started_at, heartbeat_at, active_key_id)
             VALUES ($1, $2, $3, $3, $4)
             ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at,
                 active_key_id = excluded.active_key_id"
        )
        .bind(id)
        .bind(role)
        .bind(at)
        .bind(active_key_id)
        .execute(conn))?;
        Ok(())
    }

    /// How many processes of a role have shown themselves since.
    pub async fn live_processes(
        &mut self,
        role: &str,
        since: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM processes WHERE role = $1 AND heartbeat_at >= $2"
        )
        .bind(role)
        .bind(since)
        .fetch_one(conn))?)
    }

    /// Forgets a process that ends in order.
    pub async fn forget_process(&mut self, id: &str) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "DELETE FROM processes WHERE id = $1"
        )
        .bind(id)
        .execute(conn))?;
        Ok(())
    }

    /// Whether a process has shown itself since.
    pub async fn process_alive(
        &mut self,
        id: &str,
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM processes WHERE id = $1 AND heartbeat_at >= $2)"
        )
        .bind(id)
        .bind(since)
        .fetch_one(conn))?)
    }

    /// Forgets processes that have not shown themselves since; how many there were.
    pub async fn prune_processes(&mut self, before: DateTime<Utc>) -> Result<i64, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM processes WHERE heartbeat_at < $1"
        )
        .bind(before)
        .execute(conn))?;
        Ok(rows as i64)
    }
}
