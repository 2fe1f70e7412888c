//! What the sweeper does: it rings again, takes over and ends what is overdue.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, QueryBuilder};
use uuid::Uuid;

use super::settle::EndedRun;
use super::{QueueDepth, ReturnedJob};
use crate::domain::job::JobClass;
use crate::store::pauses::is_paused;
use crate::store::tx::{changed, on, word};
use crate::store::{CHUNK, StoreError, Tx};

/// The next ring after so many without a claim: the pauses double up to a cap. Its parameters are
/// those of [`ring_times`], from the third on.
macro_rules! next_ring {
    () => {
        "CASE rings WHEN 0 THEN $3 WHEN 1 THEN $4 WHEN 2 THEN $5 WHEN 3 THEN $6 WHEN 4 THEN $7
             ELSE $8 END"
    };
}
pub(super) use next_ring;

/// When the next ring may be, after none, one, … five and more rings without a claim.
pub(super) fn ring_times(now: DateTime<Utc>) -> [DateTime<Utc>; 6] {
    [1, 2, 4, 8, 16, 30].map(|secs| now + Duration::from_secs(secs))
}

/// Which running jobs to take back.
enum Lost<'a> {
    Expired {
        /// Leases that ended before.
        ended: DateTime<Utc>,
        /// Leases that were granted later.
        granted: DateTime<Utc>,
        limit: i64,
    },
    /// Those of workers whose ids begin so.
    Workers { prefix: &'a str },
}

#[derive(sqlx::FromRow)]
struct LostRow {
    #[sqlx(flatten)]
    run: EndedRun,
    class: String,
}

impl Tx {
    /// Due jobs of a class that nobody took, the longest unrung first, without those whose project
    /// is busy or that are paused. Their next ring is put off in the same statement, so that no other sweeper gets them
    /// as well.
    pub async fn due_jobs(&mut self, class: JobClass, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let now = self.now().await?;
        let next = ring_times(now);
        let sql = format!(
            concat!(
                "WITH due AS MATERIALIZED (
                     SELECT id FROM jobs
                     WHERE class = $1 AND state IN ('queued', 'waiting') AND ring_at <= $2
                         AND due_at <= $2
                         AND NOT EXISTS (SELECT 1 FROM jobs o
                             WHERE o.project_key = jobs.project_key AND o.state = 'running')
                         AND NOT ",
                is_paused!("jobs"),
                " ORDER BY ring_at LIMIT $9 {skip_locked})
                 UPDATE jobs SET rings = rings + 1, ring_at = ",
                next_ring!(),
                " WHERE id IN (SELECT id FROM due) RETURNING id, created_at"
            ),
            skip_locked = self.dialect().skip_locked
        );
        let mut rows: Vec<(Uuid, DateTime<Utc>)> =
            on!(self, |conn| sqlx::query_as(AssertSqlSafe(sql))
                .bind(class.as_str())
                .bind(now)
                .bind(next[0])
                .bind(next[1])
                .bind(next[2])
                .bind(next[3])
                .bind(next[4])
                .bind(next[5])
                .bind(limit)
                .fetch_all(conn))?;
        rows.sort_unstable_by_key(|(id, created_at)| (*created_at, *id));
        Ok(rows.into_iter().map(|(id, _)| id).collect())
    }

    /// Takes jobs back whose lease ran out at least `margin` ago, or was granted in the future by a
    /// clock that has been set back since. They are due at once; those that were to be cancelled are.
    /// It counts as a takeover only if the holder's process has not shown itself since the lease
    /// ended.
    pub async fn expired_jobs(
        &mut self,
        limit: i64,
        margin: Duration,
    ) -> Result<Vec<ReturnedJob>, StoreError> {
        let now = self.now().await?;
        let lost = Lost::Expired {
            ended: now - margin,
            granted: now + margin,
            limit,
        };
        self.take_back(now, &lost).await
    }

