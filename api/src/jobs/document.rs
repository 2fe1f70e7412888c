//! The document of a job: the same wherever a job is shown.

use keyway_shared::domain::job::{ErrorCode, Job, JobAttempt, JobState};
use keyway_shared::store::{JobView, Report, StoreError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// Keys done.
    done: i64,
    /// Keys to do.
    total: i64,
}

/// What happened to one key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyOutcome)]
pub(crate) struct OutcomeBody {
    /// The key.
    key: String,
    /// What the plan said.
    #[schema(pattern = "^(create|update|delete|skip)$")]
    action: String,
    /// Why the plan said so.
    #[schema(example = "missing")]
    reason: String,
    /// The type that the provider says the variable has now; told of what was written.
    #[schema(example = "encrypted")]
    variable_type: Option<String>,
    /// Set when it failed.
    code: Option<String>,
    /// The same as a sentence.
    message: Option<String>,
}

/// One run of a job that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobAttempt)]
pub(crate) struct AttemptBody {
    /// Which run.
    run: i64,
    /// The worker process.
    worker: String,
    /// When it was taken.
    started_at: Timestamp,
    /// When it was settled, handed back or taken over.
    finished_at: Timestamp,
    /// The state it was left in, or `lost` when its worker died.
    outcome: String,
    /// Why, when it was not a success.
    error_code: Option<&'static str>,
}

impl From<JobAttempt> for AttemptBody {
    fn from(attempt: JobAttempt) -> Self {
        Self {
            run: attempt.run,
            worker: attempt.worker,
            started_at: attempt.started_at.into(),
            finished_at: attempt.finished_at.into(),
            outcome: attempt.outcome,
            error_code: attempt.error_code.map(ErrorCode::as_str),
        }
    }
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
pub(crate) struct JobBody {
    /// Identity.
    id: Uuid,
    /// What it does.
    #[schema(pattern = "^(sync|preview|diff|status)$")]
    kind: &'static str,
    /// Whether a caller waits for it.
    #[schema(pattern = "^(interactive|background)$")]
    class: &'static str,
    /// Where it stands.
    #[schema(pattern = "^(queued|running|waiting|succeeded|partial|failed|cancelled)$")]
    state: &'static str,
    /// Runs that count against the limit of attempts.
    attempt: i64,
    /// `owner/repo`.
    vault: String,
    /// The connection it uses.
    connection_id: Uuid,
    /// The project's id or name, as given.
    project_id: String,
    /// When it was accepted.
    created_at: Timestamp,
    /// When it was first taken.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
    /// Not before this time; only while it waits.
    waiting_until: Option<Timestamp>,
    /// Why it waits; `paused` when an operator, or the link's owner, holds it back, `project-busy` when
    /// it is the turn of another job that writes to the project.
    waiting_reason: Option<String>,
    /// How far it is.
    progress: Progress,
    /// What happened to each key.
    outcomes: Vec<OutcomeBody>,
    /// What the caller is answered: the report of a sync, preview, diff or status.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// The finished job that it runs again.
    retry_of: Option<Uuid>,
    /// How many requests it stands for: equal ones that came before it started share it.
    #[schema(example = 1)]
    requests: i64,
    /// Whether it was asked to stop; while it runs, it does so before its next call.
    cancel_requested: bool,
    /// Why it ended without full success.
    #[schema(example = "reconnect-required")]
    error_code: Option<&'static str>,
    /// The same as a sentence.
    pub(super) error: Option<String>,
}

impl JobBody {
    /// The document of a job, with what it left behind.
    pub(super) fn new(view: JobView, report: Report) -> Self {
        let Job {
            id,
            kind,
            class,
            state,
            attempt,
            connection_id,
            request,
            due_at,
            waiting_reason,
            progress_done: done,
            progress_total: total,
            error_code,
            error,
            created_at,
            started_at,
            finished_at,
            retry_of,
            cancel_requested,
            ..
        } = view.job;
        let waits = state == JobState::Waiting;
        Self {
            id,
            kind: kind.as_str(),
            class: class.as_str(),
            state: state.as_str(),
            attempt,
            vault: view.vault_name,
            connection_id,
            project_id: request.project_id,
            created_at: created_at.into(),
            started_at: started_at.map(Timestamp),
            finished_at: finished_at.map(Timestamp),
            waiting_until: waits.then_some(Timestamp(due_at)),
            waiting_reason: if view.is_paused {
                Some(PAUSED.to_owned())
            } else {
                let busy = view.is_behind.then(|| PROJECT_BUSY.to_owned());
                waiting_reason.filter(|_| waits).or(busy)
            },
            progress: Progress { done, total },
            outcomes: report
                .outcomes
                // Stored without what is absent; shown with it.
                .and_then(|outcomes| serde_json::from_value(outcomes).ok())
                .unwrap_or_default(),
            result: report.result,
            retry_of,
            requests: view.requests,
            cancel_requested,
            // A job that is still to run may bear what stood against an earlier attempt.
            error_code: error_code
                .filter(|_| state.is_final())
                .map(ErrorCode::as_str),
            error: error.filter(|_| state.is_final()),
        }
    }

    /// Whether nothing more comes of it.
    pub(super) const fn has_ended(&self) -> bool {
        self.finished_at.is_some()
    }

    /// The document of a job that the user may see.
    pub(super) async fn load(
        tx: &mut Tx,
        user_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Self>, StoreError> {
        let Some(view) = tx.find_job(user_id, id).await? else {
            return Ok(None);
        };
        let report = tx.find_report(id).await?.unwrap_or_default();
        Ok(Some(Self::new(view, report)))
    }
}

/// Why a job waits that is held back.
const PAUSED: &str = "paused";
/// Why a job waits whose project another job writes to.
const PROJECT_BUSY: &str = "project-busy";

/// Where a job's document is.
pub(crate) fn location(id: Uuid) -> String {
    format!("/v1/integrations/jobs/{id}")
}
