//! What is kept for a time only, and removed in small batches: each is a statement or a few, so that nobody
//! waits for long, and several processes may do it at once. For the engine.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::tx::changed;
use super::{StoreError, Tx};

/// What is kept for a time only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Jobs that have ended, with their runs and reports.
    Jobs,
    /// Splits that were closed.
    Splits,
    /// Entries of the activity log.
    Activity,
    /// Plans, from when they expire.
    Plans,
    /// Answers to requests with an `Idempotency-Key`, from when they expire.
    Answers,
    /// What providers said no to, from when they take calls again.
    ClosedGates,
    /// Sessions, from when they expire.
    Sessions,
    /// Connections that nobody confirmed, from when they expire.
    PendingConnections,
    /// Secrets in the trash, from when it is to forget them.
    Trash,
    /// Connections that were given up, once no link has them.
    Disconnected,
    /// Events that providers told, from when they came.
    ReceivedEvents,
}

impl Tx {
    /// Removes what ended, or was to be forgotten, before a time, the oldest first, at most `limit`.
    /// How many there were.
    pub async fn prune(
        &mut self,
        kept: Kept,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        match kept {
            Kept::Jobs => {
                let ended = "finished_at < $2 AND state NOT IN ('queued', 'running', 'waiting')";
                self.prune_by_id("jobs", ended, before, limit).await
            }
            Kept::Splits => {
                self.prune_by_id("project_splits", "closed_at < $2", before, limit)
                    .await
            }
            Kept::Activity => self.prune_activity(before, limit).await,
            Kept::Sessions => {
                self.prune_by_id("sessions", "expires_at < $2", before, limit)
                    .await
            }
            Kept::PendingConnections => {
                self.prune_by_id("pending_connections", "expires_at < $2", before, limit)
                    .await
            }
            Kept::Disconnected => {
                let unused = "status = 'disconnected' AND updated_at < $2 AND NOT EXISTS
                     (SELECT 1 FROM links l WHERE l.connection_id = connections.id)";
                self.prune_by_id("connections", unused, before, limit).await
            }
            Kept::ReceivedEvents => self.prune_received(before, limit).await,
            Kept::Plans => self.prune_plans(before, limit).await,
            Kept::Answers => self.prune_keyed(before, limit).await,
            Kept::ClosedGates => self.prune_closed_gates(before, limit).await,
            Kept::Trash => Ok(self.prune_trash(before, limit).await?.unsigned_abs()),
        }
    }

    /// The database lets go only of what it was told of before, in the same unit of work.
    async fn prune_activity(
        &mut self,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let id = self.context.ambient.new_id();
        changed!(self, |conn| sqlx::query(
            "INSERT INTO activity_pruning (id, older_than) VALUES ($1, $2)"
        )
        .bind(id)
        .bind(before)
        .execute(conn))?;
        let removed = self
            .prune_by_id("activity", "at < $2", before, limit)
            .await?;
        changed!(self, |conn| sqlx::query(
            "DELETE FROM activity_pruning WHERE id = $1"
        )
        .bind(id)
        .execute(conn))?;
        Ok(removed)
    }

    /// Ids bear the time that they were made at: what is old stands at the beginning of the primary
    /// key, and needs no index of its own.
    async fn prune_by_id(
        &mut self,
        table: &'static str,
        condition: &'static str,
        before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "WITH old AS MATERIALIZED (
                 SELECT id FROM {table} WHERE id < $1 AND {condition} ORDER BY id LIMIT $3
                 {skip_locked})
             DELETE FROM {table} WHERE id IN (SELECT id FROM old)",
            skip_locked = self.dialect().skip_locked
        );
        Ok(changed!(self, |conn| sqlx::query(AssertSqlSafe(sql))
            .bind(first_id_of(before))
            .bind(before)
            .bind(limit)
            .execute(conn))?)
    }
}

/// No id made before that time is larger.
fn first_id_of(time: DateTime<Utc>) -> Uuid {
    let millis = time.timestamp_millis().unsigned_abs();
    uuid::Builder::from_unix_timestamp_millis(millis + 1, &[0; 10]).into_uuid()
}
