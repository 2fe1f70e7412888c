//! Accepting jobs.

use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use super::Accepted;
use crate::domain::job::{JobState, NewJob};
use crate::store::tx::{changed, on};
use crate::store::{StoreError, Tx};

/// How long the bell has before the sweeper rings for a new job.
pub(in crate::store) const FIRST_RING: Duration = Duration::from_secs(2);

/// Adds a job: its parameters are those of [`bind`].
macro_rules! insert {
    () => {
        "INSERT INTO jobs (id, kind, class, state, attempt, run, takeovers, user_id, vault_id,
             environment_id, connection_id, project_key, request, retry_of, join_key, due_at,
             ring_at, rings, cancel_requested, progress_done, progress_total, provider_calls,
             rate_limited_ms, created_at, deadline_at, link_id, api_key_id, asked_platform,
             asked_ip, asked_session_id, asked_request_id)
         VALUES ($1, $2, $3, $4, 0, 0, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, FALSE, 0, 0,
             0, 0, $13, $15, $16, $17, $18, $19, $20, $21)"
    };
}

/// Binds what [`insert!`] names.
macro_rules! bind {
    ($query:expr, $job:expr, $join_key:expr) => {
        $query
            .bind($job.id)
            .bind($job.kind.as_str())
            .bind($job.class.as_str())
            .bind(JobState::Queued.as_str())
            .bind($job.user_id)
            .bind($job.vault_id)
            .bind($job.environment_id)
            .bind($job.connection_id)
            .bind(&$job.project_key)
            .bind(Json(&$job.request))
            .bind($job.retry_of)
            .bind($join_key)
            .bind($job.created_at)
            .bind($job.created_at + FIRST_RING)
            .bind($job.deadline_at)
            .bind($job.request.link_id)
            .bind($job.api_key_id)
            .bind($job.asked.as_ref().map(|asked| asked.platform.as_str()))
            .bind($job.asked.as_ref().and_then(|asked| asked.ip.as_ref()))
            .bind($job.asked.as_ref().and_then(|asked| asked.session_id))
            .bind($job.asked.as_ref().map(|asked| &asked.request_id))
    };
}

impl Tx {
    /// Adds a job: queued, due at `created_at`, which is to come from [`Tx::now`]. The sweeper rings
    /// for it only if nobody took it within two seconds; the bell comes first.
    pub async fn insert_job(&mut self, job: &NewJob) -> Result<(), StoreError> {
        let alone: Option<String> = None;
        changed!(self, |conn| bind!(sqlx::query(insert!()), job, &alone)
            .execute(conn))?;
        Ok(())
    }

    /// Adds a job, unless one that is equal in everything but its id, class and times waits for its
    /// first start: then the request joins that one, which is due no later and in no lower class than
    /// the request asked for. One statement decides; a job that starts meanwhile is not joined.
    ///
    /// Only a job that was accepted by this method is joined.
    pub async fn accept_job(&mut self, job: &NewJob) -> Result<Accepted, StoreError> {
        let join_key = join_key(job);
        let id: Uuid = on!(self, |conn| bind!(
            sqlx::query_scalar(concat!(
                insert!(),
                " ON CONFLICT (join_key) WHERE state = 'queued' AND run = 0 DO UPDATE SET
                     class = CASE WHEN excluded.class > jobs.class
                         THEN excluded.class ELSE jobs.class END,
                     due_at = CASE WHEN excluded.due_at < jobs.due_at
                         THEN excluded.due_at ELSE jobs.due_at END,
                     ring_at = CASE WHEN excluded.ring_at < jobs.ring_at
                         THEN excluded.ring_at ELSE jobs.ring_at END
                 RETURNING id"
            )),
            job,
            &join_key
        )
        .fetch_one(conn))?;
        if id == job.id {
            return Ok(Accepted::New);
        }
        changed!(self, |conn| sqlx::query(
            "INSERT INTO job_requesters (id, job_id, user_id, joined_at) VALUES ($1, $2, $3, $4)"
        )
        .bind(job.id)
        .bind(id)
        .bind(job.user_id)
        .bind(job.created_at)
        .execute(conn))?;
        Ok(Accepted::Joined(id))
    }
}

/// Equal for jobs that do the same with the same authority, and only for those.
fn join_key(job: &NewJob) -> String {
    let parts = serde_json::json!([
        job.kind,
        job.user_id,
        job.vault_id,
        job.environment_id,
        job.connection_id,
        job.project_key,
        job.request,
        job.api_key_id,
    ]);
    hex::encode(Sha256::digest(parts.to_string()))
}