    /// Ends queued and waiting jobs past their deadline, and gives them.
    pub async fn overdue_jobs(&mut self, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let now = self.now().await?;
        let sql = format!(
            "WITH overdue AS MATERIALIZED (
                 SELECT id FROM jobs WHERE state IN ('queued', 'waiting') AND deadline_at <= $1
                 ORDER BY deadline_at LIMIT $2 {skip_locked})
             UPDATE jobs SET state = 'failed', error_code = 'deadline', finished_at = $1,
                 error = 'It was not done within its time.'
             WHERE id IN (SELECT id FROM overdue) RETURNING id",
            skip_locked = self.dialect().skip_locked
        );
        Ok(on!(self, |conn| sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(now)
            .bind(limit)
            .fetch_all(conn))?)
    }

    /// How much is due, by class. A class of which nothing is due is not listed. What is paused counts,
    /// but is not late.
    pub async fn queue_depth(&mut self) -> Result<Vec<QueueDepth>, StoreError> {
        let now = self.now().await?;
        let rows: Vec<(String, i64, Option<DateTime<Utc>>)> =
            on!(self, |conn| sqlx::query_as(concat!(
                "SELECT class, COUNT(*), MIN(due_at) FILTER (WHERE NOT ",
                is_paused!("jobs"),
                ") FROM jobs
                 WHERE state IN ('queued', 'waiting') AND due_at <= $1
                 GROUP BY class ORDER BY class"
            ))
            .bind(now)
            .fetch_all(conn))?;
        rows.into_iter()
            .map(|(class, depth, oldest_due)| {
                Ok(QueueDepth {
                    class: word(&class, "jobs", "class", "(grouped)")?,
                    depth,
                    oldest_due,
                })
            })
            .collect()
    }

    /// The ring time of the job that the sweeper should have rung for first, if it is late for any.
    pub async fn oldest_unrung(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let now = self.now().await?;
        Ok(on!(self, |conn| sqlx::query_scalar(concat!(
            "SELECT MIN(ring_at) FROM jobs
             WHERE state IN ('queued', 'waiting') AND ring_at <= $1 AND due_at <= $1
                 AND NOT EXISTS (SELECT 1 FROM jobs o
                     WHERE o.project_key = jobs.project_key AND o.state = 'running')
                 AND NOT ",
            is_paused!("jobs")
        ))
        .bind(now)
        .fetch_one(conn))?)
    }

    /// Takes every running job back, or those of workers whose id starts so: for the only process of
    /// an SQLite database at its start. How many there were.
    pub async fn release_worker_leases(
        &mut self,
        worker_prefix: Option<&str>,
    ) -> Result<i64, StoreError> {
        let now = self.now().await?;
        let prefix = worker_prefix.unwrap_or_default();
        let jobs = self.take_back(now, &Lost::Workers { prefix }).await?;
        Ok(jobs.len() as i64)
    }

    async fn take_back(
        &mut self,
        now: DateTime<Utc>,
        lost: &Lost<'_>,
    ) -> Result<Vec<ReturnedJob>, StoreError> {
        let dialect = self.dialect();
        let rows: Vec<LostRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "WITH lost AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'running'",
            );
            match lost {
                Lost::Expired {
                    ended,
                    granted,
                    limit,
                } => {
                    query.push(" AND (lease_until <= ").push_bind(*ended);
                    query.push(" OR leased_at > ").push_bind(*granted);
                    query.push(") ORDER BY lease_until LIMIT ");
                    query.push_bind(*limit);
                }
                Lost::Workers { prefix } => {
                    query.push(" AND substr(worker, 1, ");
                    query.push_bind(prefix.chars().count() as i32);
                    query.push(") = ").push_bind(*prefix);
                }
            }
            query.push(" ").push(dialect.skip_locked);
            query.push(
                ") UPDATE jobs SET
                     state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
                     error_code = CASE WHEN cancel_requested THEN 'cancelled' END,
                     finished_at = CASE WHEN cancel_requested THEN ",
            );
            query.push_bind(now);
            query.push(" END, due_at = ").push_bind(now);
            query.push(", ring_at = ").push_bind(now);
            query.push(
                ", rings = 0, takeovers = takeovers + CASE WHEN EXISTS (
                         SELECT 1 FROM processes p
                         WHERE p.id = jobs.worker AND p.heartbeat_at > jobs.lease_until)
                     OR leased_at > ",
            );
            query.push_bind(now);
            query.push(
                " THEN 0 ELSE 1 END, lease_id = NULL, lease_until = NULL, leased_at = NULL
                 WHERE id IN (SELECT id FROM lost)
                 RETURNING id, run, worker, claimed_at, state, class",
            );
            query.build_query_as().fetch_all(conn).await
        })?;
        self.record_lost(&rows, now).await?;
        rows.into_iter()
            .map(|row| {
                let id = row.run.id;
                Ok(ReturnedJob {
                    id,
                    class: word(&row.class, "jobs", "class", id)?,
                    state: word(&row.run.state, "jobs", "state", id)?,
                })
            })
            .collect()
    }

    /// Adds runs to the history whose workers did not end them.
    async fn record_lost(
        &mut self,
        rows: &[LostRow],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        for chunk in rows.chunks(CHUNK) {
            changed!(self, |conn| async {
                let mut query = QueryBuilder::new(
                    "INSERT INTO job_attempts
                         (job_id, run, worker, started_at, finished_at, outcome) ",
                );
                query.push_values(chunk, |mut values, row| {
                    values
                        .push_bind(row.run.id)
                        .push_bind(row.run.run)
                        .push_bind(row.run.worker.as_deref().unwrap_or_default())
                        .push_bind(row.run.claimed_at.unwrap_or(now))
                        .push_bind(now)
                        .push_bind("lost");
                });
                query.build().persistent(false).execute(conn).await
            })?;
        }
        Ok(())
    }
}
