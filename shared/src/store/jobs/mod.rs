//! Jobs. The methods without an owner are for the engine; what a user may see goes through
//! [`find_job`](crate::store::Tx::find_job) and [`list_jobs`](crate::store::Tx::list_jobs).

mod accept;
mod cancel;
mod claim;
mod queries;
mod row;
mod settle;
mod sweep;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(super) use accept::FIRST_RING;

use crate::domain::job::{ErrorCode, Job, JobClass, JobKind, JobState};

/// A job as a user sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// `owner/repo` of its vault.
    pub vault_name: String,
    /// How many requests it stands for: the one that made it, and those that joined it.
    pub requests: i64,
    /// It would start, were it not for a pause.
    pub is_paused: bool,
    /// Another job writes to its project, and comes to its end first.
    pub is_behind: bool,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Of this vault.
    pub vault_id: Option<Uuid>,
    /// Of this connection.
    pub connection_id: Option<Uuid>,
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// Older than this job.
    pub cursor: Option<Uuid>,
}

/// What became of a request for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The job was added.
    New,
    /// An equal one waits for its start and does for both.
    Joined(Uuid),
}

/// What became of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// One request was taken back; the job goes on for others.
    Detached,
    /// The job has ended.
    Ended,
    /// The job runs, and stops before its next call.
    Asked,
    /// The job had ended before.
    TooLate,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The caller holds the job under its lease.
    Taken(Box<Job>),
    /// Not now: it is not due, its project is busy, or another job of the project goes first. Its
    /// next ring is put off.
    Busy,
    /// It is not there to be taken: somebody has it, or it has ended.
    Gone,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The lease goes on.
    Held {
        /// Stop before the next call.
        cancel_requested: bool,
    },
    /// Somebody else has the job, or nobody.
    Lost,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The job.
    pub id: Uuid,
    /// The lease under which it ran.
    pub lease_id: Uuid,
    /// A final state.
    pub state: JobState,
    /// Why, when not a full success.
    pub error_code: Option<ErrorCode>,
    /// The same as a sentence of ours.
    pub error: Option<String>,
    /// Calls made in this run.
    pub provider_calls_add: i64,
    /// Time waited for rate limits in this run.
    pub rate_limited_ms_add: i64,
    /// Keys done.
    pub progress_done: i64,
    /// Keys to do.
    pub progress_total: i64,
}

/// A running job put aside, to be run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handback<'a> {
    /// The job.
    pub id: Uuid,
    /// The lease under which it ran.
    pub lease_id: Uuid,
    /// Not before this time.
    pub due_at: DateTime<Utc>,
    /// Why.
    pub reason: &'a str,
    /// Whether this run counts against the limit of attempts.
    pub counts: bool,
    /// Calls made in this run.
    pub provider_calls_add: i64,
    /// Time waited for rate limits in this run.
    pub rate_limited_ms_add: i64,
    /// [`JobState::Waiting`] or [`JobState::Queued`].
    pub state: JobState,
    /// What stood against it.
    pub error_code: Option<ErrorCode>,
    /// The project that it found to be its own, if it had none: it waits for its turn there.
    pub project_key: Option<&'a str>,
}

/// A job that was taken from a worker that no longer holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedJob {
    /// The job.
    pub id: Uuid,
    /// Its class.
    pub class: JobClass,
    /// [`JobState::Queued`], or [`JobState::Cancelled`] where that was asked for.
    pub state: JobState,
}

/// How much of a class is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// The class.
    pub class: JobClass,
    /// Jobs that are due and that nobody has.
    pub depth: i64,
    /// Since when the oldest of them is due.
    pub oldest_due: Option<DateTime<Utc>>,
}
