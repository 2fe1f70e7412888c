//! Reading jobs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::QueryBuilder;
use sqlx::types::Json;
use uuid::Uuid;

use super::row::{JobRow, columns};
use super::{JobFilter, JobView};
use crate::domain::job::{Job, JobAttempt, JobClass};
use crate::store::pauses::is_paused;
use crate::store::tx::{current_member, on, push_current_member, word};
use crate::store::{StoreError, Tx};

/// How long the bell has before the sweeper rings for the job whose turn it is.
const BELL_FIRST: Duration = Duration::from_secs(1);

#[derive(sqlx::FromRow)]
struct ViewRow {
    #[sqlx(flatten)]
    job: JobRow,
    repo_owner: String,
    repo_name: String,
    joined: i64,
    paused: bool,
    busy: bool,
}

impl TryFrom<ViewRow> for JobView {
    type Error = StoreError;

    fn try_from(row: ViewRow) -> Result<Self, StoreError> {
        Ok(Self {
            job: row.job.try_into()?,
            vault_name: format!("{}/{}", row.repo_owner, row.repo_name),
            requests: 1 + row.joined,
            is_paused: row.paused,
            is_behind: row.busy,
        })
    }
}

#[derive(sqlx::FromRow)]
struct AnsweredRow {
    #[sqlx(flatten)]
    job: JobRow,
    result: Option<Json<Value>>,
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    run: i64,
    worker: String,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
    outcome: String,
    error_code: Option<String>,
}

/// What a view has beside the job's own columns.
macro_rules! view_columns {
    () => {
        concat!(
            ", v.repo_owner, v.repo_name,
         (SELECT COUNT(*) FROM job_requesters r WHERE r.job_id = jobs.id) AS joined,
         jobs.state IN ('queued', 'waiting') AND ",
            is_paused!("jobs"),
            " AS paused,
         jobs.state IN ('queued', 'waiting') AND EXISTS (SELECT 1 FROM jobs o
             WHERE o.project_key = jobs.project_key AND o.state = 'running') AS busy"
        )
    };
}

/// That a member of the vault sees the job's environment, of whose secrets its jobs tell. The user
/// stands between the two parts.
macro_rules! not_hidden {
    (from) => {
        "jobs.environment_id NOT IN (SELECT e.id FROM environments e
             JOIN vault_members m ON m.vault_id = e.vault_id WHERE m.user_id = "
    };
    (if) => {
        " AND (e.read_role = 'admin' AND m.role <> 'admin'
             OR e.read_role = 'write' AND m.role = 'read'))"
    };
}

/// Adds the conditions of who asks and of the filter, except the cursor.
macro_rules! narrow {
    ($query:ident, $user_id:ident, $at:ident, $filter:ident) => {
        $query.push_bind($user_id);
        $query.push(
            " OR jobs.vault_id IN (SELECT m.vault_id FROM vault_members m WHERE m.user_id = ",
        );
        $query.push_bind($user_id);
        push_current_member!($query, $at);
        $query.push(concat!(") AND ", not_hidden!(from)));
        $query.push_bind($user_id);
        $query.push(concat!(not_hidden!(if), ") AND jobs.kind <> 'webhook'"));
        if let Some(vault_id) = $filter.vault_id {
            $query.push(" AND jobs.vault_id = ").push_bind(vault_id);
        }
        if let Some(connection_id) = $filter.connection_id {
            $query
                .push(" AND jobs.connection_id = ")
                .push_bind(connection_id);
        }
        if let Some(state) = $filter.state {
            $query.push(" AND jobs.state = ").push_bind(state.as_str());
        }
        if let Some(kind) = $filter.kind {
            $query.push(" AND jobs.kind = ").push_bind(kind.as_str());
        }
    };
}

impl Tx {
    /// A job that the user asked for, or whose environment the user sees as a member of the vault.
    /// Deliveries to webhooks are seen with their webhook only.
    pub async fn find_job(
        &mut self,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<JobView>, StoreError> {
        let at = self.members_at();
        let row: Option<ViewRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            view_columns!(),
            " FROM jobs JOIN vaults v ON v.id = jobs.vault_id
             WHERE jobs.id = $2 AND jobs.kind <> 'webhook'
                 AND (jobs.user_id = $1 OR ",
            not_hidden!(from),
            "$1",
            not_hidden!(if),
            " AND jobs.vault_id IN
                 (SELECT m.vault_id FROM vault_members m WHERE m.user_id = $1 AND ",
            current_member!("$3"),
            "))"
        ))
        .bind(user_id)
        .bind(id)
        .bind(at)
        .fetch_optional(conn))?;
        row.map(JobView::try_from).transpose()
    }

