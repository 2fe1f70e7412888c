//! Rows at a provider that were being taken apart. For the engine.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, inconsistent, on};
use super::{StoreError, Tx};
use crate::providers::Split;

/// A split and whose it is: what is needed to close it under the same authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRecord {
    /// The split. Holds no value.
    pub split: Split,
    /// The project.
    pub project_key: String,
    /// The job that opened it.
    pub job_id: Uuid,
    /// Who asked for that job.
    pub user_id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// The vault's environment.
    pub environment_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
}

#[derive(sqlx::FromRow)]
struct SplitRow {
    id: Uuid,
    project_key: String,
    job_id: Uuid,
    user_id: Uuid,
    vault_id: Uuid,
    environment_id: Uuid,
    connection_id: Uuid,
    split: Json<serde_json::Value>,
}

impl TryFrom<SplitRow> for SplitRecord {
    type Error = StoreError;

    fn try_from(row: SplitRow) -> Result<Self, StoreError> {
        let split: Split = serde_json::from_value(row.split.0)
            .map_err(|_| inconsistent("project_splits", "split", row.id))?;
        Ok(Self {
            split,
            project_key: row.project_key,
            job_id: row.job_id,
            user_id: row.user_id,
            vault_id: row.vault_id,
            environment_id: row.environment_id,
            connection_id: row.connection_id,
        })
    }
}

impl Tx {
    /// Records a split before its first call.
    pub async fn open_split(
        &mut self,
        record: &SplitRecord,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO project_splits (id, project_key, job_id, user_id, vault_id,
                 environment_id, connection_id, split, opened_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(record.split.id)
        .bind(&record.project_key)
        .bind(record.job_id)
        .bind(record.user_id)
        .bind(record.vault_id)
        .bind(record.environment_id)
        .bind(record.connection_id)
        .bind(Json(&record.split))
        .bind(at)
        .execute(conn))?;
        Ok(())
    }

    /// Records that it is done. Closing it twice is harmless.
    pub async fn close_split(&mut self, id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE project_splits SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL"
        )
        .bind(id)
        .bind(at)
        .execute(conn))?;
        Ok(())
    }

    /// The open splits of a project, oldest first.
    pub async fn open_splits(&mut self, project_key: &str) -> Result<Vec<SplitRecord>, StoreError> {
        let rows: Vec<SplitRow> = on!(self, |conn| {
            sqlx::query_as(
            "SELECT id, project_key, job_id, user_id, vault_id, environment_id, connection_id, split
             FROM project_splits WHERE project_key = $1 AND closed_at IS NULL
             ORDER BY opened_at, id"
        )
        .bind(project_key)
        .fetch_all(conn)
        })?;
        rows.into_iter().map(SplitRecord::try_from).collect()
    }
}
