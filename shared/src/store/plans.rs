//! Plans that a preview showed, kept for the sync that is to carry one out.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, inconsistent, on};
use super::{StoreError, Tx};
use crate::sync::options::SyncRequest;
use crate::sync::saved::SavedPlan;

/// A plan, what it was made for and until when it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlan {
    /// Identity.
    pub id: Uuid,
    /// Whom it was shown to.
    pub user_id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// The vault's environment.
    pub environment_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// What the preview was asked for.
    pub request: SyncRequest,
    /// What it showed.
    pub plan: SavedPlan,
    /// When it was shown.
    pub created_at: DateTime<Utc>,
    /// After this time no sync is accepted with it.
    pub expires_at: DateTime<Utc>,
    /// The sync that was accepted with it.
    pub job_id: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct PlanRow {
    id: Uuid,
    user_id: Uuid,
    vault_id: Uuid,
    environment_id: Uuid,
    connection_id: Uuid,
    request: Json<serde_json::Value>,
    plan: Json<serde_json::Value>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    job_id: Option<Uuid>,
}

impl TryFrom<PlanRow> for StoredPlan {
    type Error = StoreError;

    fn try_from(row: PlanRow) -> Result<Self, StoreError> {
        let damaged = |column| move |_| inconsistent("plans", column, row.id);
        Ok(Self {
            request: serde_json::from_value(row.request.0).map_err(damaged("request"))?,
            plan: serde_json::from_value(row.plan.0).map_err(damaged("plan"))?,
            id: row.id,
            user_id: row.user_id,
            vault_id: row.vault_id,
            environment_id: row.environment_id,
            connection_id: row.connection_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            job_id: row.job_id,
        })
    }
}

impl Tx {
    /// Keeps a plan.
    pub async fn insert_plan(&mut self, plan: &StoredPlan) -> Result<(), StoreError> {
        changed!(self, |conn| {
            sqlx::query(
            "INSERT INTO plans (id, user_id, vault_id, environment_id, connection_id, request, plan,
                 created_at, expires_at, job_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        )
        .bind(plan.id)
        .bind(plan.user_id)
        .bind(plan.vault_id)
        .bind(plan.environment_id)
        .bind(plan.connection_id)
        .bind(Json(&plan.request))
        .bind(Json(&plan.plan))
        .bind(plan.created_at)
        .bind(plan.expires_at)
        .bind(plan.job_id)
        .execute(conn)
        })?;
        Ok(())
    }

    /// A plan that was shown to this user, also an expired or used one.
    pub async fn find_plan(
        &mut self,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<StoredPlan>, StoreError> {
        let row: Option<PlanRow> = on!(self, |conn| {
            sqlx::query_as(
            "SELECT id, user_id, vault_id, environment_id, connection_id, request, plan, created_at,
                 expires_at, job_id
             FROM plans WHERE user_id = $1 AND id = $2"
        )
        .bind(user_id)
        .bind(id)
        .fetch_optional(conn)
        })?;
        row.map(StoredPlan::try_from).transpose()
    }

    /// Uses a plan for a job. False when it was used or has expired at `now`.
    pub async fn use_plan(
        &mut self,
        id: Uuid,
        job_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE plans SET job_id = $2 WHERE id = $1 AND job_id IS NULL AND expires_at > $3"
        )
        .bind(id)
        .bind(job_id)
        .bind(now)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Deletes plans that expired before a time, at most `limit`, except those of jobs that have not
    /// ended. Gives how many.
    pub async fn prune_plans(
        &mut self,
        expired_before: DateTime<Utc>,
        limit: i64,
    ) -> Result<u64, StoreError> {
        Ok(changed!(self, |conn| sqlx::query(
            "DELETE FROM plans WHERE id IN (SELECT p.id FROM plans p
                 WHERE p.expires_at < $1 AND NOT EXISTS (SELECT 1 FROM jobs j
                     WHERE j.id = p.job_id AND j.state IN ('queued', 'running', 'waiting'))
                 ORDER BY p.expires_at LIMIT $2)"
        )
        .bind(expired_before)
        .bind(limit)
        .execute(conn))?)
    }
}