    /// A job as it stands. For the engine and for whoever waits for a job of its own.
    pub async fn job_snapshot(&mut self, id: Uuid) -> Result<Option<Job>, StoreError> {
        let row: Option<JobRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM jobs WHERE id = $1"
        ))
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Job::try_from).transpose()
    }

    /// The same, with what its caller is answered once it has ended. One statement.
    pub async fn job_with_result(
        &mut self,
        id: Uuid,
    ) -> Result<Option<(Job, Option<Value>)>, StoreError> {
        let row: Option<AnsweredRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            ", r.result FROM jobs LEFT JOIN job_reports r ON r.job_id = jobs.id
             WHERE jobs.id = $1"
        ))
        .bind(id)
        .fetch_optional(conn))?;
        row.map(|row| Ok((row.job.try_into()?, row.result.map(|json| json.0))))
            .transpose()
    }

    /// The jobs that [`Tx::find_job`] would give, newest first, and how many there are (the cursor
    /// left out of account).
    pub async fn list_jobs(
        &mut self,
        user_id: Uuid,
        filter: &JobFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<JobView>, i64), StoreError> {
        let at = self.members_at();
        let rows: Vec<ViewRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(concat!(
                "SELECT ",
                columns!(),
                view_columns!(),
                " FROM jobs JOIN vaults v ON v.id = jobs.vault_id
                 WHERE (jobs.user_id = "
            ));
            narrow!(query, user_id, at, filter);
            if let Some(cursor) = filter.cursor {
                query.push(" AND jobs.id < ").push_bind(cursor);
            }
            query.push(" ORDER BY jobs.id DESC LIMIT ").push_bind(limit);
            query.push(" OFFSET ").push_bind(offset);
            query.build_query_as().fetch_all(conn).await
        })?;
        let total: i64 = on!(self, |conn| async {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM jobs WHERE (jobs.user_id = ");
            narrow!(query, user_id, at, filter);
            query.build_query_scalar().fetch_one(conn).await
        })?;
        let views: Result<Vec<_>, _> = rows.into_iter().map(JobView::try_from).collect();
        Ok((views?, total))
    }

    /// The runs of a job that have ended, in order. Whether the caller may see the job is settled by
    /// [`Tx::find_job`] before.
    pub async fn list_attempts(&mut self, job_id: Uuid) -> Result<Vec<JobAttempt>, StoreError> {
        let rows: Vec<AttemptRow> = on!(self, |conn| sqlx::query_as(
            "SELECT run, worker, started_at, finished_at, outcome, error_code
             FROM job_attempts WHERE job_id = $1
             UNION ALL
             SELECT run, worker, COALESCE(claimed_at, finished_at), finished_at, state, error_code
             FROM jobs WHERE id = $1 AND finished_at IS NOT NULL AND run > 0
                 AND NOT EXISTS (SELECT 1 FROM job_attempts a
                     WHERE a.job_id = jobs.id AND a.run = jobs.run)
             ORDER BY run"
        )
        .bind(job_id)
        .fetch_all(conn))?;
        rows.into_iter()
            .map(|row| {
                Ok(JobAttempt {
                    error_code: row
                        .error_code
                        .map(|code| word(&code, "job_attempts", "error_code", job_id))
                        .transpose()?,
                    run: row.run,
                    worker: row.worker,
                    started_at: row.started_at,
                    finished_at: row.finished_at,
                    outcome: row.outcome,
                })
            })
            .collect()
    }

    /// Whether a job is writing to the project, or has stopped between two calls and will go on. For
    /// readers, to whom what is there now would not tell what will be.
    pub async fn is_project_written(&mut self, project_key: &str) -> Result<bool, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE project_key = $1 AND state = 'running')
                 OR EXISTS (SELECT 1 FROM project_splits s JOIN jobs j ON j.id = s.job_id
                     WHERE s.project_key = $1 AND s.closed_at IS NULL
                         AND j.state IN ('queued', 'running', 'waiting'))"
        )
        .bind(project_key)
        .fetch_one(conn))?)
    }

    /// Whether a job that writes to the project ran at any time since; one that was handed back
    /// shortly before counts as well. One statement.
    pub async fn was_project_written(
        &mut self,
        project_key: &str,
        since: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE project_key = $1 AND state = 'running')
                 OR EXISTS (SELECT 1 FROM jobs WHERE project_key = $1 AND finished_at >= $2)
                 OR EXISTS (SELECT 1 FROM jobs WHERE project_key = $1
                     AND state IN ('queued', 'waiting') AND claimed_at >= $3)"
        )
        .bind(project_key)
        .bind(since)
        // A claim bears a time from before it became visible.
        .bind(since - Duration::from_secs(1))
        .fetch_one(conn))?)
    }

    /// The job of a project that goes next, if it is due at `now`. To be asked for in the unit of work
    /// that sets the project free: however often its ring was put off while the project was busy, the
    /// sweeper finds it in a second, should the ring that follows be lost. One statement.
    pub async fn next_in_project(
        &mut self,
        project_key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(Uuid, JobClass)>, StoreError> {
        let row: Option<(Uuid, String)> = on!(self, |conn| sqlx::query_as(concat!(
            "UPDATE jobs SET ring_at = $3, rings = 0
             WHERE state IN ('queued', 'waiting') AND id = (SELECT id FROM jobs
                 WHERE project_key = $1 AND state IN ('queued', 'waiting') AND due_at <= $2
                     AND NOT ",
            is_paused!("jobs"),
            " ORDER BY class DESC, created_at, id LIMIT 1)
             RETURNING id, class"
        ))
        .bind(project_key)
        .bind(now)
        .bind(now + BELL_FIRST)
        .fetch_optional(conn))?;
        row.map(|(id, class)| Ok((id, word(&class, "jobs", "class", id)?)))
            .transpose()
    }
}
