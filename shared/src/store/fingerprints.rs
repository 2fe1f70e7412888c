//! What is known of values at destinations, and what we wrote there. For the engine: everything goes
//! by environment and project, whose owner the job's authority was checked for.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::QueryBuilder;
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, on};
use super::{CHUNK, StoreError, Tx};
use crate::sync::options::Direction;
use crate::sync::remote::Fingerprint;

#[derive(sqlx::FromRow)]
struct FingerprintRow {
    key: String,
    remote_id: String,
    stamp: String,
    mac: Vec<u8>,
}

impl Tx {
    /// The fingerprints of an environment at a destination, in order of their keys.
    pub async fn fingerprints(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
    ) -> Result<Vec<Fingerprint>, StoreError> {
        let rows: Vec<FingerprintRow> = on!(self, |conn| sqlx::query_as(
            "SELECT key, remote_id, stamp, mac FROM fingerprints
             WHERE environment_id = $1 AND project_key = $2 AND slot = $3"
        )
        .bind(environment_id)
        .bind(project_key)
        .bind(slot)
        .fetch_all(conn))?;
        let mut fingerprints: Vec<Fingerprint> = rows
            .into_iter()
            .map(|row| Fingerprint {
                key: row.key,
                remote_id: row.remote_id,
                stamp: row.stamp,
                mac: row.mac,
            })
            .collect();
        // Here and not in SQL, whose order depends on the collation.
        fingerprints.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(fingerprints)
    }

    /// Saves fingerprints, each key once; those of the same keys are replaced.
    pub async fn put_fingerprints(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        fingerprints: &[Fingerprint],
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let statement = self.dialect().put_fingerprints;
        for chunk in fingerprints.chunks(CHUNK) {
            let rows: Vec<_> = chunk
                .iter()
                .map(|print| {
                    json!({ "key": print.key, "remote_id": print.remote_id,
                        "stamp": print.stamp, "mac": hex::encode(&print.mac) })
                })
                .collect();
            changed!(self, |conn| sqlx::query(statement)
                .bind(vault_id)
                .bind(environment_id)
                .bind(project_key)
                .bind(slot)
                .bind(Json(&rows))
                .bind(at)
                .execute(conn))?;
        }
        Ok(())
    }

    /// Forgets the fingerprints of some keys.
    pub async fn delete_fingerprints(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        keys: &[String],
    ) -> Result<(), StoreError> {
        let table = "fingerprints";
        self.delete_destination_keys(table, environment_id, project_key, slot, keys)
            .await
    }

    /// Forgets every fingerprint of a project, of all environments and destinations: what is there
    /// is no longer certain.
    pub async fn drop_project_fingerprints(&mut self, project_key: &str) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "DELETE FROM fingerprints WHERE project_key = $1"
        )
        .bind(project_key)
        .execute(conn))?;
        Ok(())
    }

    /// The keys that an environment wrote to a destination.
    pub async fn written_keys(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
    ) -> Result<BTreeSet<String>, StoreError> {
        let keys: Vec<String> = on!(self, |conn| sqlx::query_scalar(
            "SELECT key FROM written_keys
             WHERE environment_id = $1 AND project_key = $2 AND slot = $3"
        )
        .bind(environment_id)
        .bind(project_key)
        .bind(slot)
        .fetch_all(conn))?;
        Ok(keys.into_iter().collect())
    }

    /// Notes that an environment wrote keys to a destination; each key once.
    pub async fn mark_written(
        &mut self,
        vault_id: Uuid,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        keys: &[String],
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let statement = self.dialect().mark_written;
        changed!(self, |conn| sqlx::query(statement)
            .bind(vault_id)
            .bind(environment_id)
            .bind(project_key)
            .bind(slot)
            .bind(Json(keys))
            .bind(at)
            .execute(conn))?;
        Ok(())
    }

    /// Takes that note back: the keys are no longer there.
    pub async fn unmark_written(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        keys: &[String],
    ) -> Result<(), StoreError> {
        let table = "written_keys";
        self.delete_destination_keys(table, environment_id, project_key, slot, keys)
            .await
    }

    /// The keys that other environments, of whatever vault, wrote to a destination: not ours to
    /// delete.
    pub async fn foreign_keys(
        &mut self,
        project_key: &str,
        slot: &str,
        not_environment: Uuid,
    ) -> Result<BTreeSet<String>, StoreError> {
        let keys: Vec<String> = on!(self, |conn| sqlx::query_scalar(
            "SELECT DISTINCT key FROM written_keys
             WHERE project_key = $1 AND slot = $2 AND environment_id <> $3"
        )
        .bind(project_key)
        .bind(slot)
        .bind(not_environment)
        .fetch_all(conn))?;
        Ok(keys.into_iter().collect())
    }

    /// Notes a successful sync of a pair and the revision it read.
    #[expect(
        clippy::too_many_arguments,
        reason = "the key of the row and its content"
    )]
    pub async fn record_sync(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        direction: Direction,
        revision: i64,
        job_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO syncs
                 (environment_id, project_key, slot, direction, revision, job_id, synced_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (environment_id, project_key, slot, direction) DO UPDATE SET
                 revision = excluded.revision, job_id = excluded.job_id,
                 synced_at = excluded.synced_at"
        )
        .bind(environment_id)
        .bind(project_key)
        .bind(slot)
        .bind(direction.as_str())
        .bind(revision)
        .bind(job_id)
        .bind(at)
        .execute(conn))?;
        Ok(())
    }

    /// When a pair was last synced, in one direction or in either.
    pub async fn last_sync(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        direction: Option<Direction>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT MAX(synced_at) FROM syncs
             WHERE environment_id = $1 AND project_key = $2 AND slot = $3
                 AND ($4 IS NULL OR direction = $4)"
        )
        .bind(environment_id)
        .bind(project_key)
        .bind(slot)
        .bind(direction.map(Direction::as_str))
        .fetch_one(conn))?)
    }

    /// Removes what is known of the destinations of an environment that was deleted in this unit of
    /// work: whoever writes such a row waits for the environment's.
    pub(super) async fn forget_destinations(
        &mut self,
        environment_id: Uuid,
    ) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM fingerprints WHERE environment_id = $1",
            "DELETE FROM written_keys WHERE environment_id = $1",
        ] {
            changed!(self, |conn| sqlx::query(statement)
                .bind(environment_id)
                .execute(conn))?;
        }
        Ok(())
    }

    /// Removes rows of some keys from a table whose rows go by environment and destination.
    async fn delete_destination_keys(
        &mut self,
        table: &'static str,
        environment_id: Uuid,
        project_key: &str,
        slot: &str,
        keys: &[String],
    ) -> Result<(), StoreError> {
        for chunk in keys.chunks(CHUNK) {
            changed!(self, |conn| async {
                let mut query = QueryBuilder::new("DELETE FROM ");
                query.push(table).push(" WHERE environment_id = ");
                query.push_bind(environment_id);
                query.push(" AND project_key = ").push_bind(project_key);
                query.push(" AND slot = ").push_bind(slot);
                query.push(" AND key IN (");
                let mut list = query.separated(", ");
                for key in chunk {
                    list.push_bind(key);
                }
                query.push(")");
                query.build().persistent(false).execute(conn).await
            })?;
        }
        Ok(())
    }
}
