//! What the database says of jobs, read past the program.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use uuid::Uuid;

/// A job.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct JobRow {
    pub(crate) id: Uuid,
    pub(crate) state: String,
    pub(crate) error_code: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

impl JobRow {
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "running" | "waiting")
    }
}

/// A run of a job that has ended.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct RunRow {
    pub(crate) job_id: Uuid,
    pub(crate) run: i64,
    pub(crate) worker: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: DateTime<Utc>,
    /// `lost`: its worker did not end it.
    pub(crate) outcome: String,
}

pub(crate) enum Database {
    Postgres(String),
    Sqlite(PathBuf),
}

macro_rules! fetch {
    ($self:ident, $query:expr, $how:ident) => {
        match $self {
            Database::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                $query.$how(&mut connection).await
            }
            Database::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let mut connection = SqliteConnection::connect_with(&options).await?;
                $query.$how(&mut connection).await
            }
        }
    };
}

impl Database {
    pub(crate) async fn jobs(&self) -> sqlx::Result<Vec<JobRow>> {
        const SQL: &str = "SELECT id, state, error_code, created_at, finished_at FROM jobs";
        fetch!(self, sqlx::query_as(SQL), fetch_all)
    }

    pub(crate) async fn runs(&self) -> sqlx::Result<Vec<RunRow>> {
        const SQL: &str = "SELECT job_id, run, worker, started_at, finished_at, outcome
             FROM job_attempts
             UNION ALL
             SELECT id, run, worker, claimed_at, finished_at, state FROM jobs
             WHERE finished_at IS NOT NULL AND run > 0 AND NOT EXISTS (SELECT 1
                 FROM job_attempts a WHERE a.job_id = jobs.id AND a.run = jobs.run)
             ORDER BY job_id, run";
        fetch!(self, sqlx::query_as(SQL), fetch_all)
    }

    pub(crate) async fn open_splits(&self) -> sqlx::Result<i64> {
        const SQL: &str = "SELECT COUNT(*) FROM project_splits WHERE closed_at IS NULL";
        fetch!(self, sqlx::query_scalar(SQL), fetch_one)
    }

    pub(crate) async fn fingerprints(&self) -> sqlx::Result<i64> {
        const SQL: &str = "SELECT COUNT(*) FROM destinations WHERE fingerprints <> '{}'";
        fetch!(self, sqlx::query_scalar(SQL), fetch_one)
    }

    /// Jobs that have not come to their end.
    pub(crate) async fn unfinished(&self) -> sqlx::Result<i64> {
        const SQL: &str =
            "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running', 'waiting')";
        fetch!(self, sqlx::query_scalar(SQL), fetch_one)
    }

    /// Jobs that a worker holds.
    pub(crate) async fn held_by(&self, worker: &str) -> sqlx::Result<i64> {
        const SQL: &str = "SELECT COUNT(*) FROM jobs WHERE state = 'running' AND worker = $1";
        fetch!(self, sqlx::query_scalar(SQL).bind(worker), fetch_one)
    }
}
