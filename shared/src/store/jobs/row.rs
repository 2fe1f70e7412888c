//! A job's row.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::job::Job;
use crate::store::StoreError;
use crate::store::tx::{inconsistent, word};

/// The columns that make a [`Job`].
macro_rules! columns {
    () => {
        "jobs.id, jobs.kind, jobs.class, jobs.state, jobs.attempt, jobs.run, jobs.takeovers,
         jobs.user_id, jobs.vault_id, jobs.environment_id, jobs.connection_id, jobs.project_key,
         jobs.request, jobs.retry_of, jobs.due_at, jobs.waiting_reason, jobs.worker, jobs.lease_id,
         jobs.lease_until, jobs.cancel_requested, jobs.progress_done, jobs.progress_total,
         jobs.provider_calls, jobs.rate_limited_ms, jobs.error_code, jobs.error, jobs.created_at,
         jobs.started_at, jobs.finished_at, jobs.deadline_at, jobs.api_key_id"
    };
}
pub(super) use columns;

#[derive(sqlx::FromRow)]
pub(super) struct JobRow {
    id: Uuid,
    kind: String,
    class: String,
    state: String,
    attempt: i64,
    run: i64,
    takeovers: i64,
    user_id: Uuid,
    vault_id: Uuid,
    environment_id: Uuid,
    connection_id: Uuid,
    project_key: Option<String>,
    request: Json<serde_json::Value>,
    retry_of: Option<Uuid>,
    due_at: DateTime<Utc>,
    waiting_reason: Option<String>,
    worker: Option<String>,
    lease_id: Option<Uuid>,
    lease_until: Option<DateTime<Utc>>,
    cancel_requested: bool,
    progress_done: i64,
    progress_total: i64,
    provider_calls: i64,
    rate_limited_ms: i64,
    error_code: Option<String>,
    error: Option<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    deadline_at: DateTime<Utc>,
    api_key_id: Option<Uuid>,
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let id = row.id;
        Ok(Self {
            id,
            kind: word(&row.kind, "jobs", "kind", id)?,
            class: word(&row.class, "jobs", "class", id)?,
            state: word(&row.state, "jobs", "state", id)?,
            attempt: row.attempt,
            run: row.run,
            takeovers: row.takeovers,
            user_id: row.user_id,
            vault_id: row.vault_id,
            environment_id: row.environment_id,
            connection_id: row.connection_id,
            project_key: row.project_key,
            request: serde_json::from_value(row.request.0)
                .map_err(|_| inconsistent("jobs", "request", id))?,
            retry_of: row.retry_of,
            api_key_id: row.api_key_id,
            due_at: row.due_at,
            waiting_reason: row.waiting_reason,
            worker: row.worker,
            lease_id: row.lease_id,
            lease_until: row.lease_until,
            cancel_requested: row.cancel_requested,
            progress_done: row.progress_done,
            progress_total: row.progress_total,
            provider_calls: row.provider_calls,
            rate_limited_ms: row.rate_limited_ms,
            error_code: row
                .error_code
                .map(|code| word(&code, "jobs", "error_code", id))
                .transpose()?,
            error: row.error,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            deadline_at: row.deadline_at,
        })
    }
}
