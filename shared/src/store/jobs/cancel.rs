//! Stopping jobs.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Cancelled;
use crate::domain::job::JobState;
use crate::store::tx::{changed, on, word};
use crate::store::{StoreError, Tx};

/// What stops a job: at once if nobody runs it, else before its next call. Its conditions follow.
macro_rules! stop {
    () => {
        "UPDATE jobs SET cancel_requested = TRUE,
             state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
             error_code = CASE WHEN state = 'running' THEN error_code ELSE 'cancelled' END,
             finished_at = CASE WHEN state = 'running' THEN finished_at ELSE $2 END
         WHERE state IN ('queued', 'waiting', 'running') AND "
    };
}

impl Tx {
    /// Takes one request for a job back: that of somebody who asked for it. The job ends with its last
    /// request; `for_all` takes all of them back at once.
    pub async fn cancel_job(
        &mut self,
        id: Uuid,
        for_all: bool,
        at: DateTime<Utc>,
    ) -> Result<Cancelled, StoreError> {
        if !for_all && self.detach_requester(id).await? {
            return Ok(Cancelled::Detached);
        }
        let state: Option<String> = on!(self, |conn| sqlx::query_scalar(concat!(
            stop!(),
            "id = $1 RETURNING state"
        ))
        .bind(id)
        .bind(at)
        .fetch_optional(conn))?;
        let state = state
            .map(|state| word(&state, "jobs", "state", id))
            .transpose()?;
        Ok(match state {
            None => Cancelled::TooLate,
            Some(JobState::Running) => Cancelled::Asked,
            Some(_) => Cancelled::Ended,
        })
    }

    /// Ends what waits on a connection that goes away, and asks what runs to stop. Gives the jobs that
    /// ended or are to stop, and which of the two.
    pub async fn cancel_connection_jobs(
        &mut self,
        connection_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Vec<(Uuid, JobState)>, StoreError> {
        let rows: Vec<(Uuid, String)> = on!(self, |conn| sqlx::query_as(concat!(
            stop!(),
            "connection_id = $1 RETURNING id, state"
        ))
        .bind(connection_id)
        .bind(at)
        .fetch_all(conn))?;
        rows.into_iter()
            .map(|(id, state)| Ok((id, word(&state, "jobs", "state", id)?)))
            .collect()
    }

    /// Makes due what waits on a connection that is dead. A job whose end is just being written is left
    /// to that: whoever does so may be waiting for the connection's row in turn.
    pub(in crate::store) async fn hasten_connection_jobs(
        &mut self,
        connection_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE jobs SET due_at = $2, ring_at = $2 WHERE id IN
                 (SELECT id FROM jobs WHERE connection_id = $1 AND state IN ('queued', 'waiting')
                  ORDER BY id {})",
            self.dialect().skip_locked
        );
        changed!(self, |conn| sqlx::query(AssertSqlSafe(sql))
            .bind(connection_id)
            .bind(at)
            .execute(conn))?;
        Ok(())
    }

    /// Takes one of the requests back that joined an unfinished job. False when there is none.
    async fn detach_requester(&mut self, id: Uuid) -> Result<bool, StoreError> {
        // The job's row is locked: of two that cancel at once, each takes a request of its own.
        let open = changed!(self, |conn| sqlx::query(
            "UPDATE jobs SET rings = rings
             WHERE id = $1 AND state IN ('queued', 'waiting', 'running')"
        )
        .bind(id)
        .execute(conn))?;
        if open == 0 {
            return Ok(false);
        }
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM job_requesters WHERE id = (SELECT id FROM job_requesters
                 WHERE job_id = $1 ORDER BY joined_at DESC, id DESC LIMIT 1)"
        )
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }
}
