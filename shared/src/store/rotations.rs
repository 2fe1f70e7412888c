//! Rotations of the encryption keys: who works on one, and how far it is. Nothing of a tenant's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, on, word};
use super::{StoreError, Tx};
use crate::domain::key_rotation::{KeyRotation, RotationState, UnopenedRow};

#[derive(sqlx::FromRow)]
struct RotationRow {
    id: Uuid,
    key_id: String,
    state: String,
    total: i64,
    done: i64,
    failed: i64,
    failures: Json<Vec<UnopenedRow>>,
    worker: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "id, key_id, state, total, done, failed, failures, worker, created_at, finished_at"
    };
}

impl TryFrom<RotationRow> for KeyRotation {
    type Error = StoreError;

    fn try_from(row: RotationRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            state: word(&row.state, "key_rotations", "state", row.id)?,
            key_id: row.key_id,
            total: row.total,
            done: row.done,
            failed: row.failed,
            failures: row.failures.0,
            worker: row.worker,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

impl Tx {
    /// Asks for everything to be sealed with the first key of the ring; `total` is how much is not. False
    /// when a rotation runs already.
    pub async fn insert_rotation(
        &mut self,
        id: Uuid,
        total: i64,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let key_id = self.context.ring.active_id().to_owned();
        let rows = changed!(self, |conn| sqlx::query(
            "INSERT INTO key_rotations
                 (id, key_id, state, total, done, failed, failures, created_at)
             VALUES ($1, $2, 'running', $3, 0, 0, '[]', $4) ON CONFLICT DO NOTHING"
        )
        .bind(id)
        .bind(&key_id)
        .bind(total)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// The rotation that was asked for last.
    pub async fn last_rotation(&mut self) -> Result<Option<KeyRotation>, StoreError> {
        let row: Option<RotationRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM key_rotations ORDER BY created_at DESC, id DESC LIMIT 1"
        ))
        .fetch_optional(conn))?;
        row.map(KeyRotation::try_from).transpose()
    }

    /// A rotation.
    pub async fn find_rotation(&mut self, id: Uuid) -> Result<Option<KeyRotation>, StoreError> {
        let row: Option<RotationRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM key_rotations WHERE id = $1"
        ))
        .bind(id)
        .fetch_optional(conn))?;
        row.map(KeyRotation::try_from).transpose()
    }

    /// Ends a running rotation, because another key is to seal everything. Whoever works on it seals no
    /// more.
    pub async fn cancel_rotation(
        &mut self,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE key_rotations SET state = 'cancelled', finished_at = $2, lease_id = NULL,
                 lease_until = NULL
             WHERE id = $1 AND state = 'running'"
        )
        .bind(id)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Whether a rotation runs that seals with the first key of the ring: nobody else can work on it. A single
    /// statement.
    pub async fn rotation_runs(&mut self) -> Result<bool, StoreError> {
        let key_id = self.context.ring.active_id().to_owned();
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM key_rotations WHERE state = 'running' AND key_id = $1)"
        )
        .bind(&key_id)
        .fetch_one(conn))?)
    }

    /// Takes such a rotation for one process, unless another one has it.
    pub async fn claim_rotation(
        &mut self,
        worker: &str,
        lease_id: Uuid,
        lease: Duration,
    ) -> Result<Option<KeyRotation>, StoreError> {
        let now = self.now().await?;
        let key_id = self.context.ring.active_id().to_owned();
        let row: Option<RotationRow> = on!(self, |conn| sqlx::query_as(concat!(
            "UPDATE key_rotations SET worker = $3, lease_id = $4, lease_until = $5
             WHERE state = 'running' AND key_id = $1 AND (lease_until IS NULL OR lease_until <= $2)
             RETURNING ",
            columns!()
        ))
        .bind(&key_id)
        .bind(now)
        .bind(worker)
        .bind(lease_id)
        .bind(now + lease)
        .fetch_optional(conn))?;
        row.map(KeyRotation::try_from).transpose()
    }

    /// Counts what this unit of work has sealed, and renews the lease. False when the lease is somebody
    /// else's or the rotation has ended: then this unit of work must not be committed.
    pub async fn advance_rotation(
        &mut self,
        id: Uuid,
        lease_id: Uuid,
        lease: Duration,
        sealed: i64,
    ) -> Result<bool, StoreError> {
        let until = self.now().await? + lease;
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE key_rotations SET done = done + $3, lease_until = $4
             WHERE id = $1 AND lease_id = $2 AND state = 'running'"
        )
        .bind(id)
        .bind(lease_id)
        .bind(sealed)
        .bind(until)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Ends a rotation: `succeeded` when nothing failed, else `partial`. False when the lease is somebody
    /// else's.
    pub async fn settle_rotation(
        &mut self,
        id: Uuid,
        lease_id: Uuid,
        failed: i64,
        failures: &[UnopenedRow],
    ) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let state = if failed == 0 {
            RotationState::Succeeded
        } else {
            RotationState::Partial
        };
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE key_rotations SET state = $3, failed = $4, failures = $5, finished_at = $6,
                 lease_id = NULL, lease_until = NULL
             WHERE id = $1 AND lease_id = $2 AND state = 'running'"
        )
        .bind(id)
        .bind(lease_id)
        .bind(state.as_str())
        .bind(failed)
        .bind(Json(failures))
        .bind(now)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Gives a rotation back, so that anybody may go on with it. Without a lease whoever has it: for the only
    /// process of an SQLite database at its start.
    pub async fn release_rotation(&mut self, lease_id: Option<Uuid>) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE key_rotations SET lease_id = NULL, lease_until = NULL
             WHERE state = 'running' AND lease_id IS NOT NULL AND (lease_id = $1 OR $1 IS NULL)"
        )
        .bind(lease_id)
        .execute(conn))?;
        Ok(rows == 1)
    }
}
