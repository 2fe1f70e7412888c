//! The processes of an installation and their heartbeats. Nothing of a tenant's.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;

use super::tx::{changed, on};
use super::{StoreError, Tx};
use crate::domain::key_rotation::KeyHolder;

/// A process that has shown itself within this time counts as alive.
pub const ALIVE_WITHIN: TimeDelta = TimeDelta::seconds(30);

impl Tx {
    /// Shows that a process lives and what it is, which keys it has, and which of them it seals with: those of
    /// this store.
    pub async fn beat(
        &mut self,
        id: &str,
        role: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let keys: Vec<String> = self.context.ring.ids().map(ToOwned::to_owned).collect();
        let active = self.context.ring.active_id().to_owned();
        changed!(self, |conn| {
            sqlx::query(
            "INSERT INTO processes (id, role, started_at, heartbeat_at, active_key_id, key_ids)
             VALUES ($1, $2, $3, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET role = excluded.role,
                 heartbeat_at = excluded.heartbeat_at, active_key_id = excluded.active_key_id, key_ids = excluded.key_ids"
        )
        .bind(id)
        .bind(role)
        .bind(at)
        .bind(&active)
        .bind(Json(&keys))
        .execute(conn)
        })?;
        Ok(())
    }

    /// The processes that have shown themselves since, with the keys they have.
    pub async fn key_holders(
        &mut self,
        since: DateTime<Utc>,
    ) -> Result<Vec<KeyHolder>, StoreError> {
        let rows: Vec<(String, String, String, Json<Vec<String>>)> =
            on!(self, |conn| sqlx::query_as(
                "SELECT id, role, active_key_id, key_ids FROM processes WHERE heartbeat_at >= $1
                 ORDER BY role, id"
            )
            .bind(since)
            .fetch_all(conn))?;
        let holders = rows
            .into_iter()
            .map(|(id, role, active_key_id, keys)| KeyHolder {
                id,
                role,
                active_key_id,
                key_ids: keys.0,
            });
        Ok(holders.collect())
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

    /// Forgets a process that has ended in order: nothing of it may write any more.
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
