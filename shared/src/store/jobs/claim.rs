//! Taking a job and keeping it.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use super::row::{JobRow, columns};
use super::sweep::{next_ring, ring_times};
use super::{Claim, Renewal};
use crate::domain::job::Job;
use crate::store::pauses::is_paused;
use crate::store::tx::{Conn, Unit, changed, on};
use crate::store::{Constraint, StoreError, Tx};

impl Tx {
    /// Takes a job under a new lease: due, not running, and, where it writes, no other job of its
    /// project running or going first (class, then arrival). A job without a project key takes part
    /// in none of this.
    ///
    /// On Postgres it is one statement, whose commit is not waited for. Must be the first call of its
    /// unit of work: a race for the project that is lost at the last moment begins a transaction anew.
    pub async fn claim_job(
        &mut self,
        id: Uuid,
        worker: &str,
        lease_id: Uuid,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        match self.try_claim(id, worker, lease_id, lease).await {
            Ok(Some(job)) => Ok(Claim::Taken(Box::new(job))),
            Ok(None) => self.put_off(id).await,
            Err(StoreError::Conflict(Constraint::JobsProjectRunning)) => {
                if let Conn::Postgres(Unit::Transaction(tx)) = &mut self.conn {
                    // The failed statement has spoilt the transaction, and nothing is in it yet.
                    sqlx::raw_sql("ROLLBACK AND CHAIN")
                        .execute(&mut **tx)
                        .await?;
                }
                self.put_off(id).await
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a running job the key of its project, once the project's id is known. False when another
    /// job of the project runs, or the lease is lost; the unit of work can go on either way.
    pub async fn take_project(
        &mut self,
        id: Uuid,
        lease_id: Uuid,
        project_key: &str,
    ) -> Result<bool, StoreError> {
        let result = changed!(self, |conn| async {
            // A savepoint, since the violation of a constraint spoils a transaction on Postgres.
            let mut savepoint = conn.begin().await?;
            let result = sqlx::query(
                "UPDATE jobs SET project_key = $3
                 WHERE id = $1 AND lease_id = $2 AND state = 'running'",
            )
            .bind(id)
            .bind(lease_id)
            .bind(project_key)
            .execute(&mut *savepoint)
            .await;
            if result.is_ok() {
                savepoint.commit().await?;
            } else {
                savepoint.rollback().await?;
            }
            result
        });
        match result.map_err(StoreError::from) {
            Ok(rows) => Ok(rows == 1),
            Err(StoreError::Conflict(Constraint::JobsProjectRunning)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Extends a lease to `lease` from now. One that has run out, but that nobody has taken over yet,
    /// goes on as well.
    pub async fn renew_lease(
        &mut self,
        id: Uuid,
        lease_id: Uuid,
        lease: Duration,
    ) -> Result<Renewal, StoreError> {
        let now = self.now().await?;
        let cancel_requested: Option<bool> = on!(self, |conn| sqlx::query_scalar(
            "UPDATE jobs SET lease_until = $3, leased_at = $4
             WHERE id = $1 AND lease_id = $2 AND state = 'running'
             RETURNING cancel_requested"
        )
        .bind(id)
        .bind(lease_id)
        .bind(now + lease)
        .bind(now)
        .fetch_optional(conn))?;
        Ok(match cancel_requested {
            Some(cancel_requested) => Renewal::Held { cancel_requested },
            None => Renewal::Lost,
        })
    }

    /// Notes how far a job is. Nothing happens when the lease is lost. Progress forgives earlier
    /// takeovers.
    pub async fn set_progress(
        &mut self,
        id: Uuid,
        lease_id: Uuid,
        done: i64,
        total: i64,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE jobs SET progress_done = $3, progress_total = $4,
                 takeovers = CASE WHEN $3 > 0 AND $3 <> progress_done THEN 0 ELSE takeovers END
             WHERE id = $1 AND lease_id = $2 AND state = 'running'"
        )
        .bind(id)
        .bind(lease_id)
        .bind(done)
        .bind(total)
        .execute(conn))?;
        Ok(())
    }

    async fn try_claim(
        &mut self,
        id: Uuid,
        worker: &str,
        lease_id: Uuid,
        lease: Duration,
    ) -> Result<Option<Job>, StoreError> {
        let now = self.given_now();
        let dialect = self.dialect();
        let sql = format!(
            concat!(
                "UPDATE jobs SET state = 'running', worker = $2, lease_id = $3,
                     lease_until = {lease_until}, leased_at = {now}, claimed_at = {now},
                     started_at = COALESCE(started_at, {now}), run = run + 1,
                     attempt = attempt + 1, rings = 0, waiting_reason = NULL, error_code = NULL
                 WHERE id = $1 AND state IN ('queued', 'waiting') AND due_at <= {now} AND {fleeting}
                     AND NOT ",
                is_paused!("jobs"),
                " AND NOT EXISTS (SELECT 1 FROM jobs o
                         WHERE o.project_key = jobs.project_key AND o.state = 'running')
                     AND NOT EXISTS (SELECT 1 FROM jobs o
                         WHERE o.project_key = jobs.project_key
                             AND o.state IN ('queued', 'waiting') AND o.due_at <= {now}
                             AND (o.class > jobs.class OR (o.class = jobs.class
                                 AND (o.created_at, o.id) < (jobs.created_at, jobs.id)))
                             AND NOT ",
                is_paused!("o"),
                ") RETURNING ",
                columns!()
            ),
            now = "COALESCE($5, CURRENT_TIMESTAMP)",
            lease_until = dialect.lease_until,
            fleeting = dialect.fleeting,
        );
        // All rows, of which there is one: SQLite commits a statement that stands alone when it has run
        // to its end, and says only there when it could not.
        let rows: Vec<JobRow> = on!(self, |conn| sqlx::query_as(AssertSqlSafe(sql))
            .bind(id)
            .bind(worker)
            .bind(lease_id)
            .bind(now.map(|now| now + lease))
            .bind(now)
            .bind(lease.as_secs_f64())
            .fetch_all(conn))?;
        rows.into_iter().next().map(Job::try_from).transpose()
    }

    /// Puts off the next ring of a job that could not be claimed. One that is not due keeps it.
    async fn put_off(&mut self, id: Uuid) -> Result<Claim, StoreError> {
        let now = self.now().await?;
        let next = ring_times(now);
        let rows = changed!(self, |conn| sqlx::query(concat!(
            "UPDATE jobs SET rings = CASE WHEN due_at > $2 THEN rings ELSE rings + 1 END,
                 ring_at = CASE WHEN due_at > $2 THEN ring_at ELSE ",
            next_ring!(),
            " END WHERE id = $1 AND state IN ('queued', 'waiting')"
        ))
        .bind(id)
        .bind(now)
        .bind(next[0])
        .bind(next[1])
        .bind(next[2])
        .bind(next[3])
        .bind(next[4])
        .bind(next[5])
        .execute(conn))?;
        Ok(if rows == 1 { Claim::Busy } else { Claim::Gone })
    }
}
