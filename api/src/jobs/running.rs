//! What a caller that waited is answered: the job's result, or where to look for it.

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use keyway_shared::domain::job::{ErrorCode, JobState};
use keyway_shared::domain::report::{KeyOutcome, SyncReport};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::document::location;
use super::verdict::{refuse, refused};
use super::wait::{Ending, Pending};
use super::{JobBody, Patience};
use crate::envelope::{Accepted, Data};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::integrations::sync::report::StatsBody;
use crate::state::ApiState;

/// Seconds after which it is worth asking again for a job that runs.
const ASK_AGAIN: u64 = 5;
/// The same for one that is held back.
const PAUSED_RETRY_AFTER: u64 = 60;

/// A sync that has not ended: the job, and the fields that callers of a sync read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunningSync {
    #[serde(flatten)]
    job: JobBody,
    /// The job.
    job_id: Uuid,
    /// `running`; for browsers `error`.
    status: &'static str,
    /// Always false: nothing is known yet.
    success: bool,
    created: u64,
    updated: u64,
    deleted: u64,
    skipped: u64,
    failed: u64,
    stats: StatsBody,
    #[schema(value_type = Vec<super::OutcomeBody>, max_items = 0)]
    failures: [(); 0],
}

/// The answer to a sync.
#[derive(Debug)]
pub(crate) enum SyncAnswer {
    /// It ended: its report.
    Ended(Value),
    /// It goes on.
    Running {
        /// What is known of it.
        sync: Box<RunningSync>,
        /// Whether 202 would be misread.
        browser: bool,
    },
}

impl IntoResponse for SyncAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Ended(report) => Data(report).into_response(),
            Self::Running {
                sync,
                browser: true,
            } => Data(sync).into_response(),
            Self::Running { sync, .. } => Accepted {
                location: location(sync.job_id),
                data: sync,
            }
            .into_response(),
        }
    }
}

impl SyncAnswer {
    /// Waits for a sync.
    pub(crate) async fn to(
        pending: &Pending,
        state: &ApiState,
        caller: &Caller,
        mut patience: Patience,
    ) -> Result<Self, ApiError> {
        match pending.end(state, &mut patience).await? {
            Ending::Finished(job, result) => {
                if let Some(refusal) = refused(&job, result.as_ref()) {
                    return Err(refusal);
                }
                if let Some(result) = result {
                    return Ok(Self::Ended(result));
                }
                if job.state == JobState::Succeeded {
                    tracing::error!(job_id = %job.id, "a sync succeeded without a report");
                    return Err(ApiError::Internal);
                }
                // Ended by somebody else than its worker: cancelled, overdue.
                let (code, text) = match job.state {
                    JobState::Cancelled => (ErrorCode::Cancelled, "The sync was cancelled."),
                    _ => (
                        job.error_code.unwrap_or(ErrorCode::Internal),
                        "The sync did not end well.",
                    ),
                };
                let text = job.error.unwrap_or_else(|| text.to_owned());
                let done = done(state, job.id).await?;
                let report = SyncReport::new(job.id, &done, Some(&(code, text)));
                serde_json::to_value(if job.state == JobState::Cancelled {
                    report.cancelled()
                } else {
                    report
                })
                .map(Self::Ended)
                .map_err(|error| ApiError::internal(&error))
            }
            ending @ (Ending::Unfinished(_) | Ending::Paused) => {
                let mut job = document(state, caller, pending.id).await?;
                let how = match ending {
                    Ending::Paused => "paused",
                    _ => "still running",
                };
                job.error = Some(format!(
                    "The sync is {how} (job {id}). Check: GET {at}",
                    id = pending.id,
                    at = location(pending.id)
                ));
                Ok(Self::Running {
                    sync: Box::new(RunningSync {
                        job,
                        job_id: pending.id,
                        status: if patience.browser { "error" } else { "running" },
                        success: false,
                        created: 0,
                        updated: 0,
                        deleted: 0,
                        skipped: 0,
                        failed: 0,
                        stats: StatsBody::default(),
                        failures: [],
                    }),
                    browser: patience.browser,
                })
            }
        }
    }
}

/// The answer to a preview, diff or status.
#[derive(Debug)]
pub(crate) enum ReadAnswer {
    /// It ended: its report.
    Ended(Value),
    /// It goes on, and the caller said how long to wait.
    Running {
        /// Its document.
        job: Box<JobBody>,
        /// Where it is found.
        location: String,
    },
}

impl IntoResponse for ReadAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Ended(report) => Data(report).into_response(),
            Self::Running { job, location } => Accepted {
                data: job,
                location,
            }
            .into_response(),
        }
    }
}

impl ReadAnswer {
    /// Waits for a job that only reads. It has no report of a failure: that is an error.
    pub(crate) async fn to(
        pending: &Pending,
        state: &ApiState,
        caller: &Caller,
        mut patience: Patience,
    ) -> Result<Self, ApiError> {
        match pending.end(state, &mut patience).await? {
            Ending::Finished(job, report) if job.state == JobState::Succeeded => {
                report.map(Self::Ended).ok_or_else(|| {
                    tracing::error!(job_id = %job.id, "a job succeeded without a report");
                    ApiError::Internal
                })
            }
            Ending::Finished(job, _) => {
                let code = match job.state {
                    JobState::Cancelled => ErrorCode::Cancelled,
                    _ => job.error_code.unwrap_or(ErrorCode::Internal),
                };
                Err(refuse(code, job.error, None))
            }
            Ending::Unfinished(_) | Ending::Paused if patience.stated => Ok(Self::Running {
                job: Box::new(document(state, caller, pending.id).await?),
                location: location(pending.id),
            }),
            Ending::Paused => Err(ApiError::Unavailable {
                detail: "Jobs are paused. The answer comes when they go on.",
                retry_after: PAUSED_RETRY_AFTER,
                location: Some(location(pending.id)),
            }),
            // Clients that do not know of jobs read a 202 without lists as "nothing to do".
            Ending::Unfinished(due) => Err(ApiError::Unavailable {
                detail: "The answer is not ready yet. Please try again, or look at the job.",
                retry_after: due.map_or(ASK_AGAIN, |due| seconds_until(state, due)),
                location: Some(location(pending.id)),
            }),
        }
    }
}

/// What a job that was ended between two runs had done.
async fn done(state: &ApiState, id: Uuid) -> Result<Vec<KeyOutcome>, ApiError> {
    let mut tx = state.store.begin_read_statement().await?;
    let report = tx.find_report(id).await?;
    tx.commit().await?;
    Ok(report
        .and_then(|report| report.outcomes)
        .and_then(|outcomes| serde_json::from_value(outcomes).ok())
        .unwrap_or_default())
}

fn seconds_until(state: &ApiState, due: DateTime<Utc>) -> u64 {
    let left = (due - state.ambient.now()).to_std().unwrap_or_default();
    left.as_secs() + 1
}

pub(super) async fn document(
    state: &ApiState,
    caller: &Caller,
    id: Uuid,
) -> Result<JobBody, ApiError> {
    let mut tx = state.store.begin_read().await?;
    let job = JobBody::load(&mut tx, caller.user.id, id).await?;
    tx.commit().await?;
    if job.as_ref().is_some_and(JobBody::has_ended) {
        state.store.settle_on_disk().await?;
    }
    job.ok_or_else(|| ApiError::not_found("job"))
}
