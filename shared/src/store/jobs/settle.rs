//! Ending a run.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Handback, Settlement};
use crate::domain::job::{ErrorCode, JobState};
use crate::store::tx::{changed, on};
use crate::store::{StoreError, Tx};

/// What the history keeps of a run that ended.
#[derive(sqlx::FromRow)]
pub(super) struct EndedRun {
    pub(super) id: Uuid,
    pub(super) run: i64,
    pub(super) worker: Option<String>,
    pub(super) claimed_at: Option<DateTime<Utc>>,
    /// What it was left in.
    pub(super) state: String,
}

impl Tx {
    /// Ends a job, and gives the time at which it ended, which is this unit of work's from then on.
    /// Nothing when the lease is lost: then nothing was written, and the caller must not write anything
    /// else that rests on having held it.
    ///
    /// The last run is not added to the history: the job itself says how that one ended.
    pub async fn settle_job(
        &mut self,
        settlement: &Settlement,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.given_now();
        let ended: Option<DateTime<Utc>> = on!(self, |conn| sqlx::query_scalar(
            "UPDATE jobs SET state = $3, error_code = $4, error = $5,
                 provider_calls = provider_calls + $6, rate_limited_ms = rate_limited_ms + $7,
                 progress_done = $8, progress_total = $9,
                 finished_at = COALESCE($10, CURRENT_TIMESTAMP), lease_id = NULL,
                 lease_until = NULL, leased_at = NULL
             WHERE id = $1 AND lease_id = $2 AND state = 'running' RETURNING finished_at"
        )
        .bind(settlement.id)
        .bind(settlement.lease_id)
        .bind(settlement.state.as_str())
        .bind(settlement.error_code.map(ErrorCode::as_str))
        .bind(&settlement.error)
        .bind(settlement.provider_calls_add)
        .bind(settlement.rate_limited_ms_add)
        .bind(settlement.progress_done)
        .bind(settlement.progress_total)
        .bind(now)
        .fetch_optional(conn))?;
        self.now = ended.or(self.now);
        Ok(ended)
    }

    /// Puts a running job aside until its due time, and sets its project free. A job whose
    /// cancellation was asked for is cancelled instead. Gives the time of the unit of work; nothing when the lease is lost.
    pub async fn wait_job(
        &mut self,
        handback: &Handback<'_>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.now().await?;
        let uncounted = i64::from(!handback.counts);
        let reason = (handback.state == JobState::Waiting).then_some(handback.reason);
        let run: Option<EndedRun> = on!(self, |conn| sqlx::query_as(
            "UPDATE jobs SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE $3 END,
                 error_code = CASE WHEN cancel_requested THEN 'cancelled' ELSE $4 END,
                 finished_at = CASE WHEN cancel_requested THEN $5 ELSE finished_at END,
                 due_at = $6, ring_at = $6, rings = 0, waiting_reason = $7,
                 attempt = attempt - $8, provider_calls = provider_calls + $9,
                 rate_limited_ms = rate_limited_ms + $10, lease_id = NULL, lease_until = NULL,
                 leased_at = NULL, project_key = COALESCE($11, project_key)
             WHERE id = $1 AND lease_id = $2 AND state = 'running'
             RETURNING id, run, worker, claimed_at, state"
        )
        .bind(handback.id)
        .bind(handback.lease_id)
        .bind(handback.state.as_str())
        .bind(handback.error_code.map(ErrorCode::as_str))
        .bind(now)
        .bind(handback.due_at)
        .bind(reason)
        .bind(uncounted)
        .bind(handback.provider_calls_add)
        .bind(handback.rate_limited_ms_add)
        .bind(handback.project_key)
        .fetch_optional(conn))?;
        let Some(run) = run else {
            return Ok(None);
        };
        self.end_run(&run, handback.error_code, now).await?;
        Ok(Some(now))
    }

    /// Records what a job sets out to do, in place of what it recorded before. False when the lease is
    /// lost. One statement.
    pub async fn record_plan(
        &mut self,
        id: Uuid,
        lease_id: Uuid,
        planned: &Value,
    ) -> Result<bool, StoreError> {
        let statement = self.dialect().record_plan;
        let rows = changed!(self, |conn| sqlx::query(statement)
            .bind(id)
            .bind(lease_id)
            .bind(Json(planned))
            .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes what a job that goes on later has done so far. To follow [`Tx::wait_job`], in the same
    /// unit of work.
    pub async fn note_outcomes(&mut self, id: Uuid, outcomes: &Value) -> Result<(), StoreError> {
        self.write_report(id, Some(outcomes), None).await
    }

    /// Adds a run to the history.
    async fn end_run(
        &mut self,
        run: &EndedRun,
        error_code: Option<ErrorCode>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO job_attempts
                 (job_id, run, worker, started_at, finished_at, outcome, error_code)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        )
        .bind(run.id)
        .bind(run.run)
        .bind(run.worker.as_deref().unwrap_or_default())
        .bind(run.claimed_at.unwrap_or(now))
        .bind(now)
        .bind(&run.state)
        .bind(error_code.map(ErrorCode::as_str))
        .execute(conn))?;
        Ok(())
    }
}
