//! What jobs leave behind.

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, on};
use super::{StoreError, Tx};

/// What a job planned, did and answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What it set out to do, recorded before it did.
    pub planned: Option<Value>,
    /// What happened to each key.
    pub outcomes: Option<Value>,
    /// What the caller is answered.
    pub result: Option<Value>,
}

#[derive(sqlx::FromRow)]
struct ReportRow {
    planned: Option<Json<Value>>,
    outcomes: Option<Json<Value>>,
    result: Option<Json<Value>>,
}

impl Tx {
    /// The report of a job. Whether the caller may see the job is settled by [`Tx::find_job`] before.
    pub async fn find_report(&mut self, job_id: Uuid) -> Result<Option<Report>, StoreError> {
        let row: Option<ReportRow> = on!(self, |conn| sqlx::query_as(
            "SELECT planned, outcomes, result FROM job_reports WHERE job_id = $1"
        )
        .bind(job_id)
        .fetch_optional(conn))?;
        Ok(row.map(|row| Report {
            planned: row.planned.map(|json| json.0),
            outcomes: row.outcomes.map(|json| json.0),
            result: row.result.map(|json| json.0),
        }))
    }

    /// Adds to a job's report, in the unit of work that ends its run. What is given replaces what was
    /// there.
    pub async fn write_report(
        &mut self,
        job_id: Uuid,
        outcomes: Option<&Value>,
        result: Option<&Value>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO job_reports (job_id, outcomes, result) VALUES ($1, $2, $3)
             ON CONFLICT (job_id) DO UPDATE SET
                 outcomes = COALESCE(excluded.outcomes, job_reports.outcomes),
                 result = COALESCE(excluded.result, job_reports.result)"
        )
        .bind(job_id)
        .bind(outcomes.map(Json))
        .bind(result.map(Json))
        .execute(conn))?;
        Ok(())
    }
}
